//! The end of a host, as the callers of its controller see it.

use super::RequestClient;
use crate::actor::error::ControlError;

impl RequestClient {
    /// Ends all requests and watches: the host has stopped.
    pub(in crate::actor::controller) fn close(&self) {
        self.pending().close();
        self.watches().close();
    }

    /// Returns the error of a call that the host did not live to answer.
    pub(in crate::actor) fn why_stopped(&self) -> ControlError {
        self.end.rival().map_or(ControlError::Stopped, ControlError::from)
    }

    /// Returns whether the host has stopped.
    pub(in crate::actor::controller) fn is_stopped(&self) -> bool {
        self.pending().is_closed()
    }
}
