//! What controllers want of a neuron.

use std::collections::VecDeque;

use thin_vec::ThinVec;

use super::{CarriedOut, Neuron, Question, Reservation, Watcher, prepare::Preparation};

/// What controllers want of a neuron, and have wanted. Few neurons of a large network ever have any of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(super) reservations: ThinVec<Reservation>,
    pub(super) preparations: ThinVec<Preparation>,
    pub(super) questions: ThinVec<Question>,
    pub(super) watchers: ThinVec<Watcher>,
    /// Commands that changed something, with their answers.
    pub(super) carried_out: VecDeque<CarriedOut>,
    /// Of all of them, whoever made them.
    pub(super) highest_request: u64,
}

impl Neuron {
    #[inline]
    pub(super) fn reservations(&self) -> &[Reservation] {
        self.wishes.get().map_or(&[], |wishes| &wishes.reservations)
    }

    #[inline]
    pub(super) fn preparations(&self) -> &[Preparation] {
        self.wishes.get().map_or(&[], |wishes| &wishes.preparations)
    }

    #[inline]
    pub(super) fn questions(&self) -> &[Question] {
        self.wishes.get().map_or(&[], |wishes| &wishes.questions)
    }
}
