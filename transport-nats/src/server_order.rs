//! Which server is tried next, and after what pause.

use std::time::Duration;

use transport_broker::Backoff;

/// Tries all servers in their order, without a pause, and pauses before it tries them all again. The
/// pauses grow until a connection stands; then it starts over.
#[derive(Debug, Default)]
pub(crate) struct ServerOrder {
    /// How many attempts there were since the connection stood.
    attempts: usize,
    backoff: Backoff,
    /// A connection has stood.
    has_connected: bool,
}

impl ServerOrder {
    /// Returns the index of the server to try, of `count`, and the pause before.
    ///
    /// The very first attempt has no pause; the first one after a loss has.
    pub(crate) fn next(&mut self, count: usize) -> (usize, Duration) {
        let index = self.attempts % count.max(1);
        let is_first = self.attempts == 0 && !self.has_connected;
        self.attempts += 1;
        let pause = if index > 0 || is_first { Duration::ZERO } else { self.backoff.next_pause() };
        (index, pause)
    }

    /// Notes that a connection stands.
    pub(crate) fn start_over(&mut self) {
        *self = Self { has_connected: true, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_tried_in_order_and_all_of_them_before_a_pause() {
        let mut order = ServerOrder::default();
        assert_eq!(order.next(3), (0, Duration::ZERO), "the first attempt");
        order.start_over();
        let mut longest = Duration::ZERO;
        for round in 0..6 {
            let (index, pause) = order.next(3);
            assert!(index == 0 && pause > longest / 2, "{round}: {index} after {pause:?}");
            longest = pause;
            assert_eq!((order.next(3), order.next(3)), ((1, Duration::ZERO), (2, Duration::ZERO)));
        }
        order.start_over();
        let (index, pause) = order.next(3);
        assert!(index == 0 && pause > Duration::ZERO && pause <= Duration::from_millis(50), "{index} after {pause:?}");
    }

    #[test]
    fn a_single_server_is_tried_after_each_pause() {
        let mut order = ServerOrder::default();
        order.start_over();
        assert!((0..5).all(|_| matches!(order.next(1), (0, pause) if pause > Duration::ZERO)));
    }
}
