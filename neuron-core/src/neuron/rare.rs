//! What most neurons never have.

/// Something that takes the room of a pointer until it is there.
#[derive(Clone, Debug)]
pub(crate) struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn of(it: T) -> Self {
        Self(Some(Box::new(it)))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// It is not there any more.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

impl<T: Default> Rare<T> {
    /// It is there from now on.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self::NONE
    }
}
