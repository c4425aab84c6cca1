//! A breadth-first search of all reachable states, so that a failure has a shortest path.

use std::{collections::HashSet, fmt, rc::Rc, thread};

use crate::{action::Step, node::Power, world::World};

/// Visits every state that can be reached from `start` in `depth` steps, and checks that those at
/// the end settle.
///
/// Earlier states need no such check: their way to rest consists of steps, so it leads through a
/// state at the end.
///
/// # Panics
/// If a check fails. The path to the state is printed.
pub(crate) fn explore(scene: &str, start: World, depth: usize) -> Seen {
    let mut known = HashSet::from([start.fingerprint()]);
    let mut seen = Seen { states: 1, steps: 0, settled: 0 };
    let mut layer = vec![(start, Path::Beginning(scene.into()))];
    for left in (0..depth).rev() {
        for (world, path) in std::mem::take(&mut layer) {
            let mut steps: Vec<Step> = world.actions().into_iter().map(Step::complete).collect();
            while let Some(step) = steps.pop() {
                let path = path.then(&step);
                let _print = PrintOnPanic(&path);
                let (next, done) = world.after(&step);
                if step.power == Power::Stays && world.may_crash() {
                    steps.extend((0..done).map(|done| step.interrupted(done)));
                }
                seen.steps += 1;
                if !known.insert(next.fingerprint()) {
                    continue;
                }
                seen.states += 1;
                next.assert_safe();
                if left > 0 {
                    layer.push((next, path.clone()));
                } else {
                    seen.settled += 1;
                    next.assert_settles();
                }
            }
        }
    }
    seen
}

/// The counts of a search.
pub(crate) struct Seen {
    /// Distinct states.
    states: usize,
    /// Steps taken.
    steps: usize,
    /// States at the end, all of which settled.
    settled: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, settled } = self;
        write!(f, "{states} states, reached by {steps} steps, {settled} of them at the end")
    }
}

/// The path to a state. Paths with the same beginning share it.
#[derive(Clone)]
enum Path {
    Beginning(Rc<str>),
    Then(Rc<(Self, Step)>),
}

impl Path {
    fn then(&self, step: &Step) -> Self {
        Self::Then(Rc::new((self.clone(), step.clone())))
    }
}

/// Writes one step on each line.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning(scene) => write!(f, "{scene}:"),
            Self::Then(last) => write!(f, "{}\n  {}", last.0, last.1),
        }
    }
}

/// Prints the path when a check panics.
struct PrintOnPanic<'a>(&'a Path);

impl Drop for PrintOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
