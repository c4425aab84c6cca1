//! The actor that gives the neurons of a host their bodies: it brings each what comes for it, and wakes it when it wants to be woken.
//!
//! One actor for all of them, so that what they say to each other takes no way through a mailbox: over a transport that has nothing
//! to add ([`Transport::is_direct`](crate::transport::Transport::is_direct)) it goes from hand to hand.

use std::{
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake as _},
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, Message, fut::ActorFuture};
use futures_util::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    cell::{NeuronCell, Startup},
    context::HostContext,
    registry::CellContext,
};
use crate::{
    id::NeuronId,
    neuron::{Input, Neuron, Place, Settings},
    tag::Time,
    transport::{Envelope, Inbox},
};

/// How many runnable are taken before partial on the thread have theirs.
const TURNS: usize = 512;
/// And after how long, because a turn may have to wait for a store.
const SPAN: Duration = Duration::from_millis(2);
/// After how many runnable that is looked at, unless something has been saved.
const BETWEEN_LOOKS: usize = 64;
/// How many runnable are taken at a time, and how many envelopes out of one inbox.
const AT_A_TIME: usize = 16;
/// So many neurons are usually still in the processor's caches when their turn comes again.
const IN_THE_CACHES: usize = 2048;
/// An deadline that is due so soon is waited for without a timer, whose hands move in milliseconds.
const SOON: Duration = Duration::from_micros(20);
/// The longest time that is waited for an deadline at once. Then it is looked anew.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(in crate::actor) struct Scheduler {
    /// Nobody ever takes the slot of another one: something may be at hand for it.
    bodies: Vec<Option<Box<NeuronCell>>>,
    /// What the last of them that came has been configured to.
    settings: Option<Arc<Settings>>,
    ctx: CellContext,
    /// Who has not been woken yet. All at once they would have more to say to each other than may be at hand.
    new: VecDeque<u32>,
    /// Who is to be told that somebody has left, and who that is.
    down_queue: VecDeque<(NeuronId, NeuronId)>,
    /// Nor is anybody woken before all have come who come together.
    awaits_more: bool,
    /// How many have something at hand that belongs to this round.
    at_hand: usize,
    timer: Pin<Box<Sleep>>,
    /// When the timer rings.
    armed: Option<Time>,
}

impl Scheduler {
    pub(in crate::actor) fn new(shared: Rc<HostContext>) -> Self {
        let (bodies, new, timer) = (Vec::new(), VecDeque::new(), Box::pin(sleep(LONGEST)));
        Self {
            bodies,
            settings: None,
            ctx: CellContext::new(shared),
            new,
            down_queue: VecDeque::new(),
            awaits_more: false,
            at_hand: 0,
            timer,
            armed: None,
        }
    }

    /// Gives a neuron a body.
    fn spawn(&mut self, NewCell { mut neuron, inbox, startup }: NewCell) {
        neuron.share_settings(&mut self.settings);
        let slot = u32::try_from(self.bodies.len()).expect("no host has four billion neurons");
        let bell = self.ctx.bells.add(slot);
        self.ctx.register(neuron.id().clone(), slot, bell, neuron.inputs());
        self.ctx.outbox.hand().set_inputs(Place::of(slot), neuron.waits_for());
        self.bodies.push(Some(Box::new(NeuronCell::new(slot, neuron, inbox, startup))));
        // From now on the bell rings; until then it has not, and there may be something already.
        self.drain_inbox(slot);
        self.new.push_back(slot);
    }

    /// Has one body do something, if it is there. One that is gone then leaves.
    fn with(&mut self, slot: u32, turn: impl FnOnce(&mut NeuronCell, &mut CellContext)) {
        let Some(place) = self.bodies.get_mut(slot as usize) else { return };
        let Some(body) = place else { return };
        turn(body, &mut self.ctx);
        if body.is_gone() {
            self.remove(slot);
        } else if body.take_silence() {
            let (id, peers) = (body.id().clone(), body.peers());
            self.notify_peers_down(&id, slot, peers);
        }
    }

    /// Somebody is with the partial no longer. They are told later: that may make partial leave.
    fn notify_peers_down(&mut self, id: &NeuronId, slot: u32, peers: Vec<NeuronId>) {
        if self.ctx.unregister(id, slot) {
            self.down_queue.extend(peers.into_iter().map(|other| (other, id.clone())));
        }
    }

    /// Tells some of those whose peers have left. Tells how many that were.
    fn deliver_down(&mut self) -> usize {
        let count = self.down_queue.len().min(AT_A_TIME);
        for _ in 0..count {
            let Some((other, left)) = self.down_queue.pop_front() else { break };
            if let Some(slot) = self.ctx.find(&other) {
                self.with(slot, |body, ctx| body.peer_down(&left, ctx));
            }
        }
        count
    }

    fn remove(&mut self, slot: u32) {
        let Some(body) = self.bodies.get_mut(slot as usize).and_then(Option::take) else { return };
        let (id, peers) = (body.id().clone(), body.peers());
        self.ctx.is_read(slot);
        body.leave(&mut self.ctx);
        self.notify_peers_down(&id, slot, peers);
    }

    /// Does something that is to be done. Tells how many runnable that took; none if there is nothing.
    ///
    /// In rounds: what is at hand, and then what is in the inboxes whose bells were ready by then. What goes to a neuron whose bell
    /// is ready goes to its inbox, so nothing overtakes anything on its way to one neuron. At the end of a round those are woken
    /// who want to be.
    ///
    /// While neurons pass on what they run_cell, and nothing else happens, time stands still: a wave is one moment, however large the
    /// network is. If it went on, those who wait for the rest of the wave would ask where it is.
    fn step(&mut self, task: &mut TaskContext<'_>) -> usize {
        if !self.down_queue.is_empty() {
            return self.deliver_down();
        }
        if self.at_hand == 0 {
            if let Some(slot) = self.ctx.ready.pop_front() {
                return 1 + self.drain_inbox(slot);
            }
            self.at_hand = self.ctx.runnable();
            let CellContext { bells, ready, .. } = &mut self.ctx;
            bells.take(ready);
            if self.at_hand == 0 || !self.ctx.ready.is_empty() {
                return self.advance_time(task);
            }
        }
        self.run_local()
    }

    /// Wakes those who want to be woken by now. Tells how many runnable that took; none if there is nothing else to be done either.
    fn advance_time(&mut self, task: &mut TaskContext<'_>) -> usize {
        self.ctx.read_clock();
        let runnable = self.start_cells() + self.fire_timers(task);
        if runnable == 0 && self.at_hand == 0 && self.ctx.ready.is_empty() {
            return usize::from(self.poll_timer(task));
        }
        runnable.max(1)
    }

    /// Wakes some of those who have just come. Tells how many that were.
    fn start_cells(&mut self) -> usize {
        let count = if self.awaits_more { 0 } else { self.new.len().min(AT_A_TIME) };
        for _ in 0..count {
            if let Some(slot) = self.new.pop_front() {
                self.with(slot, |body, ctx| body.give(Input::Wake, ctx));
            }
        }
        count
    }

    /// Wakes those whose deadline is due, and those who wait for room. Tells how many that were.
    fn fire_timers(&mut self, task: &mut TaskContext<'_>) -> usize {
        let mut runnable = 0;
        while runnable < AT_A_TIME
            && let Some(slot) = self.ctx.pop_due()
        {
            self.with(slot, NeuronCell::wake);
            runnable += 1;
        }
        // With a count of their own, or timers would let nobody else have a turn.
        let most = runnable + AT_A_TIME;
        while runnable < most
            && let Poll::Ready(Some(on_sent)) = self.ctx.backlog.poll_next_unpin(task)
        {
            self.with(on_sent.slot, |body, ctx| body.on_capacity(on_sent, ctx));
            runnable += 1;
        }
        runnable
    }

    /// Gives neurons what is at hand for them. Tells how much that was.
    fn run_local(&mut self) -> usize {
        if self.bodies.len() > IN_THE_CACHES {
            self.prefetch();
        }
        let mut heard = 0;
        for _ in 0..self.at_hand.min(AT_A_TIME) {
            let Some(slot) = self.ctx.outbox.hand().next_turn() else {
                self.at_hand = 0;
                break;
            };
            self.at_hand -= 1;
            if self.ctx.is_ready(slot) {
                // Whoever is outside does not know how busy it is here inside, and comes first.
                heard += self.drain_inbox(slot);
            }
            heard += self.run_cell(slot);
            if heard >= BETWEEN_LOOKS {
                break;
            }
        }
        heard.max(1)
    }

    /// Gives somebody what is at hand for it. Tells how much that was.
    fn run_cell(&mut self, slot: u32) -> usize {
        let mut heard = 0;
        if self.bodies[slot as usize].is_some() {
            self.with(slot, |body, ctx| heard = body.run_local_batch(ctx));
        } else {
            heard = self.reroute(slot);
        }
        self.ctx.outbox.hand().leave(slot);
        heard
    }

    /// Looks at those whose runnable come next, at all of them together: the processor waits for the memory of sixteen hardly longer than
    /// for that of one.
    fn prefetch(&self) {
        let runnable = self.ctx.outbox.see_hand().into_iter().flat_map(|hand| hand.next_turns(AT_A_TIME));
        let bodies = runnable.filter_map(|(slot, signal)| Some((self.bodies[slot as usize].as_ref()?, signal)));
        std::hint::black_box(bodies.fold(0, |seen, (body, signal)| seen ^ body.prefetch(signal)));
    }

    /// Somebody has left for whom something was at hand. There may be another one of this name by now. Tells how much that was.
    fn reroute(&mut self, slot: u32) -> usize {
        let to = self.ctx.name(slot).clone();
        let mut count = 0;
        while let Some((from_slot, signal)) = self.ctx.outbox.hand().next_for(slot) {
            count += 1;
            let (from, to) = (self.ctx.name(from_slot).clone(), to.clone());
            if let Some(sender) = self.ctx.find(&from) {
                self.with(sender, |body, ctx| body.resend(Envelope::Signal { from, to, signal }, ctx));
            } else {
                self.ctx.shared.counters.count_undelivered();
            }
        }
        count
    }

    /// Brings what is in an inbox. Tells how much that was.
    fn drain_inbox(&mut self, slot: u32) -> usize {
        for count in 0..AT_A_TIME {
            let Some(Some(body)) = self.bodies.get_mut(slot as usize) else { return count };
            match body.next(&self.ctx) {
                Poll::Ready(Some(envelope)) => {
                    // Sixteen runnable take microseconds, unless something is saved; looking at the clock takes as long as half a turn.
                    if count == 0 || self.ctx.has_saved {
                        self.ctx.read_clock();
                    }
                    self.with(slot, |body, ctx| body.take(envelope, ctx));
                }
                Poll::Ready(None) => {
                    self.remove(slot);
                    return count;
                }
                Poll::Pending => {
                    self.ctx.is_read(slot);
                    return count;
                }
            }
        }
        // There may be more.
        if let Some(Some(_)) = self.bodies.get(slot as usize) {
            self.ctx.bell(slot).wake_by_ref();
        }
        AT_A_TIME
    }

    /// Sets the timer to the next deadline. Tells whether it has ready already.
    fn poll_timer(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(next) = self.ctx.next_deadline() else { return false };
        if next.since(self.ctx.now) < SOON {
            // The timer would take longer.
            return true;
        }
        if self.armed.is_none_or(|armed| next < armed) {
            self.timer.as_mut().reset(Instant::now() + next.since(self.ctx.now).min(LONGEST));
            self.armed = Some(next);
        }
        let ready = self.timer.as_mut().poll(task).is_ready();
        if ready {
            self.armed = None;
        }
        ready
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(RunLoop);
    }
}

/// What the scheduler does all the time.
struct RunLoop;

impl ActorFuture<Scheduler> for RunLoop {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        scheduler: &mut Scheduler,
        _: &mut Context<Scheduler>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        scheduler.ctx.bells.listen(task.waker());
        let (clock, mut runnable, mut looked) = (scheduler.ctx.shared.clock, 0, 0);
        let begun = clock.now();
        while runnable < TURNS {
            // Looking at the clock takes as long as a turn.
            if runnable - looked >= BETWEEN_LOOKS || std::mem::take(&mut scheduler.ctx.has_saved) {
                looked = runnable;
                if clock.now().since(begun) >= SPAN {
                    break;
                }
            }
            match scheduler.step(task) {
                0 if scheduler.ctx.bells.sleep() => {
                    scheduler.ctx.rest();
                    return Poll::Pending;
                }
                taken => runnable += taken,
            }
        }
        // Others on the thread first: woken at once, this one would have many runnable more before them.
        let partial = std::pin::pin!(tokio::task::yield_now());
        if partial.poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// A neuron that is to get a body.
pub(in crate::actor) struct NewCell {
    pub(in crate::actor) neuron: Neuron,
    pub(in crate::actor) inbox: Inbox,
    pub(in crate::actor) startup: Startup,
}

/// To the scheduler: more neurons.
pub(in crate::actor) struct Spawn {
    pub(in crate::actor) cells: Vec<NewCell>,
    /// Others come after them, to whom these may want to speak: none of them is woken yet.
    pub(in crate::actor) more: bool,
}

impl Message for Spawn {
    type Result = ();
}

impl Handler<Spawn> for Scheduler {
    type Result = ();

    fn handle(&mut self, Spawn { cells, more }: Spawn, _: &mut Self::Context) {
        cells.into_iter().for_each(|newcomer| self.spawn(newcomer));
        self.awaits_more = more;
        self.ctx.bells.wake();
    }
}

/// To the scheduler: this neuron leaves. Its inbox is closed when that is answered, with the number of its life, if it was there.
pub(in crate::actor) struct Stop(pub(in crate::actor) NeuronId);

impl Message for Stop {
    type Result = Option<u32>;
}

impl Handler<Stop> for Scheduler {
    type Result = Option<u32>;

    fn handle(&mut self, Stop(id): Stop, _: &mut Self::Context) -> Option<u32> {
        let slot = self.ctx.find(&id)?;
        let life = self.bodies.get(slot as usize)?.as_ref()?.life();
        self.remove(slot);
        Some(life)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Mutex,
        task::{Context as TaskContext, Waker},
    };

    use super::*;
    use crate::{
        actor::{clock::Clock, scheduler::readiness::ReadinessBarrier},
        neuron::Config,
        signal::{Incarnation, Signal, SignalBody, StreamId},
        transport::{Address, BoxFuture, Guarantees, Sending, Transport, TransportError, TransportErrorKind},
    };

    /// A transport over which nobody is reached. It notes what it is given.
    #[derive(Debug, Default)]
    struct Nobody(Mutex<Vec<Envelope>>);

    impl Transport for Nobody {
        fn send(&self, envelope: Envelope) -> Sending {
            self.0.lock().unwrap().push(envelope);
            Sending::done(Err(TransportErrorKind::NoInbox.into()))
        }

        fn subscribe(&self, _: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
            Box::pin(async { Ok(inbox()) })
        }

        fn guarantees(&self) -> Guarantees {
            Guarantees::IN_PROCESS
        }

        fn is_direct(&self) -> bool {
            true
        }
    }

    fn inbox() -> Inbox {
        Inbox::new(futures_util::stream::pending())
    }

    fn step(scheduler: &mut Scheduler) {
        while scheduler.step(&mut TaskContext::from_waker(Waker::noop())) > 0 {}
    }

    #[test]
    fn what_is_at_hand_for_somebody_who_leaves_is_not_lost_silently() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let transport = Arc::new(Nobody::default());
        let shared = Rc::new(HostContext {
            transport: transport.clone(),
            is_direct: true,
            clock: Clock::start(),
            counters: Arc::default(),
            store: None,
            register: crate::actor::scheduler::context::RunningSet::default(),
            record: None,
        });
        let mut scheduler = Scheduler::new(shared.clone());
        let [a, b]: [NeuronId; 2] = ["a", "b"].map(|name| name.parse().unwrap());
        for id in [&a, &b] {
            let neuron = Neuron::start(id.clone(), Config::new(), Guarantees::IN_PROCESS, 1, shared.clock.now());
            let startup = Startup { barrier: ReadinessBarrier::of(1), fencing: None };
            scheduler.spawn(NewCell { neuron, inbox: inbox(), startup });
        }
        step(&mut scheduler);
        // b subscribes; what a states is at hand for b, and b leaves.
        let incarnation = Incarnation { number: 1, nonce: 1 };
        let stream = StreamId { incarnation, counter: 1 };
        let signal = Signal { incarnation, body: SignalBody::Subscribe { stream } };
        scheduler.ctx.outbox.hand().give(Place::of(0), Place::of(1), signal);
        let next =
            |scheduler: &Scheduler| scheduler.ctx.outbox.see_hand().and_then(|hand| Some(hand.next_turns(1).next()?.0));
        while next(&scheduler) != Some(1) {
            scheduler.step(&mut TaskContext::from_waker(Waker::noop()));
        }
        scheduler.remove(1);
        step(&mut scheduler);
        let sent = transport.0.lock().unwrap();
        let said: Vec<&SignalBody> = sent
            .iter()
            .filter_map(|envelope| match envelope {
                Envelope::Signal { from, to, signal } if *from == a && *to == b => Some(&signal.body),
                _ => None,
            })
            .collect();
        // It goes out over the transport; nobody is there, so a gives the stream up, and says so at once.
        assert!(matches!(said[..], [SignalBody::Changed { .. }, SignalBody::NoStream { .. }]), "{said:?}");
        assert!(shared.counters.read().undelivered >= 1);
    }
}
