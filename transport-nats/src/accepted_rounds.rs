//! Mode core: finds out whether the broker takes messages again, after refusals.
//!
//! The broker confirms no message; it only says which ones it does not permit, a moment later. So
//! what was sent in one round, and not refused by the end of the next one, has been accepted.

use std::time::Instant;

use neuron_core::transport::Address;
use transport_broker::{MessageKind, Refusals, Route};

/// How many receivers are noted in a round.
const CAPACITY: usize = 16;

/// The receivers of the messages of this round and of the one before. A round ends when the client
/// has confirmed that its messages have left.
#[derive(Debug, Default)]
pub(crate) struct AcceptedRounds {
    current: Round,
    before: Round,
}

#[derive(Debug, Default)]
struct Round {
    /// When the first message was sent; `None` if there was none.
    began: Option<Instant>,
    sent: Vec<(MessageKind, Address)>,
}

impl AcceptedRounds {
    /// Notes a message. Does nothing while none are refused.
    pub(crate) fn note(&mut self, route: &Route, refusals: &Refusals) {
        if !refusals.is_active() || self.current.sent.len() >= CAPACITY {
            return;
        }
        self.current.began.get_or_insert_with(Instant::now);
        let sent = (route.kind(), route.target());
        if !self.current.sent.contains(&sent) {
            self.current.sent.push(sent);
        }
    }

    /// Ends a round, and notes as accepted what the round before has sent, unless a message to the
    /// same receiver has been refused since.
    pub(crate) fn end_round(&mut self, refusals: &Refusals) {
        let before = std::mem::replace(&mut self.before, std::mem::take(&mut self.current));
        let Some(began) = before.began else { return };
        for (kind, to) in before.sent {
            if refusals.last(&to).is_none_or(|last| last.elapsed > began.elapsed()) {
                refusals.accepted(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_refused_by_the_end_of_the_next_round_is_accepted() {
        let to = |name: &str| Address::Neuron(name.parse().expect("a name"));
        let route = |to: &str| Route::Signal { from: "x".parse().expect("a name"), to: to.parse().expect("a name") };
        let refusals = Refusals::new("test".to_owned());
        let refuse = |name: &str| refusals.refused("permissions", "no", MessageKind::Signal, Some(to(name)), 1);
        let mut rounds = AcceptedRounds::default();
        let start = Instant::now();
        while refusals.total().is_none() {
            // Only refusals, as far as is known at each moment.
            rounds.note(&route("y"), &refusals);
            rounds.end_round(&refusals);
            refuse("y");
            assert!(start.elapsed().as_secs() < 10, "everything is refused");
            std::thread::sleep(Duration::from_millis(10));
        }
        rounds.note(&route("z"), &refusals);
        rounds.end_round(&refusals);
        assert!(refusals.total().is_some(), "it may still be refused");
        rounds.end_round(&refusals);
        assert_eq!(refusals.total(), None);
    }
}
