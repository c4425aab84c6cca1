//! How much each of several holders has of what there is for all of them.

use thin_vec::ThinVec;

/// Counts how much each holder has.
///
/// A bound alone lets one holder take everything. So where a bound is reached, the holder that has
/// the most gives way to one that has less: see [`gives_way_to`](Self::gives_way_to).
#[derive(Clone, Debug)]
pub(crate) struct Holders<H>(ThinVec<(H, usize)>);

impl<H> Default for Holders<H> {
    fn default() -> Self {
        Self(ThinVec::new())
    }
}

impl<H: Clone + PartialEq> Holders<H> {
    /// Adds one to what a holder has.
    pub(crate) fn add(&mut self, holder: &H) {
        match self.0.iter_mut().find(|(known, _)| known == holder) {
            Some((_, held)) => *held += 1,
            None => self.0.push((holder.clone(), 1)),
        }
    }

    /// Takes one from what a holder has; nothing happens if it has none.
    pub(crate) fn remove(&mut self, holder: &H) {
        let Some(index) = self.0.iter().position(|(known, _)| known == holder) else { return };
        self.0[index].1 -= 1;
        if self.0[index].1 == 0 {
            self.0.swap_remove(index);
        }
    }

    /// Returns how much a holder has.
    fn held_by(&self, holder: &H) -> usize {
        self.0.iter().find(|(known, _)| known == holder).map_or(0, |(_, held)| *held)
    }

    /// Returns the holder that has the most; `None` if none has anything.
    pub(crate) fn largest(&self) -> Option<&H> {
        self.0.iter().max_by_key(|(_, held)| *held).map(|(holder, _)| holder)
    }

    /// Returns the holder that gives one up for another holder: the one that has the most. `None`
    /// if the other one would then have as much or more.
    pub(crate) fn gives_way_to(&self, other: &H) -> Option<&H> {
        self.largest().filter(|largest| self.held_by(largest) > self.held_by(other) + 1)
    }
}

impl<'h, H: Clone + PartialEq + 'h> FromIterator<&'h H> for Holders<H> {
    fn from_iter<I: IntoIterator<Item = &'h H>>(holders: I) -> Self {
        let mut counted = Self::default();
        for holder in holders {
            counted.add(holder);
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_holder_gives_way_until_both_have_about_the_same() {
        let mut holders = Holders::from_iter(&["a", "a", "a", "b"]);
        assert_eq!(holders.gives_way_to(&"b"), Some(&"a"));
        assert_eq!(holders.gives_way_to(&"a"), None);
        holders.remove(&"a");
        assert_eq!(holders.gives_way_to(&"b"), None);
        assert_eq!(holders.gives_way_to(&"c"), Some(&"a"));
        assert_eq!(Holders::<u8>::default().gives_way_to(&1), None);
    }
}
