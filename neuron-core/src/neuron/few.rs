//! A queue that hardly ever holds more than one.

use std::{cmp::Ordering, collections::VecDeque};

use super::rare::Rare;

/// A queue whose first place needs no memory of its own: a network at rest has millions of them.
#[derive(Clone, Debug)]
pub(crate) struct Few<T> {
    first: Option<T>,
    /// What comes after the first. It goes with the last of them.
    rest: Rare<VecDeque<T>>,
}

impl<T> Few<T> {
    pub(crate) fn new() -> Self {
        Self { first: None, rest: Rare::NONE }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.get().map_or(0, VecDeque::len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// What is there, if it is one.
    pub(crate) fn only(&self) -> Option<&T> {
        if self.rest.get().is_some() { None } else { self.first.as_ref() }
    }

    /// What is at a place, counted from the front.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.get()?.get(index),
        }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.get_mut()?.get_mut(index),
        }
    }

    /// Where an item with this key is, or where it would have to be, in a queue that is ordered by the key.
    pub(crate) fn find<K: Ord>(&self, key: &K, of: impl Fn(&T) -> K) -> Result<usize, usize> {
        // It is usually the first, or comes after the last.
        match self.first.as_ref().map(|first| of(first).cmp(key)) {
            None | Some(Ordering::Greater) => return Err(0),
            Some(Ordering::Equal) => return Ok(0),
            Some(Ordering::Less) => {}
        }
        let Some(rest) = self.rest.get() else { return Err(1) };
        if rest.back().is_some_and(|last| of(last) < *key) {
            return Err(1 + rest.len());
        }
        rest.binary_search_by(|item| of(item).cmp(key)).map(|index| 1 + index).map_err(|index| 1 + index)
    }

    /// Puts an item before the one that is at this place.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize, item: T) {
        match (index.checked_sub(1), &mut self.first) {
            (None, Some(first)) => {
                let first = std::mem::replace(first, item);
                self.rest.make().push_front(first);
            }
            (None, None) => self.first = Some(item),
            (Some(index), _) => {
                let rest = self.rest.make();
                // That is usual, and takes less.
                if index == rest.len() { rest.push_back(item) } else { rest.insert(index, item) }
            }
        }
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let Some(index) = index.checked_sub(1) else { return self.pop_front_if(|_| true) };
        let removed = self.rest.get_mut()?.remove(index);
        self.forget_empty_rest();
        removed
    }

    pub(crate) fn back(&self) -> Option<&T> {
        self.rest.get().map_or(self.first.as_ref(), VecDeque::back)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.get().into_iter().flatten())
    }

    pub(crate) fn pop_front_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let first = self.first.take_if(|first| wanted(first))?;
        if let Some(rest) = self.rest.get_mut() {
            self.first = rest.pop_front();
            self.forget_empty_rest();
        }
        Some(first)
    }

    fn forget_empty_rest(&mut self) {
        if self.rest.get().is_some_and(VecDeque::is_empty) {
            self.rest.forget();
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue() {
        let (mut few, mut queue, mut rng) = (Few::new(), VecDeque::new(), fastrand::Rng::with_seed(7));
        for item in 0..2000 {
            match rng.u8(0..7) {
                0 | 1 => {
                    few.insert(queue.len(), item);
                    queue.push_back(item);
                }
                2 => {
                    let index = rng.usize(0..=queue.len());
                    few.insert(index, item);
                    queue.insert(index, item);
                }
                3 => {
                    let index = rng.usize(0..4);
                    assert_eq!(few.remove(index), queue.remove(index));
                }
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
            assert_eq!((few.front(), few.back()), (queue.front(), queue.back()));
            assert_eq!(few.only(), queue.front().filter(|_| queue.len() == 1));
            let index = rng.usize(0..4);
            assert_eq!(few.get(index), queue.get(index));
            assert_eq!(few.get_mut(index), queue.get_mut(index));
            assert!(few.iter().eq(queue.iter()));
        }
    }

    #[test]
    fn in_an_ordered_one_a_key_has_its_place() {
        let (mut few, mut queue, mut rng) = (Few::new(), VecDeque::new(), fastrand::Rng::with_seed(8));
        for _ in 0..500 {
            let key = rng.u8(..);
            let place = few.find(&key, |key| *key);
            assert_eq!(place, queue.binary_search(&key));
            if let Err(index) = place {
                few.insert(index, key);
                queue.insert(index, key);
            }
            while queue.len() > rng.usize(1..20) {
                assert_eq!(few.pop_front_if(|_| true), queue.pop_front());
            }
        }
    }
}
