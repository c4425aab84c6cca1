//! How much the subscribers hold, for the simulator.

use super::{Subscriber, Subscribers};
use crate::neuron::{
    Size,
    stream::{MAX_UNACKNOWLEDGED, Sender},
};

impl Subscribers {
    /// Adds how many subscribers there are, of at most `listeners`, and how many statements wait
    /// for their acknowledgement. A subscriber that falls behind is given up at the end of a turn.
    pub(crate) fn sizes(&self, listeners: usize, sizes: &mut Vec<Size>) {
        let count = self.list.len();
        let unacknowledged = self.list.iter().filter_map(Subscriber::sender).map(Sender::unacknowledged).sum();
        sizes.push(Size { what: "subscribers", count, bound: listeners });
        let bound = count * MAX_UNACKNOWLEDGED * 2;
        sizes.push(Size { what: "unacknowledged statements", count: unacknowledged, bound });
    }
}
