//! Which neurons of other hosts may listen to those of this host.
//!
//! Why: docs/decisions/0047-a-source-knows-who-may-listen.md

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
};

use crate::{command::Refusal, id::NeuronId};

/// The most neurons that may listen beside those of the network.
const MAX_ADMITTED: usize = 65_536;

/// Returns whether the network has an edge from the first neuron to the second.
type HasEdge = Box<dyn Fn(&NeuronId, &NeuronId) -> bool + Send>;

/// Which neurons of other hosts may listen to those of this host: those that the network connects
/// to them, and those that a controller has admitted.
#[derive(Default)]
pub(in crate::actor) struct Listeners {
    /// Empty before the start.
    has_edge: OnceCell<HasEdge>,
    /// Sources with their listeners.
    admitted: RefCell<BTreeSet<(NeuronId, NeuronId)>>,
}

impl Listeners {
    /// Sets what tells whether the network has an edge. Later calls change nothing.
    pub(in crate::actor) fn set_network(&self, has_edge: impl Fn(&NeuronId, &NeuronId) -> bool + Send + 'static) {
        let _ = self.has_edge.set(Box::new(has_edge));
    }

    /// Lets a neuron listen to one of this host, also before it asks.
    ///
    /// # Errors
    /// [`Refusal::TooMany`].
    pub(in crate::actor) fn admit(&self, source: &NeuronId, listener: &NeuronId) -> Result<(), Refusal> {
        if self.may_listen(source, listener) {
            return Ok(());
        }
        let mut admitted = self.admitted.borrow_mut();
        if admitted.len() >= MAX_ADMITTED {
            return Err(Refusal::TooMany(format!("{MAX_ADMITTED} listeners that are not in the network of the host")));
        }
        admitted.insert((source.clone(), listener.clone()));
        Ok(())
    }

    /// Ends what [`admit`](Self::admit) has begun: the connection has ended.
    pub(super) fn dismiss(&self, source: &NeuronId, listener: &NeuronId) {
        let mut admitted = self.admitted.borrow_mut();
        if !admitted.is_empty() {
            admitted.remove(&(source.clone(), listener.clone()));
        }
    }

    /// Returns whether a neuron may listen to one of this host.
    pub(super) fn may_listen(&self, source: &NeuronId, listener: &NeuronId) -> bool {
        self.has_edge.get().is_some_and(|has_edge| has_edge(source, listener))
            || self.admitted.borrow().contains(&(source.clone(), listener.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> NeuronId {
        name.parse().expect("a name")
    }

    #[test]
    fn a_neuron_may_listen_if_the_network_or_a_controller_says_so() {
        let listeners = Listeners::default();
        assert!(!listeners.may_listen(&id("x"), &id("z")), "before the start nothing is known");
        listeners.set_network(|source, listener| (source.as_str(), listener.as_str()) == ("x", "z"));
        assert!(listeners.may_listen(&id("x"), &id("z")));
        assert!(!listeners.may_listen(&id("z"), &id("x")));
        listeners.admit(&id("x"), &id("w")).unwrap();
        assert!(listeners.may_listen(&id("x"), &id("w")));
        listeners.dismiss(&id("x"), &id("w"));
        listeners.dismiss(&id("x"), &id("z"));
        assert!(!listeners.may_listen(&id("x"), &id("w")));
        assert!(listeners.may_listen(&id("x"), &id("z")), "the network still says so");
    }

    #[test]
    fn there_is_a_bound_and_a_refusal_beyond_it() {
        let listeners = Listeners::default();
        for number in 0..MAX_ADMITTED {
            listeners.admit(&id("x"), &id(&format!("n{number}"))).unwrap();
        }
        listeners.admit(&id("x"), &id("one-too-many")).unwrap_err();
        listeners.admit(&id("x"), &id("n7")).unwrap();
        listeners.dismiss(&id("x"), &id("n7"));
        listeners.admit(&id("x"), &id("one-more")).unwrap();
    }
}
