//! The two neurons, and what is under way between them.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    fmt::{self, Debug, Write},
    hash::{Hash, Hasher},
    rc::Rc,
    time::Duration,
};

use neuron_core::{
    NeuronId, Time,
    neuron::{Config, Input},
    signal::{Signal, SignalBody},
};

use crate::node::{Node, Power};

/// The source.
pub(crate) const A: usize = 0;
/// The one that listens to it.
pub(crate) const B: usize = 1;

/// Late enough that clocks can be behind.
const START: Time = Time::from_micros(1_000_000_000);
/// A stimulus lasts until another one ends it.
const AGES: Duration = Duration::from_secs(3600);
/// Longer than the longest pause between two attempts of a neuron at anything, and than a clock is behind.
const QUIET: Duration = Duration::from_secs(6);
/// After a minute without a fault nothing must be left to say.
const MAX_QUIETS: u32 = 10;
/// A hundred times what arrives at one time.
const MAX_ARRIVALS: usize = 10_000;

/// A state. It shares the nodes that have not changed with the state before it.
#[derive(Clone)]
pub(crate) struct World {
    /// How the neurons are configured.
    pub(crate) setup: Rc<BTreeMap<NeuronId, Config>>,
    pub(crate) nodes: [Rc<Node>; 2],
    /// The fingerprints of the nodes.
    prints: [u64; 2],
    pub(crate) under_way: Vec<Message>,
    pub(crate) left: Budget,
    pub(crate) now: Time,
    /// Counts the signals that told more than that all is as it was.
    talk: usize,
}

/// A signal under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) to: usize,
    pub(crate) signal: Signal,
}

/// What may still happen, and how often. Arrivals, wake-ups and restarts cost nothing.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Budget {
    pub(crate) stimuli: u8,
    pub(crate) questions: u8,
    pub(crate) losses: u8,
    pub(crate) doubles: u8,
    pub(crate) crashes: u8,
    pub(crate) outages: u8,
}

impl Budget {
    pub(crate) const NOTHING: Self = Self { stimuli: 0, questions: 0, losses: 0, doubles: 0, crashes: 0, outages: 0 };
}

impl World {
    /// Neither neuron has been started yet. `b` is to be configured like this.
    pub(crate) fn new(b: Config) -> Self {
        let ids = ["a", "b"].map(|id| id.parse::<NeuronId>().expect("it is a name"));
        Self {
            nodes: ids.clone().map(|id| Rc::new(Node::new(id))),
            setup: Rc::new(ids.into_iter().zip([Config::new().hold(AGES), b]).collect()),
            prints: [0; 2],
            under_way: Vec::new(),
            left: Budget::NOTHING,
            now: START,
            talk: 0,
        }
    }

    /// The same world, in which this much may happen from now on.
    pub(crate) fn with(mut self, budget: Budget) -> Self {
        self.left = budget;
        self.prints = [A, B].map(|who| print(&self.nodes[who]));
        self
    }

    /// The same for states that have the same future: in which order messages were sent makes no difference, they arrive in
    /// any.
    pub(crate) fn fingerprint(&self) -> u64 {
        let under_way = self.under_way.iter().map(print).fold(0, u64::wrapping_add);
        let mut hasher = DefaultHasher::new();
        (self.prints, under_way, self.left, self.now).hash(&mut hasher);
        hasher.finish()
    }

    /// Takes the fingerprints of the nodes that are not as they were.
    pub(crate) fn compare(&mut self, before: &Self) {
        for who in [A, B] {
            if !Rc::ptr_eq(&self.nodes[who], &before.nodes[who]) {
                self.prints[who] = print(&self.nodes[who]);
            }
        }
    }

    /// A node, to be changed.
    pub(crate) fn node(&mut self, who: usize) -> &mut Node {
        Rc::make_mut(&mut self.nodes[who])
    }

    /// Begins a life of a neuron. What it wants done first is still to be carried out.
    pub(crate) fn start(&mut self, who: usize, behind: Duration) {
        let (setup, now) = (Rc::clone(&self.setup), self.now);
        let node = self.node(who);
        node.start(&setup[&node.id], behind, now);
    }

    /// Whoever is down comes back.
    pub(crate) fn start_all(&mut self) {
        for who in [A, B] {
            if !self.nodes[who].is_up() {
                self.start(who, Duration::ZERO);
                self.carry_out(who, Power::Stays);
            }
        }
    }

    /// Takes away a message that is under way.
    pub(crate) fn take(&mut self, message: &Message) {
        let index = self.under_way.iter().position(|other| other == message).expect("it is under way");
        self.under_way.remove(index);
    }

    pub(crate) fn arrive(&mut self, message: &Message) {
        self.take(message);
        let from = self.nodes[message.from()].id.clone();
        self.give(message.to, Input::Signal { from, signal: message.signal.clone() });
    }

    /// Time passes until a neuron wants to be woken.
    pub(crate) fn wake(&mut self, who: usize) {
        self.now = self.nodes[who].wakes_at().map_or(self.now, |at| at.max(self.now));
        self.give(who, Input::Wake);
    }

    pub(crate) fn give(&mut self, who: usize, input: Input) {
        let now = self.now;
        self.node(who).give(input, now);
    }

    /// Carries out what a neuron wants done, and tells how many things that was.
    pub(crate) fn carry_out(&mut self, who: usize, power: Power) -> usize {
        let (done, sent) = self.node(who).carry_out(power);
        let sent = sent.into_iter().map(|signal| Message { to: 1 - who, signal });
        self.under_way.extend(sent.inspect(|message| self.talk += usize::from(!message.is_sign_of_life())));
        done
    }

    /// Who is to be woken next, and when. If that is both, only one is told.
    pub(crate) fn next_to_wake(&self) -> Option<(Time, usize)> {
        [A, B].into_iter().filter_map(|who| Some((self.nodes[who].wakes_at()?.max(self.now), who))).min()
    }

    /// Time passes; whenever something has happened, `carry` sees to what is under way.
    pub(crate) fn pass(&mut self, span: Duration, carry: impl Fn(&mut Self)) {
        let end = self.now.after(span);
        carry(self);
        while let Some((_, who)) = self.next_to_wake().filter(|(at, _)| *at <= end) {
            self.wake(who);
            self.carry_out(who, Power::Stays);
            carry(self);
        }
        self.now = end;
    }

    /// Everything arrives that is under way, and all that is said in answer to it.
    ///
    /// # Panics
    /// When there is no end to it.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..MAX_ARRIVALS {
            let Some(message) = self.under_way.first().cloned() else { return };
            self.arrive(&message);
            self.carry_out(message.to, Power::Stays);
        }
        panic!("messages go to and fro without end");
    }

    /// Time passes without a fault, until nothing more is said than that all is as it was.
    ///
    /// # Panics
    /// When that takes too long.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MAX_QUIETS {
            let talk = self.talk;
            self.pass(QUIET, Self::deliver);
            if self.talk == talk {
                return;
            }
        }
        panic!("after {:?} without a fault there is still something to say", QUIET * MAX_QUIETS);
    }
}

impl Message {
    pub(crate) fn from(&self) -> usize {
        1 - self.to
    }

    /// Whether it may be one of those that go on for as long as a level lasts.
    fn is_sign_of_life(&self) -> bool {
        matches!(self.signal.body, SignalBody::Nothing { wave: false, .. })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signal { incarnation, body } = &self.signal;
        write!(f, "from {} in life {}: {body:?}", ["a", "b"][self.from()], incarnation.number)
    }
}

/// A fingerprint of everything that can be seen of a value.
fn print(value: &impl Debug) -> u64 {
    struct Ink(DefaultHasher);

    impl Write for Ink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }

    let mut ink = Ink(DefaultHasher::new());
    write!(ink, "{value:?}").expect("a hasher takes everything");
    ink.0.finish()
}
