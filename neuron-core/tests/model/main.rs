//! A bounded model check of the protocol of an edge: everything that can happen to two neurons within a few steps.
//!
//! The neurons are the real state machines. `a` is stimulated, `b` listens to it; between them messages overtake each
//! other, are lost, doubled, and late. Either neuron may crash, also half-way through what it wants done, and comes back
//! from its disk, perhaps with a clock that is behind. [`Action`](action::Action) lists all that can happen; time passes
//! from one wake-up to the next. States are told apart by their fingerprints, so that each is looked at once.
//!
//! In every state the [oracle](neuron_core::oracle) judges all that was said so far, in all lives; and from every state at
//! the end both neurons must find their way to the right level, and to silence: see [`judge`].
//!
//! The suite looks at 131,174 states. `DEEPER=3 cargo test --release -p neuron-core --test model` takes three steps more, to
//! more than 5.7 million, in tens of minutes. What is found wrong is told in as few steps as there can be.

mod action;
mod judge;
mod node;
mod search;
mod world;

use neuron_core::neuron::Config;

use crate::{
    action::{Action, Step},
    search::explore,
    world::{Budget, World},
};

#[test]
fn a_bad_carrier_does_no_harm() {
    let budget = Budget { stimuli: 1, losses: 1, doubles: 1, ..Budget::NOTHING };
    check(budget, [(Scene::Started, 7), (Scene::AtRest, 9), (Scene::Firing, 9)]);
}

#[test]
fn crashes_do_no_harm() {
    let budget = Budget { stimuli: 1, crashes: 2, ..Budget::NOTHING };
    check(budget, [(Scene::Empty, 5), (Scene::AtRest, 6), (Scene::Firing, 6)]);
}

#[test]
fn an_outage_does_no_harm() {
    let budget = Budget { stimuli: 2, questions: 1, outages: 1, ..Budget::NOTHING };
    check(budget, [(Scene::Started, 5), (Scene::AtRest, 5), (Scene::Firing, 5)]);
}

#[test]
fn everything_together_does_no_harm() {
    let budget = Budget { stimuli: 2, questions: 1, losses: 1, doubles: 1, crashes: 1, outages: 1 };
    check(budget, [(Scene::Empty, 4), (Scene::AtRest, 4), (Scene::Firing, 4)]);
}

/// Looks at everything that can happen within a budget, from several scenes on, each for a number of steps.
fn check(budget: Budget, scenes: [(Scene, usize); 3]) {
    let deeper = std::env::var("DEEPER").map_or(0, |steps| steps.parse().expect("DEEPER is a number of steps"));
    for (scene, depth) in scenes {
        for (gate, b) in [("a follower", follower()), ("a NOT gate", not_gate())] {
            let depth = depth + deeper;
            let seen = explore(&format!("{gate}, {scene:?}"), scene.set(b).with(budget), depth);
            println!("{gate}, {scene:?}, {depth} steps: {seen}");
        }
    }
}

/// `b` has the level of `a`.
fn follower() -> Config {
    Config::new().threshold(0.9).input("a".parse().expect("it is a name"), 1.0)
}

/// `b` has the other level.
fn not_gate() -> Config {
    Config::new().threshold(-0.5).input("a".parse().expect("it is a name"), -1.0)
}

/// Where a search begins.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// Neither neuron has been started.
    Empty,
    /// Both have just been started.
    Started,
    /// `b` has heard that `a` does not fire, and nothing is left to say.
    AtRest,
    /// `b` has heard that `a` fires.
    Firing,
}

impl Scene {
    fn set(self, b: Config) -> World {
        let mut world = World::new(b);
        if let Self::Started | Self::AtRest | Self::Firing = self {
            world.start_all();
        }
        if let Self::AtRest | Self::Firing = self {
            world.settle();
        }
        if let Self::Firing = self {
            let once = Budget { stimuli: 1, ..Budget::NOTHING };
            (world, _) = world.with(once).after(&Step::complete(Action::Stimulate(1.0)));
            world.deliver();
        }
        world
    }
}
