//! The two neurons, and the messages between them.

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
/// The neuron whose input is `a`.
pub(crate) const B: usize = 1;

/// The true time at the start: late enough that clocks can be behind.
const START: Time = Time::from_micros(1_000_000_000);
/// The hold of a stimulus: it lasts until another one ends it.
const AGES: Duration = Duration::from_secs(3600);
/// Longer than the longest pause between two attempts of a neuron, and than a clock is behind.
const QUIET: Duration = Duration::from_secs(6);
/// The most quiet periods until the neurons settle: a minute without a fault.
const MAX_QUIETS: u32 = 10;
/// The most messages that arrive at one time: a hundred times what is normal.
const MAX_ARRIVALS: usize = 10_000;

/// A state. It shares unchanged nodes with the state before it.
#[derive(Clone)]
pub(crate) struct World {
    /// The configurations of the neurons.
    pub(crate) setup: Rc<BTreeMap<NeuronId, Config>>,
    pub(crate) nodes: [Rc<Node>; 2],
    /// The fingerprints of the nodes.
    prints: [u64; 2],
    pub(crate) under_way: Vec<Message>,
    pub(crate) left: Budget,
    pub(crate) now: Time,
    /// The number of signals that were sent, without renewals.
    sent: usize,
}

/// A signal under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) to: usize,
    pub(crate) signal: Signal,
}

/// How often each action may still happen. Arrivals, wake-ups and restarts are free.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Budget {
    pub(crate) stimuli: u8,
    pub(crate) queries: u8,
    pub(crate) losses: u8,
    pub(crate) duplicates: u8,
    pub(crate) crashes: u8,
    pub(crate) outages: u8,
}

impl Budget {
    pub(crate) const NOTHING: Self = Self { stimuli: 0, queries: 0, losses: 0, duplicates: 0, crashes: 0, outages: 0 };
}

impl World {
    /// Returns a world in which neither neuron has been started, with this configuration of `b`.
    pub(crate) fn new(b: Config) -> Self {
        let ids = ["a", "b"].map(|id| id.parse::<NeuronId>().expect("it is a name"));
        Self {
            nodes: ids.clone().map(|id| Rc::new(Node::new(id))),
            setup: Rc::new(ids.into_iter().zip([Config::new().hold(AGES), b]).collect()),
            prints: [0; 2],
            under_way: Vec::new(),
            left: Budget::NOTHING,
            now: START,
            sent: 0,
        }
    }

    /// Returns the same world with a new budget.
    pub(crate) fn with(mut self, budget: Budget) -> Self {
        self.left = budget;
        self.prints = [A, B].map(|who| print(&self.nodes[who]));
        self
    }

    /// Returns a fingerprint. States with the same future have the same one: the order of sending
    /// does not count, because messages arrive in any order.
    pub(crate) fn fingerprint(&self) -> u64 {
        let under_way = self.under_way.iter().map(print).fold(0, u64::wrapping_add);
        let mut hasher = DefaultHasher::new();
        (self.prints, under_way, self.left, self.now).hash(&mut hasher);
        hasher.finish()
    }

    /// Updates the fingerprints of the nodes that have changed since `before`.
    pub(crate) fn update_prints(&mut self, before: &Self) {
        for who in [A, B] {
            if !Rc::ptr_eq(&self.nodes[who], &before.nodes[who]) {
                self.prints[who] = print(&self.nodes[who]);
            }
        }
    }

    /// Returns a node for a change.
    pub(crate) fn node(&mut self, who: usize) -> &mut Node {
        Rc::make_mut(&mut self.nodes[who])
    }

    /// Starts an incarnation of a neuron. Its first outputs are still to be carried out.
    pub(crate) fn start(&mut self, who: usize, behind: Duration) {
        let setup = Rc::clone(&self.setup);
        let now = self.now;
        let node = self.node(who);
        node.start(&setup[&node.id], behind, now);
    }

    /// Starts all neurons that are down.
    pub(crate) fn start_all(&mut self) {
        for who in [A, B] {
            if !self.nodes[who].is_up() {
                self.start(who, Duration::ZERO);
                self.carry_out(who, Power::Stays);
            }
        }
    }

    /// Removes a message that is under way.
    pub(crate) fn take(&mut self, message: &Message) {
        let index = self.under_way.iter().position(|other| other == message).expect("it is under way");
        self.under_way.remove(index);
    }

    pub(crate) fn arrive(&mut self, message: &Message) {
        self.take(message);
        let from = self.nodes[message.from()].id.clone();
        self.give(message.to, Input::Signal { from, signal: message.signal.clone() });
    }

    /// Advances the time to the wake-up time of a neuron, and wakes it.
    pub(crate) fn wake(&mut self, who: usize) {
        self.now = self.nodes[who].wakes_at().map_or(self.now, |at| at.max(self.now));
        self.give(who, Input::Wake);
    }

    pub(crate) fn give(&mut self, who: usize, input: Input) {
        let now = self.now;
        self.node(who).give(input, now);
    }

    /// Carries out the outputs of a neuron and returns their number.
    pub(crate) fn carry_out(&mut self, who: usize, power: Power) -> usize {
        let (done, sent) = self.node(who).carry_out(power);
        let sent = sent.into_iter().map(|signal| Message { to: 1 - who, signal });
        self.under_way.extend(sent.inspect(|message| self.sent += usize::from(!message.is_renewal())));
        done
    }

    /// Returns the next wake-up time and its neuron; one of them if both are due at that time.
    pub(crate) fn next_to_wake(&self) -> Option<(Time, usize)> {
        [A, B].into_iter().filter_map(|who| Some((self.nodes[who].wakes_at()?.max(self.now), who))).min()
    }

    /// Advances the time by `span`. `carry` handles the messages under way after each wake-up.
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

    /// Delivers all messages under way, and all that are sent in answer to them.
    ///
    /// # Panics
    /// If there is no end to them.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..MAX_ARRIVALS {
            let Some(message) = self.under_way.first().cloned() else { return };
            self.arrive(&message);
            self.carry_out(message.to, Power::Stays);
        }
        panic!("messages go to and fro without end");
    }

    /// Advances the time without a fault until only renewals are sent.
    ///
    /// # Panics
    /// If that takes too long.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MAX_QUIETS {
            let sent = self.sent;
            self.pass(QUIET, Self::deliver);
            if self.sent == sent {
                return;
            }
        }
        panic!("after {:?} without a fault there are still signals", QUIET * MAX_QUIETS);
    }
}

impl Message {
    pub(crate) fn from(&self) -> usize {
        1 - self.to
    }

    /// Returns whether this may be a renewal, which is sent for as long as a level lasts.
    fn is_renewal(&self) -> bool {
        matches!(self.signal.body, SignalBody::Nothing { wave: false, .. })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signal { incarnation, body } = &self.signal;
        write!(f, "from {} in incarnation {}: {body:?}", ["a", "b"][self.from()], incarnation.number)
    }
}

/// Returns a fingerprint of the `Debug` form of a value.
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
