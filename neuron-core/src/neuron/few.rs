//! A queue that hardly ever holds more than one.

use std::collections::VecDeque;

/// A queue whose first place needs no memory of its own: a network at rest has millions of them.
#[derive(Clone, Debug)]
pub(crate) struct Few<T> {
    first: Option<T>,
    /// What comes after the first. The box goes with the last of them.
    #[expect(clippy::box_collection, reason = "it is nearly always absent, and then takes a quarter of the room")]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> Few<T> {
    pub(crate) fn new() -> Self {
        Self { first: None, rest: None }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    pub(crate) fn back(&self) -> Option<&T> {
        self.rest.as_ref().map_or(self.first.as_ref(), |rest| rest.back())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    pub(crate) fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.get_or_insert_default().push_back(item);
        }
    }

    pub(crate) fn pop_back(&mut self) -> Option<T> {
        let Some(rest) = &mut self.rest else { return self.first.take() };
        let last = rest.pop_back();
        self.rest.take_if(|rest| rest.is_empty());
        last
    }

    pub(crate) fn pop_front_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let first = self.first.take_if(|first| wanted(first))?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            self.rest.take_if(|rest| rest.is_empty());
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue() {
        let (mut few, mut queue, mut rng) = (Few::new(), VecDeque::new(), fastrand::Rng::with_seed(7));
        for item in 0..2000 {
            match rng.u8(0..5) {
                0 | 1 => {
                    few.push_back(item);
                    queue.push_back(item);
                }
                2 => assert_eq!(few.pop_back(), queue.pop_back()),
                _ => {
                    let even = |item: &i32| item % 2 == 0;
                    let expected = if queue.front().is_some_and(even) { queue.pop_front() } else { None };
                    assert_eq!(few.pop_front_if(|item| even(item)), expected);
                    if rng.u8(0..8) == 0 {
                        assert_eq!(few.pop_front_if(|_| true), queue.pop_front());
                    }
                }
            }
            assert_eq!(few.len(), queue.len());
            assert_eq!(few.back(), queue.back());
            assert!(few.iter().eq(queue.iter()));
        }
    }
}
