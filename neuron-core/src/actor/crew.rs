//! The actor that gives the neurons of a host their bodies: it brings each what comes for it, and wakes it when it wants to be woken.
//!
//! One actor for all of them, so that what they say to each other takes no way through a mailbox: over a transport that has nothing
//! to add ([`Transport::is_direct`](crate::transport::Transport::is_direct)) it goes from hand to hand.

use std::{
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake as _, Waker},
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, Message, fut::ActorFuture};
use futures_util::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    bells::Bells,
    body::{Body, Starting},
    desk::Desk,
    start::Shared,
};
use crate::{
    id::NeuronId,
    neuron::{Input, Neuron},
    tag::Time,
    transport::Inbox,
};

/// How many turns are taken before others on the thread have theirs.
const TURNS: usize = 512;
/// How many turns are taken at one reading of the clock, and how many envelopes out of one inbox.
const AT_A_TIME: usize = 16;
/// The longest time that is waited for an alarm at once. Then it is looked anew.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Crew {
    /// Nobody ever takes the slot of another one: something may be at hand for it.
    bodies: Vec<Option<Box<Body>>>,
    desk: Desk,
    bells: Arc<Bells>,
    /// Whose bells were rung when this round began.
    rung: VecDeque<u32>,
    /// How many inputs at hand belong to this round.
    at_hand: usize,
    timer: Pin<Box<Sleep>>,
    /// When the timer rings.
    armed: Option<Time>,
}

impl Crew {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let (bodies, bells, timer) = (Vec::new(), Arc::default(), Box::pin(sleep(LONGEST)));
        let (rung, at_hand) = (VecDeque::new(), 0);
        Self { bodies, desk: Desk::new(shared), bells, rung, at_hand, timer, armed: None }
    }

    /// Gives a neuron a body.
    fn embody(&mut self, Newcomer { neuron, inbox, starting }: Newcomer) {
        let slot = u32::try_from(self.bodies.len()).expect("no host has four billion neurons");
        self.desk.seat(neuron.id().clone(), slot);
        let bell = self.bells.add(slot);
        bell.wake_by_ref();
        self.bodies.push(Some(Box::new(Body::new(slot, neuron, inbox, bell, starting))));
        self.desk.give(slot, Input::Wake);
    }

    /// Has one body do something, if it is there. One that is gone then leaves.
    fn with(&mut self, slot: u32, turn: impl FnOnce(&mut Body, &mut Desk)) {
        let Some(place) = self.bodies.get_mut(slot as usize) else { return };
        let Some(body) = place else { return };
        turn(body, &mut self.desk);
        if body.is_gone() {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        if let Some(body) = self.bodies.get_mut(slot as usize).and_then(Option::take) {
            body.leave(&mut self.desk);
        }
    }

    /// Does something that is to be done. Tells how many turns that took; none if there is nothing.
    ///
    /// In rounds: what is in the inboxes, and then what is at hand by then. So nothing overtakes what has waited for long.
    fn work(&mut self, task: &mut TaskContext<'_>) -> usize {
        self.desk.now = self.desk.shared.clock.now();
        if self.at_hand > 0 {
            return self.pass_on();
        }
        if let Some(slot) = self.rung.pop_front() {
            let turns = 1 + self.read(slot);
            if self.rung.is_empty() {
                self.at_hand = self.desk.len();
            }
            return turns;
        }
        self.bells.take(&mut self.rung);
        self.at_hand = self.desk.len();
        if self.at_hand > 0 || !self.rung.is_empty() {
            return 1;
        }
        if let Poll::Ready(Some(handed_over)) = self.desk.waiting.poll_next_unpin(task) {
            self.with(handed_over.slot, |body, desk| body.there_is_room(handed_over, desk));
            return 1;
        }
        if let Some(slot) = self.desk.next_due() {
            self.with(slot, Body::wake);
            return 1;
        }
        usize::from(self.has_rung(task))
    }

    /// Gives neurons what is at hand for them. Tells how much that was.
    fn pass_on(&mut self) -> usize {
        let count = self.at_hand.min(AT_A_TIME);
        for _ in 0..count {
            if let Some((slot, input)) = self.desk.next() {
                self.with(slot, |body, desk| body.give(input, desk));
            }
        }
        self.at_hand -= count;
        count
    }

    /// Brings what is in an inbox. Tells how much that was.
    fn read(&mut self, slot: u32) -> usize {
        for count in 0..AT_A_TIME {
            let Some(Some(body)) = self.bodies.get_mut(slot as usize) else { return count };
            match body.next() {
                Poll::Ready(Some(envelope)) => self.with(slot, |body, desk| body.take(envelope, desk)),
                Poll::Ready(None) => {
                    self.remove(slot);
                    return count;
                }
                Poll::Pending => return count,
            }
        }
        if let Some(Some(body)) = self.bodies.get(slot as usize) {
            body.look_again();
        }
        AT_A_TIME
    }

    /// Sets the timer to the next alarm. Tells whether it has rung already.
    fn has_rung(&mut self, task: &mut TaskContext<'_>) -> bool {
        let Some(next) = self.desk.next_alarm() else { return false };
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
        crew.bells.listen(task.waker());
        let mut turns = 0;
        while turns < TURNS {
            match crew.work(task) {
                0 => return Poll::Pending,
                taken => turns += taken,
            }
        }
        Waker::wake_by_ref(task.waker());
        Poll::Pending
    }
}

/// A neuron that is to get a body.
pub(super) struct Newcomer {
    pub(super) neuron: Neuron,
    pub(super) inbox: Inbox,
    pub(super) starting: Starting,
}

/// To the crew: more neurons.
pub(super) struct Embody(pub(super) Vec<Newcomer>);

impl Message for Embody {
    type Result = ();
}

impl Handler<Embody> for Crew {
    type Result = ();

    fn handle(&mut self, Embody(newcomers): Embody, _: &mut Self::Context) {
        newcomers.into_iter().for_each(|newcomer| self.embody(newcomer));
    }
}

/// To the crew: this neuron leaves. Its inbox is closed when that is answered, with the number of its life, if it was there.
pub(super) struct Dismiss(pub(super) NeuronId);

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
