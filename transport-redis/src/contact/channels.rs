//! The channels that this process subscribes to.

use std::collections::HashMap;

use neuron_core::transport::Address;
use tokio::time::Instant;
use transport_broker::{Route, Subjects};

/// The channels of the open inboxes, by address.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// The routes that each inbox hears, and when each was called last.
    by_inbox: HashMap<Address, HashMap<Route, Instant>>,
}

impl Channels {
    /// Returns the channel on which an inbox hears its own name. It stands as long as the inbox is
    /// open.
    pub(crate) fn own(subjects: &Subjects, at: &Address) -> String {
        subjects.echo_subject(at)
    }

    /// Notes that an inbox is to hear a route, and returns whether it is new: then it has to be
    /// subscribed to.
    pub(crate) fn add(&mut self, route: &Route, now: Instant) -> bool {
        let (target, source) = route.target_and_source();
        let at = route.target();
        // A request to a neuron of the controller's own name has a channel of its own.
        let is_own = target == source && !matches!(route, Route::Request { .. });
        if is_own {
            return false;
        }
        self.by_inbox.entry(at).or_default().insert(route.clone(), now).is_none()
    }

    /// Returns the channels of an inbox, its own among them.
    pub(crate) fn of(&self, subjects: &Subjects, at: &Address) -> Vec<String> {
        let own = Self::own(subjects, at);
        let learnt = self.by_inbox.get(at).into_iter().flat_map(HashMap::keys);
        std::iter::once(own).chain(learnt.map(|route| subjects.of_route(route))).collect()
    }

    /// Forgets the channels of an inbox that has been closed.
    pub(crate) fn remove(&mut self, at: &Address) {
        self.by_inbox.remove(at);
    }

    /// Forgets the routes of requests that were called last before `limit`, and whose answers are
    /// not `used`; returns them. Controllers come and go, and each has a name of its own.
    pub(crate) fn remove_idle(&mut self, limit: Instant, used: impl Fn(&Route) -> bool) -> Vec<Route> {
        let mut removed = Vec::new();
        for routes in self.by_inbox.values_mut() {
            routes.retain(|route, called| {
                let stays = !matches!(route, Route::Request { .. }) || *called >= limit || used(&route.reverse());
                if !stays {
                    removed.push(route.clone());
                }
                stays
            });
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_inbox_keeps_its_channels_but_for_controllers_that_are_gone() {
        let subjects = Subjects::new("nn", &"xor".parse().expect("a name"), ':');
        let at = Address::Neuron("z".parse().expect("a name"));
        let signal = Route::Signal { from: "x".parse().expect("a name"), to: "z".parse().expect("a name") };
        let request =
            |from: &str| Route::Request { from: from.parse().expect("a name"), to: "z".parse().expect("a name") };
        let mut channels = Channels::default();
        let begin = Instant::now();
        let later = begin + Duration::from_secs(1);
        for route in [&signal, &request("old"), &request("used")] {
            assert!(channels.add(route, begin) && !channels.add(route, begin));
        }
        assert!(channels.add(&request("z"), later) && !channels.add(&signal, later));
        assert_eq!(channels.remove_idle(begin, |_| false), []);
        let removed = channels.remove_idle(later, |route| *route == request("used").reverse());
        assert_eq!(removed, [request("old")]);
        let mut all = channels.of(&subjects, &at);
        all.sort_unstable();
        assert_eq!(all, ["ctl:z:used", "ctl:z:z", "sig:z:x", "sig:z:z"].map(|end| format!("nn:v1:xor:{end}")));
        channels.remove(&at);
        assert_eq!(channels.of(&subjects, &at), ["nn:v1:xor:sig:z:z"]);
    }
}
