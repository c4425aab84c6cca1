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
    cell::{Body, Starting},
    context::Shared,
    registry::Desk,
};
use crate::{
    id::NeuronId,
    neuron::{Input, Neuron, Place, Settings},
    tag::Time,
    transport::{Envelope, Inbox},
};

/// How many turns are taken before others on the thread have theirs.
const TURNS: usize = 512;
/// And after how long, because a turn may have to wait for a store.
const SPAN: Duration = Duration::from_millis(2);
/// After how many turns that is looked at, unless something has been saved.
const BETWEEN_LOOKS: usize = 64;
/// How many turns are taken at a time, and how many envelopes out of one inbox.
const AT_A_TIME: usize = 16;
/// So many neurons are usually still in the processor's caches when their turn comes again.
const IN_THE_CACHES: usize = 2048;
/// An alarm that is due so soon is waited for without a timer, whose hands move in milliseconds.
const SOON: Duration = Duration::from_micros(20);
/// The longest time that is waited for an alarm at once. Then it is looked anew.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(in crate::actor) struct Crew {
    /// Nobody ever takes the slot of another one: something may be at hand for it.
    bodies: Vec<Option<Box<Body>>>,
    /// What the last of them that came has been configured to.
    settings: Option<Arc<Settings>>,
    desk: Desk,
    /// Who has not been woken yet. All at once they would have more to say to each other than may be at hand.
    new: VecDeque<u32>,
    /// Who is to be told that somebody has left, and who that is.
    parted: VecDeque<(NeuronId, NeuronId)>,
    /// Nor is anybody woken before all have come who come together.
    awaits_more: bool,
    /// How many have something at hand that belongs to this round.
    at_hand: usize,
    timer: Pin<Box<Sleep>>,
    /// When the timer rings.
    armed: Option<Time>,
}

impl Crew {
    pub(in crate::actor) fn new(shared: Rc<Shared>) -> Self {
        let (bodies, new, timer) = (Vec::new(), VecDeque::new(), Box::pin(sleep(LONGEST)));
        Self {
            bodies,
            settings: None,
            desk: Desk::new(shared),
            new,
            parted: VecDeque::new(),
            awaits_more: false,
            at_hand: 0,
            timer,
            armed: None,
        }
    }

    /// Gives a neuron a body.
    fn embody(&mut self, Newcomer { mut neuron, inbox, starting }: Newcomer) {
        neuron.share_settings(&mut self.settings);
        let slot = u32::try_from(self.bodies.len()).expect("no host has four billion neurons");
        let bell = self.desk.bells.add(slot);
        self.desk.seat(neuron.id().clone(), slot, bell, neuron.inputs());
        self.desk.outbox.hand().set_inputs(Place::of(slot), neuron.waits_for());
        self.bodies.push(Some(Box::new(Body::new(slot, neuron, inbox, starting))));
        // From now on the bell rings; until then it has not, and there may be something already.
        self.read(slot);
        self.new.push_back(slot);
    }

    /// Has one body do something, if it is there. One that is gone then leaves.
    fn with(&mut self, slot: u32, turn: impl FnOnce(&mut Body, &mut Desk)) {
        let Some(place) = self.bodies.get_mut(slot as usize) else { return };
        let Some(body) = place else { return };
        turn(body, &mut self.desk);
        if body.is_gone() {
            self.remove(slot);
        } else if body.take_silence() {
            let (id, acquaintances) = (body.id().clone(), body.acquaintances());
            self.part(&id, slot, acquaintances);
        }
    }

    /// Somebody is with the others no longer. They are told later: that may make others leave.
    fn part(&mut self, id: &NeuronId, slot: u32, acquaintances: Vec<NeuronId>) {
        if self.desk.unseat(id, slot) {
            self.parted.extend(acquaintances.into_iter().map(|other| (other, id.clone())));
        }
    }

    /// Tells some of those whose acquaintances have left. Tells how many that were.
    fn tell_who_has_left(&mut self) -> usize {
        let count = self.parted.len().min(AT_A_TIME);
        for _ in 0..count {
            let Some((other, left)) = self.parted.pop_front() else { break };
            if let Some(slot) = self.desk.find(&other) {
                self.with(slot, |body, desk| body.is_left_by(&left, desk));
            }
        }
        count
    }

    fn remove(&mut self, slot: u32) {
        let Some(body) = self.bodies.get_mut(slot as usize).and_then(Option::take) else { return };
        let (id, acquaintances) = (body.id().clone(), body.acquaintances());
        self.desk.is_read(slot);
        body.leave(&mut self.desk);
        self.part(&id, slot, acquaintances);
    }

    /// Does something that is to be done. Tells how many turns that took; none if there is nothing.
    ///
    /// In rounds: what is at hand, and then what is in the inboxes whose bells were rung by then. What goes to a neuron whose bell
    /// is rung goes to its inbox, so nothing overtakes anything on its way to one neuron. At the end of a round those are woken
    /// who want to be.
    ///
    /// While neurons pass on what they hear, and nothing else happens, time stands still: a wave is one moment, however large the
    /// network is. If it went on, those who wait for the rest of the wave would ask where it is.
    fn work(&mut self, task: &mut TaskContext<'_>) -> usize {
        if !self.parted.is_empty() {
            return self.tell_who_has_left();
        }
        if self.at_hand == 0 {
            if let Some(slot) = self.desk.rung.pop_front() {
                return 1 + self.read(slot);
            }
            self.at_hand = self.desk.turns();
            let Desk { bells, rung, .. } = &mut self.desk;
            bells.take(rung);
            if self.at_hand == 0 || !self.desk.rung.is_empty() {
                return self.let_time_go_on(task);
            }
        }
        self.pass_on()
    }

    /// Wakes those who want to be woken by now. Tells how many turns that took; none if there is nothing else to be done either.
    fn let_time_go_on(&mut self, task: &mut TaskContext<'_>) -> usize {
        self.desk.read_clock();
        let turns = self.wake_the_new() + self.wake_whoever_wants(task);
        if turns == 0 && self.at_hand == 0 && self.desk.rung.is_empty() {
            return usize::from(self.has_rung(task));
        }
        turns.max(1)
    }

    /// Wakes some of those who have just come. Tells how many that were.
    fn wake_the_new(&mut self) -> usize {
        let count = if self.awaits_more { 0 } else { self.new.len().min(AT_A_TIME) };
        for _ in 0..count {
            if let Some(slot) = self.new.pop_front() {
                self.with(slot, |body, desk| body.give(Input::Wake, desk));
            }
        }
        count
    }

    /// Wakes those whose alarm is due, and those who wait for room. Tells how many that were.
    fn wake_whoever_wants(&mut self, task: &mut TaskContext<'_>) -> usize {
        let mut turns = 0;
        while turns < AT_A_TIME
            && let Some(slot) = self.desk.next_due()
        {
            self.with(slot, Body::wake);
            turns += 1;
        }
        // With a count of their own, or alarms would let nobody else have a turn.
        let most = turns + AT_A_TIME;
        while turns < most
            && let Poll::Ready(Some(handed_over)) = self.desk.waiting.poll_next_unpin(task)
        {
            self.with(handed_over.slot, |body, desk| body.there_is_room(handed_over, desk));
            turns += 1;
        }
        turns
    }

    /// Gives neurons what is at hand for them. Tells how much that was.
    fn pass_on(&mut self) -> usize {
        if self.bodies.len() > IN_THE_CACHES {
            self.glance();
        }
        let mut heard = 0;
        for _ in 0..self.at_hand.min(AT_A_TIME) {
            let Some(slot) = self.desk.outbox.hand().next_turn() else {
                self.at_hand = 0;
                break;
            };
            self.at_hand -= 1;
            if self.desk.is_rung(slot) {
                // Whoever is outside does not know how busy it is here inside, and comes first.
                heard += self.read(slot);
            }
            heard += self.hear(slot);
            if heard >= BETWEEN_LOOKS {
                break;
            }
        }
        heard.max(1)
    }

    /// Gives somebody what is at hand for it. Tells how much that was.
    fn hear(&mut self, slot: u32) -> usize {
        let mut heard = 0;
        if self.bodies[slot as usize].is_some() {
            self.with(slot, |body, desk| heard = body.hear_from_beside(desk));
        } else {
            heard = self.redirect(slot);
        }
        self.desk.outbox.hand().leave(slot);
        heard
    }

    /// Looks at those whose turns come next, at all of them together: the processor waits for the memory of sixteen hardly longer than
    /// for that of one.
    fn glance(&self) {
        let turns = self.desk.outbox.see_hand().into_iter().flat_map(|hand| hand.next_turns(AT_A_TIME));
        let bodies = turns.filter_map(|(slot, signal)| Some((self.bodies[slot as usize].as_ref()?, signal)));
        std::hint::black_box(bodies.fold(0, |seen, (body, signal)| seen ^ body.glance(signal)));
    }

    /// Somebody has left for whom something was at hand. There may be another one of this name by now. Tells how much that was.
    fn redirect(&mut self, slot: u32) -> usize {
        let to = self.desk.name(slot).clone();
        let mut count = 0;
        while let Some((from_slot, signal)) = self.desk.outbox.hand().next_for(slot) {
            count += 1;
            let (from, to) = (self.desk.name(from_slot).clone(), to.clone());
            if let Some(sender) = self.desk.find(&from) {
                self.with(sender, |body, desk| body.hand_over_anew(Envelope::Signal { from, to, signal }, desk));
            } else {
                self.desk.shared.counters.count_undelivered();
            }
        }
        count
    }

    /// Brings what is in an inbox. Tells how much that was.
    fn read(&mut self, slot: u32) -> usize {
        for count in 0..AT_A_TIME {
            let Some(Some(body)) = self.bodies.get_mut(slot as usize) else { return count };
            match body.next(&self.desk) {
                Poll::Ready(Some(envelope)) => {
                    // Sixteen turns take microseconds, unless something is saved; looking at the clock takes as long as half a turn.
                    if count == 0 || self.desk.has_saved {
                        self.desk.read_clock();
                    }
                    self.with(slot, |body, desk| body.take(envelope, desk));
                }
                Poll::Ready(None) => {
                    self.remove(slot);
                    return count;
                }
                Poll::Pending => {
                    self.desk.is_read(slot);
                    return count;
                }
            }
        }
        // There may be more.
        if let Some(Some(_)) = self.bodies.get(slot as usize) {
            self.desk.bell(slot).wake_by_ref();
        }
        AT_A_TIME
    }

    /// Sets the timer to the next alarm. Tells whether it has rung already.
    fn has_rung(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(next) = self.desk.next_alarm() else { return false };
        if next.since(self.desk.now) < SOON {
            // The timer would take longer.
            return true;
        }
        if self.armed.is_none_or(|armed| next < armed) {
            self.timer.as_mut().reset(Instant::now() + next.since(self.desk.now).min(LONGEST));
            self.armed = Some(next);
        }
        let rung = self.timer.as_mut().poll(task).is_ready();
        if rung {
            self.armed = None;
        }
        rung
    }
}

impl Actor for Crew {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(Work);
    }
}

/// What the crew does all the time.
struct Work;

impl ActorFuture<Crew> for Work {
    type Output = ();

    fn poll(self: Pin<&mut Self>, crew: &mut Crew, _: &mut Context<Crew>, task: &mut TaskContext<'_>) -> Poll<()> {
        crew.desk.bells.listen(task.waker());
        let (clock, mut turns, mut looked) = (crew.desk.shared.clock, 0, 0);
        let begun = clock.now();
        while turns < TURNS {
            // Looking at the clock takes as long as a turn.
            if turns - looked >= BETWEEN_LOOKS || std::mem::take(&mut crew.desk.has_saved) {
                looked = turns;
                if clock.now().since(begun) >= SPAN {
                    break;
                }
            }
            match crew.work(task) {
                0 if crew.desk.bells.sleep() => {
                    crew.desk.rest();
                    return Poll::Pending;
                }
                taken => turns += taken,
            }
        }
        // Others on the thread first: woken at once, this one would have many turns more before them.
        let others = std::pin::pin!(tokio::task::yield_now());
        if others.poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// A neuron that is to get a body.
pub(in crate::actor) struct Newcomer {
    pub(in crate::actor) neuron: Neuron,
    pub(in crate::actor) inbox: Inbox,
    pub(in crate::actor) starting: Starting,
}

/// To the crew: more neurons.
pub(in crate::actor) struct Embody {
    pub(in crate::actor) newcomers: Vec<Newcomer>,
    /// Others come after them, to whom these may want to speak: none of them is woken yet.
    pub(in crate::actor) more: bool,
}

impl Message for Embody {
    type Result = ();
}

impl Handler<Embody> for Crew {
    type Result = ();

    fn handle(&mut self, Embody { newcomers, more }: Embody, _: &mut Self::Context) {
        newcomers.into_iter().for_each(|newcomer| self.embody(newcomer));
        self.awaits_more = more;
        self.desk.bells.wake();
    }
}

/// To the crew: this neuron leaves. Its inbox is closed when that is answered, with the number of its life, if it was there.
pub(in crate::actor) struct Dismiss(pub(in crate::actor) NeuronId);

impl Message for Dismiss {
    type Result = Option<u32>;
}

impl Handler<Dismiss> for Crew {
    type Result = Option<u32>;

    fn handle(&mut self, Dismiss(id): Dismiss, _: &mut Self::Context) -> Option<u32> {
        let slot = self.desk.find(&id)?;
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
        actor::{clock::Clock, scheduler::readiness::Launch},
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

    fn work(crew: &mut Crew) {
        while crew.work(&mut TaskContext::from_waker(Waker::noop())) > 0 {}
    }

    #[test]
    fn what_is_at_hand_for_somebody_who_leaves_is_not_lost_silently() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _inside = runtime.enter();
        let transport = Arc::new(Nobody::default());
        let shared = Rc::new(Shared {
            transport: transport.clone(),
            is_direct: true,
            clock: Clock::start(),
            counters: Arc::default(),
            store: None,
            register: crate::actor::scheduler::context::Register::default(),
            record: None,
        });
        let mut crew = Crew::new(shared.clone());
        let [a, b]: [NeuronId; 2] = ["a", "b"].map(|name| name.parse().unwrap());
        for id in [&a, &b] {
            let neuron = Neuron::start(id.clone(), Config::new(), Guarantees::IN_PROCESS, 1, shared.clock.now());
            let starting = Starting { launch: Launch::of(1), neighbours: None };
            crew.embody(Newcomer { neuron, inbox: inbox(), starting });
        }
        work(&mut crew);
        // b subscribes; what a states is at hand for b, and b leaves.
        let incarnation = Incarnation { number: 1, nonce: 1 };
        let stream = StreamId { incarnation, counter: 1 };
        let signal = Signal { incarnation, body: SignalBody::Subscribe { stream } };
        crew.desk.outbox.hand().give(Place::of(0), Place::of(1), signal);
        let next = |crew: &Crew| crew.desk.outbox.see_hand().and_then(|hand| Some(hand.next_turns(1).next()?.0));
        while next(&crew) != Some(1) {
            crew.work(&mut TaskContext::from_waker(Waker::noop()));
        }
        crew.remove(1);
        work(&mut crew);
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
