//! What comes next in a run.

use crate::{command::Report, neuron::Input, tag::Time};

#[derive(Debug)]
pub(super) enum Item {
    /// A message arrives at the host of a neuron.
    Arrival {
        to: usize,
        epoch: u32,
        input: Input,
    },
    /// A message has waited for its turn.
    Turn {
        to: usize,
        epoch: u32,
        input: Input,
    },
    Report {
        from: usize,
        report: Report,
    },
    Wake(usize),
    Act(usize),
    Calm,
}

pub(super) struct Scheduled {
    pub(super) at: Time,
    pub(super) order: u64,
    pub(super) item: Item,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}
