//! How far a neuron has evaluated and promised.

use std::time::Duration;

use crate::tag::Tag;

/// How far a neuron has evaluated and promised.
///
/// Invariant: `evaluated <= promised <= stamp_bound` once it has promised anything. The methods
/// that raise the bound return whether the neuron must be saved before anything is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TagProgress {
    /// No event has a later tag, and nothing is promised beyond it.
    stamp_bound: Tag,
    /// Subscribers may have been told that there is nothing new up to this tag.
    promised: Tag,
    /// The store allows tags up to this one; see [`Saved::ceiling`](crate::neuron::Saved::ceiling).
    durable_ceiling: Tag,
    /// The last evaluated tag; `None` before the first evaluation of this incarnation.
    evaluated: Option<Tag>,
}

impl TagProgress {
    /// How far above the bound the ceiling is raised, so that an active neuron asks the store for
    /// it no more than once a second.
    const CEILING_STEP: Duration = Duration::from_secs(1);

    /// Returns the progress of a neuron whose first tag is `first`; nothing is evaluated or
    /// promised yet.
    pub(crate) fn starting_at(first: Tag, durable_ceiling: Tag) -> Self {
        Self { stamp_bound: first, promised: first.prev(), durable_ceiling, evaluated: None }
    }

    /// Returns the highest tag stamped or promised.
    pub(crate) fn stamp_bound(&self) -> Tag {
        self.stamp_bound
    }

    /// Returns the tag through which everything is promised.
    pub(crate) fn promised(&self) -> Tag {
        self.promised
    }

    /// Returns the last evaluated tag; `None` before the first evaluation of this incarnation.
    pub(crate) fn evaluated(&self) -> Option<Tag> {
        self.evaluated
    }

    /// Returns a ceiling for the store that covers every tag stated or promised.
    pub(crate) fn ceiling(&self) -> Tag {
        self.durable_ceiling.max(self.stamp_bound)
    }

    /// Returns the ceiling last saved.
    pub(crate) fn durable_ceiling(&self) -> Tag {
        self.durable_ceiling
    }

    /// Notes that the store allows tags up to `ceiling`.
    #[cfg(feature = "actor")]
    #[inline]
    pub(super) fn allow(&mut self, ceiling: Tag) {
        self.durable_ceiling = self.durable_ceiling.max(ceiling);
    }

    /// Returns whether an event may still get this tag.
    pub(crate) fn is_open(&self, tag: Tag) -> bool {
        tag > self.promised && self.evaluated.is_none_or(|evaluated| tag > evaluated) && tag < Tag::MAX
    }

    /// Returns the first open tag from `at_least` on; `None` when tags have run out.
    pub(crate) fn first_open(&self, at_least: Tag) -> Option<Tag> {
        let tag = at_least.max(self.promised.next());
        (tag < Tag::MAX).then_some(tag)
    }

    /// Notes that an own event has this tag. Returns `true` if the neuron must be saved before
    /// anything is sent.
    #[must_use = "the neuron may have to be saved"]
    pub(super) fn on_stamped(&mut self, tag: Tag) -> bool {
        self.stamp_bound = self.stamp_bound.max(tag);
        self.raise_ceiling()
    }

    /// Notes that nothing new comes up to this tag any more. Returns `true` if the neuron must be
    /// saved before anything is sent.
    #[must_use = "the neuron may have to be saved"]
    pub(super) fn on_promised(&mut self, upto: Tag) -> bool {
        self.promised = self.promised.max(upto);
        self.on_stamped(upto)
    }

    /// Notes that a tag has been evaluated. Returns `true` if the neuron must be saved before
    /// anything is sent.
    #[must_use = "the neuron may have to be saved"]
    pub(super) fn on_evaluated(&mut self, tag: Tag) -> bool {
        self.evaluated = Some(tag);
        self.on_promised(tag)
    }

    fn raise_ceiling(&mut self) -> bool {
        let is_raised = self.stamp_bound > self.durable_ceiling;
        if is_raised {
            self.durable_ceiling = self.stamp_bound.after(Self::CEILING_STEP);
        }
        is_raised
    }
}
