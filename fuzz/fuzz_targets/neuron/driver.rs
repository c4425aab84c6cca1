//! Lets a scenario happen.

use std::{collections::VecDeque, fmt::Debug, sync::LazyLock};

use neuron_core::{
    NeuronId, Tag, Time,
    command::{Answer, Report, Request},
    neuron::{Config, Input, Neuron, Output, Saved},
    signal::Signal,
    transport::Guarantees,
};
use neuron_fuzz::memory::{Meter, in_use};

use crate::{
    judge::Judge,
    orders::{Floor, Order},
    peer::Peers,
    pick::{Controller, Marks, Name, Times},
    scenario::{Given, Numbered, Scenario, Setup, Step, Store, Then},
};

/// The most inputs of one scenario. Enough to come to any limit of a neuron, and then some.
const MAX_INPUTS: u32 = 6_000;
/// The most that a neuron may want done after one input.
const MAX_OUTPUTS: usize = 20_000;
/// The most memory that a neuron may hold, and what drives it: far more than all its limits together allow.
const MAX_HELD: usize = 64 << 20;
/// After so many more it has reached every limit that it can reach with the same few steps.
const INPUTS_TO_THE_LIMITS: u32 = 20_000;
/// How much it may grow by whenever that has happened twice as often: less than if it kept a tag and a number of each.
const MAX_GROWTH: usize = 128 << 10;
/// How often a neuron is woken while time passes. Then whatever runs it is held up.
const MAX_WAKES: u32 = 20;
/// How often a neuron may want to be woken at one and the same time.
const MAX_WAKES_AT_ONCE: u32 = 10;
/// How many messages that nobody holds up arrive before something else happens.
const MAX_ARRIVALS: u32 = 64;
/// How many tickets are remembered.
const MAX_FLOORS: usize = 8;

/// How often two neurons may answer each other before anything else happens.
const MAX_TURNS: u32 = 20;

/// A message that nobody holds up.
struct Arrival {
    from: NeuronId,
    signal: Signal,
    turns: u32,
}

/// A neuron, and everything around it.
pub struct Driver {
    carrier: Guarantees,
    config: Config,
    neuron: Neuron,
    stored: Option<Saved>,
    now: Time,
    nonce: u32,
    peers: Peers,
    /// What the neuron has said to itself, and what it was answered, and has not heard yet.
    on_the_way: VecDeque<Arrival>,
    /// How many answers led to what is being heard, each to the one before.
    turns: u32,
    requests: u64,
    floors: Vec<Floor>,
    judge: Judge,
    inputs: u32,
    meter: Meter,
}

impl Driver {
    pub fn start(setup: &Setup) -> Self {
        let meter = Meter::begin();
        let (carrier, config, now) = (setup.carrier(), setup.config(), setup.begins.0);
        let mut neuron = Neuron::start(Name::Itself.id(), config.clone(), carrier, 0, now);
        neuron.keep_record();
        let judge = Judge::new(setup.loses, &neuron);
        let mut driver = Self {
            carrier,
            config,
            neuron,
            stored: None,
            now,
            nonce: 0,
            peers: Peers::new(setup.obliging),
            on_the_way: VecDeque::new(),
            turns: 0,
            requests: 0,
            floors: Vec::new(),
            judge,
            inputs: 0,
            meter,
        };
        driver.carry_out(usize::MAX);
        driver
    }

    pub fn go_through(mut self, scenario: &Scenario) {
        let Scenario { steps, again, .. } = scenario;
        for step in steps {
            if self.inputs >= MAX_INPUTS {
                break;
            }
            self.take(step);
        }
        self.go_on_with(&steps[steps.len().saturating_sub(*again)..]);
        tell(self.now, "==", &self.neuron.counters());
    }

    /// Lets the same things happen again and again. Once every limit has been reached the neuron must not grow. A queue that
    /// was long once keeps its room, so growing once is not held against it.
    fn go_on_with(&mut self, steps: &[Step]) {
        self.repeat(steps, INPUTS_TO_THE_LIMITS);
        let grown = self.growth(steps, INPUTS_TO_THE_LIMITS).min(self.growth(steps, 2 * INPUTS_TO_THE_LIMITS));
        assert!(grown <= MAX_GROWTH, "it has grown by {grown} bytes while the same happened again and again");
    }

    fn growth(&mut self, steps: &[Step], inputs: u32) -> usize {
        let before = in_use();
        self.repeat(steps, inputs);
        in_use().saturating_sub(before)
    }

    fn repeat(&mut self, steps: &[Step], inputs: u32) {
        let end = self.inputs + inputs;
        for _ in 0..inputs {
            for step in steps {
                if self.inputs >= end {
                    return;
                }
                self.take(step);
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass(span) => self.pass(self.now.after(span.0)),
            Step::HoldUp(span) => self.now = self.now.after(span.0),
            Step::Give { times: Times(times), what, then } => (0..times).for_each(|_| self.give(what, then)),
        }
    }

    /// Lets time pass, and wakes the neuron when it wants to be.
    fn pass(&mut self, end: Time) {
        let mut at_once = 0;
        for _ in 0..MAX_WAKES {
            let Some(wake) = self.neuron.wake_at().filter(|wake| *wake <= end) else { break };
            at_once = if wake > self.now { 0 } else { at_once + 1 };
            let too_often = at_once > MAX_WAKES_AT_ONCE;
            assert!(!too_often, "it wants to be woken at {:?} again and again", self.now);
            self.now = self.now.max(wake);
            self.handle(Input::Wake, Then::CarryOut);
        }
        self.now = end;
    }

    fn give(&mut self, what: Given, then: Then) {
        let input = match what {
            Given::Wake => Input::Wake,
            Given::Undelivered(to) => Input::Undelivered { to: to.0.id() },
            Given::Signal { from, life, says } => {
                let marks = self.marks();
                let signal = self.peers.of(from).say(life, says, &self.neuron, marks);
                Input::Signal { from: from.0.id(), signal }
            }
            Given::Request { from, number, order } => self.request(from, number, order),
        };
        self.handle(input, then);
    }

    fn request(&mut self, from: Controller, number: Numbered, order: Order) -> Input {
        let id = match number {
            Numbered::Next => {
                self.requests += 1;
                self.requests
            }
            Numbered::Again(back) => self.requests.saturating_sub(back.into()),
        };
        let (from, command) = order.command(from, &self.floors, &self.marks());
        Input::Request { from: from.id(), request: Request { id, command } }
    }

    fn marks(&self) -> Marks {
        let frontier = self.neuron.complete_through();
        Marks { now: self.now, said: frontier, frontier }
    }

    /// Gives the neuron an input, and after that what is on the way to it.
    fn handle(&mut self, input: Input, then: Then) {
        self.take_turn(input, then);
        for _ in 0..MAX_ARRIVALS {
            let Some(Arrival { from, signal, turns }) = self.on_the_way.pop_front() else { break };
            assert!(turns <= MAX_TURNS, "it talks to {from} in circles: {signal:?}");
            self.turns = turns;
            self.take_turn(Input::Signal { from, signal }, Then::CarryOut);
        }
        self.turns = 0;
    }

    fn take_turn(&mut self, input: Input, then: Then) {
        self.inputs += 1;
        match &input {
            Input::Signal { from, signal } => self.judge.told(from, &signal.body),
            Input::Request { from, request } => self.judge.asked(from, request),
            Input::Undelivered { .. } | Input::Wake => {}
        }
        tell(self.now, "<-", &input);
        self.neuron.handle(input, self.now);
        match then {
            Then::Restart => self.restart(),
            Then::CarryOut => self.carry_out(usize::MAX),
            Then::Crash { after, store } => {
                self.carry_out(after.into());
                self.crash(store);
            }
        }
        tell(self.now, "==", &(self.neuron.complete_through(), self.neuron.wake_at()));
        self.judge.look_at(&self.neuron, self.now);
        let held = self.meter.peak();
        assert!(held <= MAX_HELD, "{held} bytes are held after {} inputs", self.inputs);
    }

    /// Does what the neuron wants done, up to so much of it.
    fn carry_out(&mut self, most: usize) {
        for done in 0..most {
            let Some(output) = self.neuron.poll_output() else { break };
            assert!(done < MAX_OUTPUTS, "it talks without end");
            if output == Output::Save {
                self.stored = Some(self.neuron.saved());
            }
            tell(self.now, "->", &output);
            self.judge.heed(&output, self.stored.as_ref());
            match output {
                Output::Signal { to, signal } => self.carry(to, signal),
                Output::Report { to, report: Report::Reply { request, result: Ok(Answer::Floor { floor, .. }) } } => {
                    self.remember(Floor { controller: Controller::of(&to), request, floor });
                }
                Output::Report { .. } | Output::Save | Output::Record(_) => {}
            }
        }
    }

    fn carry(&mut self, to: NeuronId, signal: Signal) {
        let turns = self.turns;
        match self.peers.find(&to) {
            Some(peer) => {
                let answer = peer.hear(&signal.body);
                self.on_the_way.extend(answer.map(|signal| Arrival { from: to, signal, turns: turns + 1 }));
            }
            None => self.on_the_way.push_back(Arrival { from: to, signal, turns }),
        }
    }

    fn remember(&mut self, floor: Floor) {
        if self.floors.len() == MAX_FLOORS {
            self.floors.remove(0);
        }
        self.floors.push(floor);
    }

    /// The neuron begins a new life in place, as after a panic.
    fn restart(&mut self) {
        tell(self.now, "<-", &"restart");
        self.neuron.restart(self.now);
        self.begin();
    }

    /// The neuron is gone, with what it wanted done, and comes back from its store.
    fn crash(&mut self, store: Store) {
        tell(self.now, "<-", &("crash", store));
        self.nonce += 1;
        self.on_the_way.clear();
        self.judge.crashes();
        let id = Name::Itself.id();
        match (store, self.stored.clone()) {
            (Store::Kept, Some(saved)) => {
                self.neuron = Neuron::resume(id, saved, self.carrier, self.nonce, self.now);
                self.neuron.keep_record();
            }
            _ => {
                self.neuron = Neuron::start(id, self.config.clone(), self.carrier, self.nonce, self.now);
                self.neuron.keep_record();
                self.judge = Judge::new(self.carrier.may_lose(), &self.neuron);
                self.peers.forget_streams();
            }
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.judge.begins_anew(&self.neuron);
        self.carry_out(usize::MAX);
    }
}

/// Tells what happens, if the environment variable `TELL` is set.
fn tell(now: Time, what: &str, happens: &dyn Debug) {
    static TELLS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TELL").is_some());
    if *TELLS {
        eprintln!("{} {what} {happens:?}", Tag::at(now));
    }
}
