//! A bounded model check of the protocol of an edge: everything that can happen to two neurons
//! within a few steps.
//!
//! The neurons are the real state machines. `a` is stimulated, and is the input of `b`. Messages
//! between them overtake each other, are lost, duplicated and delayed. Either neuron may crash,
//! also between two of its outputs, and resumes from its disk, perhaps with a clock that is behind.
//! [`Action`](action::Action) lists all that can happen. Time passes from one wake-up to the next.
//! States are identified by their fingerprints, so that each is visited once.
//!
//! In every state the [oracle](neuron_core::oracle) judges all claims and answers so far, of all
//! incarnations. From every state at the end both neurons must reach the correct level and be
//! quiet: see [`judge`].
//!
//! The suite visits 131,174 states. `DEEPER=3 cargo test --release -p neuron-core --test model`
//! takes three steps more, to more than 5.7 million, in tens of minutes. A failure is reported with
//! a shortest path.

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
fn a_bad_transport_does_no_harm() {
    let budget = Budget { stimuli: 1, losses: 1, duplicates: 1, ..Budget::NOTHING };
    check(budget, [(Scene::Started, 7), (Scene::AtRest, 9), (Scene::Firing, 9)]);
}

#[test]
fn crashes_do_no_harm() {
    let budget = Budget { stimuli: 1, crashes: 2, ..Budget::NOTHING };
    check(budget, [(Scene::Empty, 5), (Scene::AtRest, 6), (Scene::Firing, 6)]);
}

#[test]
fn an_outage_does_no_harm() {
    let budget = Budget { stimuli: 2, queries: 1, outages: 1, ..Budget::NOTHING };
    check(budget, [(Scene::Started, 5), (Scene::AtRest, 5), (Scene::Firing, 5)]);
}

#[test]
fn everything_together_does_no_harm() {
    let budget = Budget { stimuli: 2, queries: 1, losses: 1, duplicates: 1, crashes: 1, outages: 1 };
    check(budget, [(Scene::Empty, 4), (Scene::AtRest, 4), (Scene::Firing, 4)]);
}

/// Explores everything that can happen within a budget, from several scenes, each for a number of
/// steps.
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

/// Returns a configuration in which `b` has the level of `a`.
fn follower() -> Config {
    Config::new().threshold(0.9).input("a".parse().expect("it is a name"), 1.0)
}

/// Returns a configuration in which `b` has the opposite level.
fn not_gate() -> Config {
    Config::new().threshold(-0.5).input("a".parse().expect("it is a name"), -1.0)
}

/// The state that a search begins with.
#[derive(Clone, Copy, Debug)]
enum Scene {
    /// Neither neuron has been started.
    Empty,
    /// Both have just been started.
    Started,
    /// `b` knows that `a` does not fire, and the neurons are quiet.
    AtRest,
    /// `b` knows that `a` fires.
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
