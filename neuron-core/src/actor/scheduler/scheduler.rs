//! Runs the neurons of a host in rounds.
//!
//! Why: docs/decisions/0014-one-actor-runs-all-neurons.md
//! Why: docs/decisions/0026-the-next-sixteen-turns-are-prefetched.md

use std::{
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake as _},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    cell::{MAX_BATCH, NeuronCell},
    cell_context::CellContext,
    context::HostContext,
    host_watch,
    startup::NewCell,
};
use crate::{
    actor::error::HostError,
    id::NeuronId,
    neuron::{Input, Params},
    transport::Envelope,
};

/// How much a phase of a step does at a time: mailboxes, new cells, timers.
const BATCH: usize = 16;

/// After how many signals a step ends, and after how much work the run loop reads the clock: that
/// takes as long as a turn.
pub(super) const CLOCK_INTERVAL: usize = 64;

/// Above this many neurons, those that run next are prefetched. With fewer, a neuron is usually
/// still in the processor's caches when it runs again.
const PREFETCH_ABOVE: usize = 2048;

/// A timer that is due so soon fires at once: the system's timer counts in milliseconds.
const TIMER_SLACK: Duration = Duration::from_micros(20);

/// The longest time that the system's timer is set to; then the deadline is looked at anew.
const MAX_SLEEP: Duration = Duration::from_secs(24 * 3600);

/// The neurons of a host, and what decides which of them runs next.
///
/// Drive it in steps: [`step`](Self::step) until it returns 0, then wait until the task is woken.
pub(in crate::actor) struct Scheduler {
    /// By slot; `None` for a neuron that has left. A slot is never given away again, because
    /// signals for its neuron may still be queued.
    pub(super) cells: Vec<Option<Box<NeuronCell>>>,
    /// The parameters of the last neuron that came, to be shared with the next one.
    pub(super) params: Option<Arc<Params>>,
    pub(super) ctx: CellContext,
    /// Slots of cells that have not had their first turn. They start a few at a time: all at once
    /// they would send more than there is local capacity for.
    pub(super) new: VecDeque<u32>,
    /// More cells will come that belong together with the new ones; none of these starts before.
    awaits_more: bool,
    /// Neurons to be notified, each with the peer that is down.
    down_queue: VecDeque<(NeuronId, NeuronId)>,
    /// What has been taken out of an inbox and is handled next; empty between two steps.
    arrived: VecDeque<Envelope>,
    /// How many local mailboxes are left of this round.
    round: usize,
    timer: Pin<Box<Sleep>>,
    /// The host stops.
    is_halted: bool,
}

impl Scheduler {
    /// Returns the scheduler of a host without neurons. To be called inside a tokio runtime.
    pub(in crate::actor) fn new(host: Rc<HostContext>) -> Self {
        Self {
            cells: Vec::new(),
            params: None,
            ctx: CellContext::new(host),
            new: VecDeque::new(),
            awaits_more: false,
            down_queue: VecDeque::new(),
            arrived: VecDeque::new(),
            round: 0,
            timer: Box::pin(sleep(MAX_SLEEP)),
            is_halted: false,
        }
    }

    /// Returns what the cells use; the run loop parks and wakes through it.
    pub(super) fn context(&mut self) -> &mut CellContext {
        &mut self.ctx
    }

    /// Takes in new neurons. None of them starts while `awaits_more`, because they may want to send
    /// to neurons that are still to come.
    pub(super) fn spawn(&mut self, cells: Vec<NewCell>, awaits_more: bool) {
        for cell in cells {
            if self.is_halted {
                cell.startup.fail(HostError::Stopped);
            } else {
                self.spawn_one(cell);
            }
        }
        self.awaits_more = awaits_more;
        self.ctx.inboxes.wake_task();
    }

    /// Stops a neuron, closes its inbox and returns the number of its incarnation; `None` if there is
    /// no neuron of this name. One that is fenced, or cannot be saved, is not registered any more.
    pub(super) fn stop(&mut self, id: &NeuronId) -> Option<u32> {
        let is_it = |cell: &Option<Box<NeuronCell>>| cell.as_ref().is_some_and(|cell| cell.id() == id);
        let slot = self.ctx.registry.lookup(id).or_else(|| Some(self.cells.iter().rposition(is_it)? as u32))?;
        let incarnation = self.cells.get(slot as usize)?.as_ref()?.incarnation();
        self.remove(slot);
        Some(incarnation)
    }

    /// Stops all neurons at once, and closes their inboxes: the host stops. None is started any more.
    pub(super) fn halt(&mut self) {
        self.is_halted = true;
        self.new.clear();
        for cell in self.cells.iter_mut().filter_map(Option::take) {
            cell.save_owed(&self.ctx);
        }
    }

    /// Runs one scheduling step and returns how many messages or timers it handled; 0 means the
    /// scheduler may park.
    ///
    /// A round has three phases, of which a step does a part:
    /// 1. run each cell whose local mailbox was non-empty when the round began;
    /// 2. drain the inboxes that were in the ready set by then, up to [`MAX_BATCH`] envelopes each;
    /// 3. read the clock, start new cells, fire due timers, go on after saves, retry sends that have
    ///    capacity again, and answer watches of the host; a round is followed by the next one
    ///    without this if that has local mailboxes only.
    ///
    /// Peers of neurons that have left are notified before anything else.
    ///
    /// Ordering: signals from one neuron to another are delivered in send order, except that the
    /// answer to a probe goes first. After a signal to a cell has spilled into its inbox, later
    /// ones follow it there until the inbox is empty.
    ///
    /// Time: `now` does not advance while cells handle local signals only, so a wave within a host
    /// takes place at one instant. If it did, joins would probe inputs whose statements are still
    /// queued.
    #[inline]
    pub(super) fn step(&mut self, task: &mut TaskContext<'_>) -> usize {
        if !self.down_queue.is_empty() {
            return self.deliver_down();
        }
        if self.round == 0 {
            if let Some(slot) = self.ctx.inboxes.take_ready() {
                return 1 + self.drain_inbox(slot);
            }
            self.round = self.ctx.start_local_round();
            self.ctx.inboxes.start_round();
            if self.round == 0 || !self.ctx.inboxes.is_round_over() {
                return self.advance_time(task);
            }
        }
        self.run_local()
    }

    /// Runs cells with queued signals. Returns how many signals they received, or 1 if none.
    #[inline]
    fn run_local(&mut self) -> usize {
        if self.cells.len() > PREFETCH_ABOVE {
            self.prefetch();
        }
        let mut received = 0;
        for _ in 0..self.round.min(BATCH) {
            let Some(slot) = self.ctx.mailboxes.take_runnable() else {
                self.round = 0;
                break;
            };
            self.round -= 1;
            if self.ctx.inboxes.is_ready(slot) {
                // Senders outside of this host must not wait for all the waves inside.
                received += self.drain_inbox(slot);
            }
            received += self.run_cell(slot);
            if received >= CLOCK_INTERVAL {
                break;
            }
        }
        received.max(1)
    }

    /// Gives a cell its queued signals and returns how many that were.
    #[inline]
    fn run_cell(&mut self, slot: u32) -> usize {
        let mut received = 0;
        if self.cells[slot as usize].is_some() {
            self.with_cell(slot, |cell, ctx| received = cell.run_local(ctx));
        } else {
            received = self.reroute(slot);
        }
        self.ctx.mailboxes.requeue(slot);
        received
    }

    /// Sends the signals that are queued for a neuron which has left through the transport: another
    /// one of its name may run by now. Returns how many signals that were.
    fn reroute(&mut self, slot: u32) -> usize {
        let to = self.ctx.registry.name(slot).clone();
        let mut count = 0;
        while let Some((from_slot, signal)) = self.ctx.mailboxes.pop(slot) {
            count += 1;
            let from = self.ctx.registry.name(from_slot).clone();
            if let Some(sender) = self.ctx.registry.lookup(&from) {
                let envelope = Envelope::Signal { from, to: to.clone(), signal };
                self.with_cell(sender, |cell, ctx| cell.resend(envelope, ctx));
            } else {
                self.ctx.host.counters.count_undelivered();
            }
        }
        count
    }

    /// Reads memory of the cells that run next, of all of them together: the processor waits for
    /// the memory of sixteen hardly longer than for that of one.
    fn prefetch(&self) {
        let next = self.ctx.mailboxes.peek_runnable(BATCH);
        let cells = next.filter_map(|(slot, signal)| Some((self.cells[slot as usize].as_ref()?, signal)));
        std::hint::black_box(cells.fold(0, |seen, (cell, signal)| seen ^ cell.prefetch(signal)));
    }

    /// Gives a neuron up to [`MAX_BATCH`] envelopes of its inbox and returns how many that were.
    pub(super) fn drain_inbox(&mut self, slot: u32) -> usize {
        let Some(Some(cell)) = self.cells.get_mut(slot as usize) else { return 0 };
        let mut arrived = std::mem::take(&mut self.arrived);
        let end = loop {
            if arrived.len() == MAX_BATCH {
                break None;
            }
            match cell.poll_inbox(&self.ctx) {
                Poll::Ready(Some(envelope)) => arrived.push_back(envelope),
                Poll::Ready(None) => break Some(Poll::Ready(())),
                Poll::Pending => break Some(Poll::Pending),
            }
        };
        let count = arrived.len();
        if count > 0 {
            // All of them are handled within less than a millisecond.
            self.ctx.read_clock();
            self.with_cell(slot, |cell, ctx| cell.receive(&mut arrived, ctx));
        }
        arrived.clear();
        self.arrived = arrived;
        match end {
            Some(Poll::Ready(())) => self.remove(slot),
            Some(Poll::Pending) => self.ctx.registry.mark_drained(slot),
            None => {
                // There may be more.
                if let Some(Some(_)) = self.cells.get(slot as usize) {
                    self.ctx.inboxes.waker(slot).wake_by_ref();
                }
            }
        }
        count
    }

    /// Reads the clock and runs what waits for it. Returns how much that was; 0 if there is nothing
    /// else to do either.
    fn advance_time(&mut self, task: &mut TaskContext<'_>) -> usize {
        self.ctx.read_clock();
        let mut handled = self.start_cells() + self.fire_timers() + self.finish_saves(task) + self.retry_sends(task);
        handled += host_watch::answer(&mut self.cells, &mut self.ctx);
        if handled == 0 && self.round == 0 && self.ctx.inboxes.is_round_over() {
            return usize::from(self.poll_timer(task));
        }
        handled.max(1)
    }

    /// Gives some new cells their first turn and returns how many.
    fn start_cells(&mut self) -> usize {
        let count = if self.awaits_more { 0 } else { self.new.len().min(BATCH) };
        for _ in 0..count {
            let Some(slot) = self.new.pop_front() else { break };
            self.with_cell(slot, |cell, ctx| cell.handle(Input::Wake, ctx));
        }
        count
    }

    /// Fires some of the timers that are due and returns how many.
    fn fire_timers(&mut self) -> usize {
        for count in 0..BATCH {
            let Some(slot) = self.ctx.timers.pop_due(self.ctx.now) else { return count };
            self.with_cell(slot, NeuronCell::fire_timer);
        }
        BATCH
    }

    /// Lets cells go on whose neurons have been saved, or could not be, and returns how many.
    fn finish_saves(&mut self, task: &mut TaskContext<'_>) -> usize {
        for count in 0..BATCH {
            let Some(completion) = self.ctx.pending_saves.poll_completed(task) else { return count };
            let slot = completion.slot;
            self.with_cell(slot, |cell, ctx| cell.on_save_completed(completion, ctx));
            self.respawn_restored(slot);
        }
        BATCH
    }

    /// Lets cells go on whose receivers have capacity again, and returns how many.
    fn retry_sends(&mut self, task: &mut TaskContext<'_>) -> usize {
        for count in 0..BATCH {
            let Some(completion) = self.ctx.pending_sends.poll_completed(task) else { return count };
            self.with_cell(completion.slot, |cell, ctx| cell.on_capacity(completion, ctx));
        }
        BATCH
    }

    /// Sets the system's timer to the next deadline. Returns whether it has fired already.
    fn poll_timer(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(next) = self.ctx.timers.next_deadline() else { return false };
        let wait = next.since(self.ctx.now);
        if wait < TIMER_SLACK {
            return true;
        }
        if self.ctx.timers.arm(next) {
            self.timer.as_mut().reset(Instant::now() + wait.min(MAX_SLEEP));
        }
        let fired = self.timer.as_mut().poll(task).is_ready();
        if fired {
            self.ctx.timers.disarm();
        }
        fired
    }

    /// Runs `turn` with a cell, if it is there. Removes it if it has stopped after that, and
    /// notifies its peers if its neuron has fallen silent.
    pub(super) fn with_cell(&mut self, slot: u32, turn: impl FnOnce(&mut NeuronCell, &mut CellContext)) {
        let Some(Some(cell)) = self.cells.get_mut(slot as usize) else { return };
        turn(cell, &mut self.ctx);
        if cell.is_stopped() {
            self.remove(slot);
        } else if cell.take_silenced() {
            let id = cell.id().clone();
            let peers = cell.peers();
            self.notify_peers_down(&id, slot, peers);
        }
    }

    fn spawn_one(&mut self, mut new: NewCell) {
        let neuron = &mut new.neuron;
        neuron.intern_params(&mut self.params);
        let slot = self.ctx.register(neuron.id().clone(), neuron.connection_count(), neuron.expected_inputs());
        self.cells.push(Some(Box::new(NeuronCell::new(slot, new))));
        // The inbox has not been polled with the waker yet, and there may be envelopes already.
        self.drain_inbox(slot);
        self.new.push_back(slot);
    }

    fn remove(&mut self, slot: u32) {
        let Some(cell) = self.cells.get_mut(slot as usize).and_then(Option::take) else { return };
        let id = cell.id().clone();
        let peers = cell.peers();
        self.ctx.registry.mark_drained(slot);
        self.ctx.host.links.with(|links| links.stop(&id, self.ctx.steady));
        cell.close(&mut self.ctx);
        self.notify_peers_down(&id, slot, peers);
    }

    /// Unregisters a neuron and queues notifications for its peers. They are delivered later,
    /// because they may stop other neurons.
    fn notify_peers_down(&mut self, id: &NeuronId, slot: u32, peers: Vec<NeuronId>) {
        let was_registered = self.ctx.registry.unregister(id, slot);
        self.ctx.host_watch.watchers.on_gone(slot, !was_registered);
        if was_registered {
            self.down_queue.extend(peers.into_iter().map(|peer| (peer, id.clone())));
        }
    }

    /// Delivers some of the notifications that a peer is down, and returns how many.
    fn deliver_down(&mut self) -> usize {
        for count in 0..BATCH {
            let Some((to, down)) = self.down_queue.pop_front() else { return count };
            if let Some(slot) = self.ctx.registry.lookup(&to) {
                self.with_cell(slot, |cell, ctx| cell.peer_down(&down, ctx));
            }
        }
        BATCH
    }
}
