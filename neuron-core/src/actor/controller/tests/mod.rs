use super::{topology::Topology, validate::check_connection};
use crate::{Network, actor::error::ControlError, id::NeuronId, network::FlatNetwork, neuron::Config};

#[test]
fn a_neuron_that_gets_the_number_of_one_that_left_inherits_nothing() {
    let network = Network::builder("two").neuron("a", |a| a).neuron("b", |b| b.weight("a", 1.0)).build().unwrap();
    let mut topology = Topology::new(&FlatNetwork::from(network));
    let [a, b, c]: [NeuronId; 3] = ["a", "b", "c"].map(|name| name.parse().unwrap());
    assert_eq!(topology.listeners(&a), std::slice::from_ref(&b));
    topology.remove(&a);
    assert!(topology.neuron("a").is_err());
    topology.set(&c, &Config::new().input(b.clone(), 1.0));
    assert_eq!(topology.listeners(&c), []);
    assert_eq!(topology.listeners(&b), std::slice::from_ref(&c));
    let back = check_connection(&topology, &c, &b, None);
    assert!(matches!(back, Err(ControlError::Loop(around)) if around == [b, c.clone(), "b".parse().unwrap()]));
    // c has an input that is not known here.
    topology.set(&c, &Config::new().input(a.clone(), 1.0));
    assert!(topology.neuron("a").is_err());
    assert_eq!(topology.neurons().collect::<Vec<_>>().len(), 2);
    assert_eq!(topology.listeners(&a), [c]);
}
