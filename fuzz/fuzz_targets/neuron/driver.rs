//! Runs a scenario.

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
    commands::{CommandTemplate, Floor},
    judge::Judge,
    length::Length,
    peer::Peers,
    pick::{Controller, Name, TagContext, Times},
    scenario::{InputTemplate, Numbered, Scenario, Setup, Step, Store, Then},
};

/// The most outputs of a neuron after one input.
const MAX_OUTPUTS: usize = 20_000;
/// The most memory that a neuron and this driver may hold, in bytes: far more than all limits of a
/// neuron together allow.
const MAX_HELD: usize = 64 << 20;
/// The number of repeated inputs after which a neuron has reached every limit that they can reach.
const INPUTS_TO_THE_LIMITS: u32 = 20_000;
/// The most growth over that many further inputs, in bytes: less than a tag and a number for each.
const MAX_GROWTH: usize = 128 << 10;
/// The most wake-ups in one step. After that the host counts as stalled.
const MAX_WAKES: u32 = 20;
/// The most wake-ups that a neuron may ask for at one time.
const MAX_WAKES_AT_ONCE: u32 = 10;
/// The most messages that arrive before the next step.
const MAX_ARRIVALS: u32 = 64;
/// The number of floors that are remembered.
const MAX_FLOORS: usize = 8;

/// The longest chain of messages that answer each other within one step.
const MAX_TURNS: u32 = 20;

/// A message that arrives within the step.
struct Arrival {
    from: NeuronId,
    signal: Signal,
    turns: u32,
}

/// A neuron and its surroundings.
pub struct Driver {
    guarantees: Guarantees,
    config: Config,
    neuron: Neuron,
    stored: Option<Saved>,
    now: Time,
    nonce: u32,
    peers: Peers,
    /// The messages from the neuron to itself, and the answers to it, that have not arrived yet.
    in_flight: VecDeque<Arrival>,
    /// The length of the chain of answers that led to the present message.
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
        let guarantees = setup.guarantees();
        let config = setup.config();
        let now = setup.start.0;
        let mut neuron = Neuron::start(Name::Itself.id(), config.clone(), guarantees, 0, now);
        neuron.keep_record();
        let judge = Judge::new(setup.lossy, &neuron);
        let mut driver = Self {
            guarantees,
            config,
            neuron,
            stored: None,
            now,
            nonce: 0,
            peers: Peers::new(setup.responsive),
            in_flight: VecDeque::new(),
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

    /// Runs all steps, and then repeats the last ones if the length of the scenario says so.
    pub fn run(mut self, scenario: &Scenario) {
        let Scenario { steps, length, repeated, .. } = scenario;
        for step in steps {
            if self.inputs >= length.max_inputs() {
                break;
            }
            self.step(step, length.max_times());
        }
        if *length == Length::Repeated {
            self.check_growth(&steps[steps.len().saturating_sub(*repeated)..]);
        }
        trace(self.now, "==", &self.neuron.counters());
    }

    /// Repeats steps. Once every limit is reached the neuron must not grow.
    ///
    /// A queue keeps the capacity that it needed once, so it may grow in one of two measurements.
    fn check_growth(&mut self, steps: &[Step]) {
        self.repeat(steps, INPUTS_TO_THE_LIMITS);
        let grown = self.growth(steps, INPUTS_TO_THE_LIMITS).min(self.growth(steps, 2 * INPUTS_TO_THE_LIMITS));
        assert!(grown <= MAX_GROWTH, "it has grown by {grown} bytes while the same happened again and again");
    }

    /// Returns the growth of the memory in use over this many inputs, in bytes.
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
                self.step(step, u32::MAX);
            }
        }
    }

    fn step(&mut self, step: &Step, max_times: u32) {
        match *step {
            Step::Pass(span) => self.pass(self.now.after(span.0)),
            Step::Stall(span) => self.now = self.now.after(span.0),
            Step::Give { times: Times(times), input, then } => {
                (0..times.min(max_times)).for_each(|_| self.give(input, then));
            }
        }
    }

    /// Advances the time to `end`, and wakes the neuron at its wake-up times.
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

    fn give(&mut self, input: InputTemplate, then: Then) {
        let input = match input {
            InputTemplate::Wake => Input::Wake,
            InputTemplate::Undelivered(to) => Input::Undelivered { to: to.0.id() },
            InputTemplate::Signal { from, incarnation, signal } => {
                let tags = self.tags();
                let signal = self.peers.of(from).signal(incarnation, signal, &self.neuron, tags);
                Input::Signal { from: from.0.id(), signal }
            }
            InputTemplate::Request { from, number, command } => self.request(from, number, command),
        };
        self.handle(input, then);
    }

    fn request(&mut self, from: Controller, number: Numbered, command: CommandTemplate) -> Input {
        let id = match number {
            Numbered::Next => {
                self.requests += 1;
                self.requests
            }
            Numbered::Again(back) => self.requests.saturating_sub(back.into()),
        };
        let (from, command) = command.command(from, &self.floors, &self.tags());
        Input::Request { from: from.id(), request: Request::new(id, command) }
    }

    fn tags(&self) -> TagContext {
        let frontier = self.neuron.complete_through();
        TagContext { now: self.now, said: frontier, frontier }
    }

    /// Gives the neuron an input, and then the messages in flight.
    fn handle(&mut self, input: Input, then: Then) {
        self.take_turn(input, then);
        for _ in 0..MAX_ARRIVALS {
            let Some(Arrival { from, signal, turns }) = self.in_flight.pop_front() else { break };
            assert!(turns <= MAX_TURNS, "it talks to {from} in circles: {signal:?}");
            self.turns = turns;
            self.take_turn(Input::Signal { from, signal }, Then::CarryOut);
        }
        self.turns = 0;
    }

    fn take_turn(&mut self, input: Input, then: Then) {
        self.inputs += 1;
        match &input {
            Input::Signal { from, signal } => self.judge.on_signal(from, &signal.body),
            Input::Request { from, request } => self.judge.on_request(from, request),
            Input::Undelivered { .. } | Input::Wake => {}
        }
        trace(self.now, "<-", &input);
        self.neuron.handle(input, self.now);
        match then {
            Then::Restart => self.restart(),
            Then::CarryOut => self.carry_out(usize::MAX),
            Then::Crash { after, store } => {
                self.carry_out(after.into());
                self.crash(store);
            }
        }
        trace(self.now, "==", &(self.neuron.complete_through(), self.neuron.wake_at()));
        self.judge.check_state(&self.neuron, self.now);
        let held = self.meter.peak();
        assert!(held <= MAX_HELD, "{held} bytes are held after {} inputs", self.inputs);
    }

    /// Carries out the outputs of the neuron, at most `most` of them.
    fn carry_out(&mut self, most: usize) {
        for done in 0..most {
            let Some(output) = self.neuron.poll_output() else { break };
            assert!(done < MAX_OUTPUTS, "it talks without end");
            if matches!(output, Output::Save | Output::SaveSoon) {
                self.stored = Some(self.neuron.saved());
            }
            trace(self.now, "->", &output);
            self.judge.on_output(&output, self.stored.as_ref());
            match output {
                Output::Signal { to, signal } => self.carry(to, signal),
                Output::Report { to, report: Report::Reply { request, result: Ok(Answer::Floor { floor, .. }) } } => {
                    self.remember(Floor { controller: Controller::of(&to), request, floor });
                }
                Output::Report { .. } | Output::Save | Output::SaveSoon | Output::Counted { .. } | Output::Record(_) => {}
            }
        }
    }

    fn carry(&mut self, to: NeuronId, signal: Signal) {
        let turns = self.turns;
        match self.peers.find(&to) {
            Some(peer) => {
                let answer = peer.receive(&signal.body);
                self.in_flight.extend(answer.map(|signal| Arrival { from: to, signal, turns: turns + 1 }));
            }
            None => self.in_flight.push_back(Arrival { from: to, signal, turns }),
        }
    }

    fn remember(&mut self, floor: Floor) {
        if self.floors.len() == MAX_FLOORS {
            self.floors.remove(0);
        }
        self.floors.push(floor);
    }

    /// Restarts the neuron in place, as after a panic.
    fn restart(&mut self) {
        trace(self.now, "<-", &"restart");
        self.neuron.restart(self.now);
        self.begin();
    }

    /// Drops the neuron with its outputs, and resumes it from its store.
    fn crash(&mut self, store: Store) {
        trace(self.now, "<-", &("crash", store));
        self.nonce += 1;
        self.in_flight.clear();
        self.judge.on_crash();
        let id = Name::Itself.id();
        match (store, self.stored.clone()) {
            (Store::Kept, Some(saved)) => {
                self.neuron = Neuron::resume(id, saved, self.guarantees, self.nonce, self.now);
                self.neuron.keep_record();
            }
            _ => {
                self.neuron = Neuron::start(id, self.config.clone(), self.guarantees, self.nonce, self.now);
                self.neuron.keep_record();
                self.judge = Judge::new(self.guarantees.may_lose(), &self.neuron);
                self.peers.forget_streams();
            }
        }
        self.begin();
    }

    fn begin(&mut self) {
        self.judge.on_incarnation(&self.neuron);
        self.carry_out(usize::MAX);
    }
}

/// Prints what happens, if the environment variable `TRACE` is set.
fn trace(now: Time, what: &str, happens: &dyn Debug) {
    static TRACES: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TRACE").is_some());
    if *TRACES {
        eprintln!("{} {what} {happens:?}", Tag::at(now));
    }
}
