//! The cost of the protocol in virtual time: messages for a wave, messages at rest, and the delay
//! that a dead host causes.

use std::{collections::BTreeMap, time::Duration};

use neuron_core::{
    Network, NeuronId,
    sim::{Action, Delay, Plan},
    transport::Pace,
};

const fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

/// Returns the network of the examples. Stimuli and leases last longer than any run here, so that
/// nothing expires and nothing is renewed while a wave is counted.
fn xor() -> Network {
    Network::builder("xor")
        .hold(ms(1_000_000))
        .lease(ms(10_000_000))
        .neuron("x", |x| x.threshold(0.9))
        .neuron("y", |y| y.threshold(0.9))
        .neuron("h1", |h1| h1.threshold(0.9).weight("x", 1.0))
        .neuron("h2", |h2| h2.threshold(1.9).weight("x", 1.0).weight("y", 1.0))
        .neuron("h3", |h3| h3.threshold(0.9).weight("y", 1.0))
        .neuron("z", |z| z.threshold(0.9).weight("h1", 1.0).weight("h2", -2.0).weight("h3", 1.0))
        .build()
        .unwrap()
}

/// Returns a plan in which messages take up to 2 ms, and an input is probed once it has been silent
/// for longer than that.
fn plan(network: Network) -> Plan {
    let mut plan = Plan::new(network, 2016).delay(Delay::UpTo(ms(2)));
    plan.guarantees.pace = Pace { grace: ms(15), retry: ms(25) };
    plan.end = Duration::from_secs(10);
    plan
}

/// Returns the signals that actions cause, by kind: those of a run with them less those without.
fn caused(actions: &[(Duration, Action)]) -> BTreeMap<&'static str, u64> {
    let quiet = plan(xor()).run();
    let mut busy = plan(xor());
    busy.actions = actions.to_vec();
    let busy = busy.run();
    assert_eq!((&quiet.failures, &busy.failures), (&vec![], &vec![]));
    let mut caused = busy.totals.signals;
    for (kind, count) in quiet.totals.signals {
        *caused.entry(kind).or_default() -= count;
    }
    caused.retain(|_, count| *count > 0);
    caused
}

fn present(x: f64, y: f64) -> Action {
    Action::Present(vec![(id("x"), x), (id("y"), y)])
}

#[test]
fn a_wave_over_all_sources_costs_one_statement_for_each_edge() {
    for (x, y) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        let signals = caused(&[(ms(1000), present(x, y))]);
        let changed = signals.get("changed").copied().unwrap_or(0);
        let nothing = signals.get("nothing").copied().unwrap_or(0);
        assert_eq!(changed + nothing, 7, "({x}, {y}): {signals:?}");
        assert_eq!(signals.get("ack").copied().unwrap_or(0), changed, "({x}, {y}): {signals:?}");
        assert!(!signals.contains_key("probe"), "({x}, {y}): {signals:?}");
    }
}

#[test]
fn a_source_alone_costs_its_edges_and_a_probe_for_each_silent_input() {
    // x sends to h1 and h2, which send to z. h2 and z probe y, the latter by way of h3, and get
    // answers.
    let signals = caused(&[(ms(1000), Action::stimulate("x", 1.0))]);
    assert_eq!(signals, [("ack", 3), ("changed", 3), ("nothing", 6), ("probe", 4)].into());
}

#[test]
fn at_rest_nothing_is_sent() {
    let run = |seconds| {
        let mut plan = plan(xor());
        plan.actions.push((ms(1000), Action::Stimulate { neuron: id("x"), level: 1.0, hold: Some(ms(200)) }));
        plan.end = Duration::from_secs(seconds);
        plan.run().totals
    };
    let (soon, late) = (run(10), run(1000));
    assert_eq!(soon.messages(), late.messages());
}

#[test]
fn a_level_that_lasts_costs_a_renewal_for_each_edge_three_times_a_lease() {
    let network = Network::builder("not")
        .neuron("x", |x| x.threshold(0.9))
        .neuron("not_x", |n| n.threshold(-0.5).weight("x", -1.0))
        .neuron("lamp", |lamp| lamp.threshold(0.9).weight("not_x", 1.0))
        .neuron("bell", |bell| bell.threshold(0.9).weight("not_x", 1.0))
        .build()
        .unwrap();
    let run = |seconds| {
        let mut plan = plan(network.clone());
        plan.end = Duration::from_secs(seconds);
        plan.run().totals
    };
    let (soon, late) = (run(20), run(220));
    // Two edges carry a level that is not 0, for 200 s, with a lease of 2 s.
    assert_eq!(late.messages() - soon.messages(), 2 * 200 * 3 / 2);
    assert_eq!(late.signals["nothing"] - soon.signals["nothing"], late.messages() - soon.messages());
}

/// Returns a network of a hundred hosts with a neuron each: sixty sources, thirty joins of four
/// sources each, ten joins of three joins each.
fn hundred_hosts() -> (Network, Vec<NeuronId>) {
    let mut builder = Network::builder("hundred");
    for source in 0..60 {
        builder = builder.neuron(&format!("s{source}"), |s| s.threshold(0.9));
    }
    let mut joins = Vec::new();
    for join in 0..30 {
        let name = format!("j{join}");
        builder = builder.neuron(&name, |j| {
            (0..4).fold(j.threshold(1.9), |j, input| j.weight(&format!("s{}", (join * 2 + input) % 60), 1.0))
        });
        joins.push(id(&name));
    }
    for join in 0..10 {
        let name = format!("k{join}");
        builder = builder.neuron(&name, |k| {
            (0..3).fold(k.threshold(0.9), |k, input| k.weight(&format!("j{}", join * 3 + input), 1.0))
        });
        joins.push(id(&name));
    }
    (builder.build().unwrap(), joins)
}

#[test]
fn a_dead_host_costs_each_join_one_patience_once() {
    let (network, joins) = hundred_hosts();
    let patience = network.settings().patience;
    let mut plan = plan(network);
    plan.actions.push((ms(1000), Action::crash("s4")));
    for (wave, at) in [2000, 4000, 6000].into_iter().enumerate() {
        let member = |source: u64| (id(&format!("s{source}")), if wave == 1 { 0.0 } else { 1.0 });
        plan.actions.push((ms(at), Action::Present((0..60).filter(|source| *source != 4).map(member).collect())));
        plan.actions.extend(joins.iter().map(|join| (ms(at + 20), Action::Query(join.clone()))));
    }
    let outcome = plan.run();
    assert_eq!(outcome.failures, []);
    assert_eq!(outcome.queries.len(), 3 * joins.len());
    // To a join of joins and back: a query, a probe over two edges, and the answers, at most 2 ms
    // each, and the grace.
    let slowest_path = ms(15 + 6 * 2 + 4);
    for query in &outcome.queries[..joins.len()] {
        let took = query.latency.unwrap_or_else(|| panic!("{} did not answer", query.neuron));
        assert!(took <= patience + slowest_path, "{} took {took:?}", query.neuron);
    }
    let waited = outcome.queries[..joins.len()].iter().filter(|query| query.latency.is_some_and(|took| took > ms(100)));
    assert!(waited.count() > 0, "no join waited for the dead host");
    for query in &outcome.queries[joins.len()..] {
        let took = query.latency.unwrap_or_else(|| panic!("{} did not answer", query.neuron));
        assert!(took <= slowest_path, "{} took {took:?}, and waited again", query.neuron);
    }
}

#[test]
fn an_answer_names_the_dead_host_only_if_it_could_have_changed_it() {
    let (network, joins) = hundred_hosts();
    let mut plan = plan(network);
    plan.actions.push((ms(1000), Action::crash("s4")));
    let ones = (0..60).filter(|source| *source != 4).map(|source| (id(&format!("s{source}")), 1.0));
    plan.actions.push((ms(2000), Action::Present(ones.collect())));
    plan.actions.extend(joins.iter().map(|join| (ms(2020), Action::Query(join.clone()))));
    let outcome = plan.run();
    assert_eq!(outcome.failures, []);
    // Two inputs of four are enough, and each join has three that are up.
    for query in &outcome.queries {
        let answer = query.answer.as_ref().unwrap_or_else(|| panic!("{} did not answer", query.neuron));
        assert!(!answer.is_degraded() && answer.level == 1.0, "{}: {answer:?}", query.neuron);
    }
}

/// The example of the README.
#[test]
fn without_y_the_answer_of_xor_is_degraded() {
    let network = Network::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/xor.toml")).unwrap();
    let plan = Plan::new(network, 7)
        .loss(20)
        .at(ms(1000), Action::crash("y"))
        .at(ms(2000), Action::stimulate("x", 1.0))
        .at(ms(3000), Action::Query(id("z")));
    let outcome = plan.run();
    assert_eq!(outcome.failures, []);
    assert_eq!(outcome.queries[0].answer.as_ref().unwrap().missing.to_string(), "y");
}

/// Returns a network in which `a` is an input of `lamp` over an edge with a delay.
fn delayed() -> Network {
    Network::builder("delayed")
        .neuron("a", |a| a.threshold(0.9))
        .neuron("lamp", |lamp| lamp.threshold(0.9).delayed_weight("a", 1.0, ms(300)))
        .build()
        .unwrap()
}

#[test]
fn a_level_of_an_ended_incarnation_does_not_come_back_with_its_source() {
    let mut plan = plan(delayed());
    plan.end = Duration::from_secs(20);
    let plan = plan
        .at(ms(1000), Action::stimulate("a", 1.0))
        .at(ms(2000), Action::crash("a"))
        .at(ms(6000), Action::restart("a"));
    for at in (5000..7000).step_by(5) {
        let outcome = plan.clone().at(ms(at), Action::Query(id("lamp"))).run();
        assert_eq!(outcome.failures, []);
        if let Some(answer) = &outcome.queries[0].answer {
            assert!(answer.level == 0.0, "at {at} ms: {answer:?}");
        }
        assert!(!outcome.final_value("lamp").is_degraded());
    }
}

#[test]
fn a_known_input_costs_one_patience_even_if_it_crashes_while_it_resumes() {
    let network = Network::builder("pair")
        .neuron("a", |a| a.threshold(0.9))
        .neuron("z", |z| z.threshold(0.9).weight("a", 1.0))
        .build()
        .unwrap();
    let patience = network.settings().patience;
    for died in 0..40 {
        let plan = plan(network.clone())
            .at(ms(2000), Action::crash("a"))
            .at(ms(2100), Action::restart("a"))
            .at(ms(2100) + Duration::from_micros(died * 100), Action::crash("a"))
            .at(ms(4000), Action::Query(id("z")));
        let took = plan.run().queries[0].latency.expect("z answers");
        assert!(took <= patience + ms(30), "{took:?}");
    }
}
