//! Looks at every state that can be reached, breadth first: so there is no shorter way to what it finds.

use std::{collections::HashSet, fmt, rc::Rc, thread};

use crate::{action::Step, node::Power, world::World};

/// Looks at every state that can be reached from `start` in `depth` steps, and lets those at the end come to rest.
///
/// Those before the end need not: all that happens on their way to rest are steps, so it leads through one at the end.
///
/// # Panics
/// When something is not as it must be; the way there is printed.
pub(crate) fn explore(scene: &str, start: World, depth: usize) -> Seen {
    let mut known = HashSet::from([start.fingerprint()]);
    let mut seen = Seen { states: 1, steps: 0, settled: 0 };
    let mut layer = vec![(start, Path::Beginning(scene.into()))];
    for left in (0..depth).rev() {
        for (world, path) in std::mem::take(&mut layer) {
            let mut steps: Vec<Step> = world.actions().into_iter().map(Step::complete).collect();
            while let Some(step) = steps.pop() {
                let path = path.then(&step);
                let _telling = Telling(&path);
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

/// How much there was to see.
pub(crate) struct Seen {
    /// Different ones.
    states: usize,
    /// That led to them.
    steps: usize,
    /// States at the end.
    settled: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, settled } = self;
        write!(f, "{states} states, reached by {steps} steps, {settled} of them at the end")
    }
}

/// How a state was reached. Ways with the same beginning share it.
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

/// A step to a line.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning(scene) => write!(f, "{scene}:"),
            Self::Then(last) => write!(f, "{}\n  {}", last.0, last.1),
        }
    }
}

/// Tells the way to a panic.
struct Telling<'a>(&'a Path);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
