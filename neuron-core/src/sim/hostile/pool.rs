//! Values that a hostile machine has seen.

use std::collections::VecDeque;

/// How many values are remembered.
const MAX_REMEMBERED: usize = 32;

/// The last values of one kind, without repetitions in a row.
#[derive(Clone, Debug)]
pub(super) struct Pool<T>(VecDeque<T>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone + PartialEq> Pool<T> {
    /// Remembers a value.
    pub(super) fn note(&mut self, value: T) {
        if self.0.back() == Some(&value) {
            return;
        }
        if self.0.len() == MAX_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// Returns one of the values; `None` if there are none.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Option<T> {
        (!self.0.is_empty()).then(|| self.0[rng.usize(0..self.0.len())].clone())
    }

    /// Returns one of the values that are `wanted`; `None` if there are none.
    pub(super) fn draw_where(&self, rng: &mut fastrand::Rng, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let found: Vec<&T> = self.0.iter().filter(|value| wanted(value)).collect();
        rng.choice(found).cloned()
    }
}
