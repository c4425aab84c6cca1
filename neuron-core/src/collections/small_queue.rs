//! A queue that hardly ever holds more than one item.

use std::{cmp::Ordering, collections::VecDeque};

/// A FIFO queue whose first item needs no allocation.
#[derive(Clone, Debug)]
pub(crate) struct SmallQueue<T> {
    first: Option<T>,
    /// The items after the first; `None` if there are none.
    #[expect(clippy::box_collection, reason = "an empty queue must stay small")]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> SmallQueue<T> {
    /// Makes an empty queue.
    pub(crate) const fn new() -> Self {
        Self { first: None, rest: None }
    }

    /// Returns whether nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Returns how many items are queued.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// Returns the first item.
    pub(crate) fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// Returns the item if there is exactly one, else `None`.
    pub(crate) fn only(&self) -> Option<&T> {
        if self.rest.is_some() { None } else { self.first.as_ref() }
    }

    /// Returns the item at an index; the front has index 0.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.as_ref()?.get(index),
        }
    }

    /// Returns the item at an index; the front has index 0.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.as_mut()?.get_mut(index),
        }
    }

    /// Returns the index of the item with this key, or as the error the index where it belongs.
    ///
    /// The queue must be ordered by the key.
    pub(crate) fn find<K: Ord>(&self, key: &K, of: impl Fn(&T) -> K) -> Result<usize, usize> {
        // It is usually the first item, or belongs after the last.
        match self.first.as_ref().map(|first| of(first).cmp(key)) {
            None | Some(Ordering::Greater) => return Err(0),
            Some(Ordering::Equal) => return Ok(0),
            Some(Ordering::Less) => {}
        }
        let Some(rest) = &self.rest else { return Err(1) };
        if rest.back().is_some_and(|last| of(last) < *key) {
            return Err(1 + rest.len());
        }
        rest.binary_search_by(|item| of(item).cmp(key)).map(|index| 1 + index).map_err(|index| 1 + index)
    }

    /// Inserts an item before the one at this index.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize, item: T) {
        match (index.checked_sub(1), &mut self.first) {
            (None, Some(first)) => {
                let first = std::mem::replace(first, item);
                self.rest.get_or_insert_default().push_front(first);
            }
            (None, None) => self.first = Some(item),
            (Some(index), _) => {
                let rest = self.rest.get_or_insert_default();
                // The end is the usual place, and `push_back` is cheaper.
                if index == rest.len() { rest.push_back(item) } else { rest.insert(index, item) }
            }
        }
    }

    /// Removes the item at an index and returns it.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let Some(index) = index.checked_sub(1) else { return self.pop_front_if(|_| true) };
        let removed = self.rest.as_mut()?.remove(index);
        self.drop_empty_rest();
        removed
    }

    /// Returns the last item.
    pub(crate) fn back(&self) -> Option<&T> {
        self.rest.as_ref().map_or(self.first.as_ref(), |rest| rest.back())
    }

    /// Returns all items, front first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    /// Returns the items from an index on.
    pub(crate) fn iter_from(&self, index: usize) -> impl Iterator<Item = &T> {
        let first = self.first.iter().skip(index);
        let rest = self.rest.iter().flat_map(move |rest| rest.range(rest.len().min(index.saturating_sub(1))..));
        first.chain(rest)
    }

    /// Removes the first item and returns it, if it is wanted.
    #[inline]
    pub(crate) fn pop_front_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let first = self.first.take_if(|first| wanted(first))?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            self.drop_empty_rest();
        }
        Some(first)
    }

    fn drop_empty_rest(&mut self) {
        if self.rest.as_ref().is_some_and(|rest| rest.is_empty()) {
            self.rest = None;
        }
    }
}

impl<T> Default for SmallQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue() {
        let (mut small, mut queue, mut rng) = (SmallQueue::new(), VecDeque::new(), fastrand::Rng::with_seed(7));
        for item in 0..2000 {
            match rng.u8(0..7) {
                0 | 1 => {
                    small.insert(queue.len(), item);
                    queue.push_back(item);
                }
                2 => {
                    let index = rng.usize(0..=queue.len());
                    small.insert(index, item);
                    queue.insert(index, item);
                }
                3 => {
                    let index = rng.usize(0..4);
                    assert_eq!(small.remove(index), queue.remove(index));
                }
                _ => {
                    let even = |item: &i32| item % 2 == 0;
                    let expected = if queue.front().is_some_and(even) { queue.pop_front() } else { None };
                    assert_eq!(small.pop_front_if(|item| even(item)), expected);
                    if rng.u8(0..8) == 0 {
                        assert_eq!(small.pop_front_if(|_| true), queue.pop_front());
                    }
                }
            }
            assert_eq!(small.len(), queue.len());
            assert_eq!((small.front(), small.back()), (queue.front(), queue.back()));
            assert_eq!(small.only(), queue.front().filter(|_| queue.len() == 1));
            let index = rng.usize(0..4);
            assert_eq!(small.get(index), queue.get(index));
            assert_eq!(small.get_mut(index), queue.get_mut(index));
            assert!(small.iter().eq(queue.iter()));
            assert!(small.iter_from(index).eq(queue.iter().skip(index)));
        }
    }

    #[test]
    fn in_an_ordered_one_a_key_has_its_place() {
        let (mut small, mut queue, mut rng) = (SmallQueue::new(), VecDeque::new(), fastrand::Rng::with_seed(8));
        for _ in 0..500 {
            let key = rng.u8(..);
            let place = small.find(&key, |key| *key);
            assert_eq!(place, queue.binary_search(&key));
            if let Err(index) = place {
                small.insert(index, key);
                queue.insert(index, key);
            }
            while queue.len() > rng.usize(1..20) {
                assert_eq!(small.pop_front_if(|_| true), queue.pop_front());
            }
        }
    }
}
