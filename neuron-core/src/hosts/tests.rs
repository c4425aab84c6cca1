//! Two or three hosts, with time moved by hand.

use std::{collections::BTreeMap, time::Duration};

use super::{
    HostMessage, HostMessageBody, HostState,
    links::{HostLinks, LinkOutput},
};
use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

fn time(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

fn host(name: &str) -> HostId {
    name.parse().expect("a name")
}

fn neuron(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

fn lost(listener: &str, source: &str) -> LinkOutput {
    LinkOutput::Lost { listener: neuron(listener), source: neuron(source) }
}

fn back(listener: &str, source: &str) -> LinkOutput {
    LinkOutput::Back { listener: neuron(listener), source: neuron(source) }
}

/// Hosts that reach each other at once unless they are cut off. Neurons say where they run when
/// they are asked.
#[derive(Default)]
struct Hosts {
    now: u64,
    links: BTreeMap<HostId, HostLinks>,
    homes: BTreeMap<NeuronId, HostId>,
    cut_off: Vec<HostId>,
    /// What was sent, in messages.
    sent: usize,
    /// What neurons were told, with when and on which host.
    told: Vec<(u64, &'static str, LinkOutput)>,
}

impl Hosts {
    /// `here` runs z, which listens to a and b of `there`.
    fn pair() -> Self {
        let mut hosts = Self::default();
        hosts.start("here", 1);
        hosts.start("there", 2);
        for source in ["a", "b"] {
            hosts.homes.insert(neuron(source), host("there"));
            hosts.links("here").subscribe(&neuron("z"), &neuron(source), time(0));
        }
        hosts.run_to(1_500);
        hosts
    }

    fn start(&mut self, name: &str, life: u32) {
        self.links.insert(host(name), HostLinks::new(host(name), life));
    }

    fn links(&mut self, name: &str) -> &mut HostLinks {
        self.links.get_mut(&host(name)).expect("it runs")
    }

    fn state(&self, of: &str) -> HostState {
        let hosts = self.links[&host("here")].hosts();
        hosts.into_iter().find(|info| info.id == host(of)).expect("it is known").state
    }

    /// Kills a host.
    fn kill(&mut self, name: &str) {
        self.links.remove(&host(name));
    }

    fn run_to(&mut self, end: u64) {
        loop {
            let next = self.links.iter().filter_map(|(host, links)| Some((links.wake_at()?, host.clone()))).min();
            let Some((due, host)) = next.filter(|(due, _)| *due <= time(end)) else { break };
            self.now = self.now.max(due.as_micros().div_ceil(1000));
            let now = time(self.now);
            let outputs = self.links.get_mut(&host).map(|links| links.poll(now)).unwrap_or_default();
            self.carry_out(&host, outputs);
        }
        self.now = end;
    }

    fn carry_out(&mut self, from: &HostId, outputs: Vec<LinkOutput>) {
        let now = time(self.now);
        for output in outputs {
            match output {
                LinkOutput::Send { to, message } => {
                    self.sent += 1;
                    self.deliver(from, &to, message);
                }
                LinkOutput::AskHome { source, .. } => {
                    let home = self.homes.get(&source).filter(|home| self.links.contains_key(*home)).cloned();
                    let is_reached = |home: &HostId| !self.cut_off.contains(home) && !self.cut_off.contains(from);
                    if let Some(home) = home.filter(is_reached) {
                        self.links.get_mut(from).expect("it runs").note_home(&source, &home, 1, now);
                    }
                }
                told => {
                    let name = if *from == host("here") { "here" } else { "there" };
                    self.told.push((self.now, name, told));
                }
            }
        }
    }

    fn deliver(&mut self, from: &HostId, to: &HostId, message: HostMessage) {
        let now = time(self.now);
        if self.cut_off.contains(from) || self.cut_off.contains(to) {
            return;
        }
        let outputs = self.links.get_mut(to).map(|links| links.receive(from, message, now)).unwrap_or_default();
        self.carry_out(to, outputs);
    }

    /// Takes what was told, without what was only told again.
    fn take_told(&mut self) -> Vec<LinkOutput> {
        let mut news: Vec<LinkOutput> = Vec::new();
        for (_, _, told) in std::mem::take(&mut self.told) {
            let edge = |output: &LinkOutput| match output {
                LinkOutput::Lost { listener, source } | LinkOutput::Back { listener, source } => {
                    (listener.clone(), source.clone())
                }
                other => panic!("neurons are not told {other:?}"),
            };
            if news.iter().rev().find(|before| edge(before) == edge(&told)) != Some(&told) {
                news.push(told);
            }
        }
        news
    }
}

#[test]
fn hosts_that_share_an_edge_say_once_a_second_that_they_live_and_others_nothing() {
    let mut hosts = Hosts::pair();
    hosts.start("apart", 3);
    hosts.sent = 0;
    hosts.run_to(61_500);
    assert!((118..=124).contains(&hosts.sent), "{} messages in a minute", hosts.sent);
    assert_eq!((hosts.state("there"), hosts.take_told()), (HostState::Up, vec![]));
    assert_eq!(hosts.links("apart").wake_at(), None);
    let there = hosts.links("here").hosts().remove(0);
    assert_eq!((there.neurons, there.round_trip), (vec![neuron("a"), neuron("b")], Some(Duration::ZERO)));
}

#[test]
fn the_loss_of_a_host_is_told_to_all_that_listen_to_its_neurons() {
    let mut hosts = Hosts::pair();
    hosts.run_to(10_000);
    hosts.kill("there");
    hosts.run_to(12_000);
    assert_eq!(hosts.take_told(), []);
    hosts.run_to(15_000);
    assert!(hosts.told.first().is_some_and(|(when, ..)| *when <= 10_000 + 4_500), "{:?}", hosts.told);
    assert_eq!(hosts.take_told(), [lost("z", "a"), lost("z", "b")]);
    assert!(matches!(hosts.state("there"), HostState::Lost { .. }));
    // A signal that was still under way may bring an input back, so it is told again each second.
    hosts.run_to(25_000);
    assert!((18..=22).contains(&hosts.told.len()), "{:?}", hosts.told);
}

#[test]
fn a_neuron_that_claims_to_run_on_a_lost_host_does_not_keep_that_alive() {
    let mut hosts = Hosts::pair();
    hosts.links("here").subscribe(&neuron("z"), &neuron("liar"), time(1_500));
    hosts.kill("there");
    for now in (1_500..8_000).step_by(500) {
        hosts.run_to(now);
        hosts.links("here").note_home(&neuron("liar"), &host("there"), 1, time(now));
    }
    let told = hosts.take_told();
    assert!(told.contains(&lost("z", "a")) && told.contains(&lost("z", "b")), "{told:?}");
}

#[test]
fn a_host_that_was_cut_off_is_back() {
    let mut hosts = Hosts::pair();
    hosts.cut_off.push(host("there"));
    hosts.run_to(20_000);
    assert_eq!(hosts.take_told(), [lost("z", "a"), lost("z", "b")]);
    hosts.cut_off.clear();
    hosts.run_to(23_000);
    assert!(hosts.take_told().ends_with(&[back("z", "a"), back("z", "b")]));
    hosts.run_to(30_000);
    assert_eq!((hosts.state("there"), hosts.take_told()), (HostState::Up, vec![]));
}

#[test]
fn a_host_that_stops_in_order_is_gone_at_once() {
    let mut hosts = Hosts::pair();
    for (to, message) in hosts.links("there").goodbye() {
        hosts.deliver(&host("there"), &to, message);
    }
    hosts.kill("there");
    assert_eq!(hosts.take_told(), [lost("z", "a"), lost("z", "b")]);
    assert!(matches!(hosts.state("there"), HostState::Left { .. }));
    hosts.run_to(30_000);
    hosts.take_told();
    hosts.start("there", 7);
    hosts.run_to(37_000);
    hosts.take_told();
    hosts.run_to(50_000);
    assert_eq!((hosts.state("there"), hosts.take_told()), (HostState::Up, vec![]));
}

#[test]
fn a_host_that_was_started_anew_is_asked_for_its_neurons() {
    let mut hosts = Hosts::pair();
    hosts.kill("there");
    hosts.start("there", 7);
    // It runs only one of the two.
    hosts.homes.remove(&neuron("b"));
    hosts.run_to(10_000);
    assert_eq!(hosts.take_told(), [lost("z", "b")]);
    assert_eq!(hosts.links("here").hosts()[0].neurons, [neuron("a")]);
}

#[test]
fn a_host_that_has_left_is_asked_at_once_when_a_neuron_says_that_it_runs_there() {
    let mut hosts = Hosts::pair();
    let goodbye = HostMessage { life: 2, body: HostMessageBody::Goodbye };
    hosts.links("here").receive(&host("there"), goodbye, time(1_500));
    hosts.links("here").poll(time(1_510));
    let links = hosts.links("here");
    links.note_home(&neuron("a"), &host("there"), 2, time(1_600));
    let asks = |output: &LinkOutput| matches!(output, LinkOutput::Send { to, .. } if *to == host("there"));
    assert!(links.poll(time(1_600)).iter().any(asks), "b was known to run there, and a is heard");
}

#[test]
fn a_neuron_that_stops_alone_is_told() {
    let mut hosts = Hosts::pair();
    let now = time(hosts.now);
    hosts.homes.remove(&neuron("a"));
    hosts.links("there").stop(&neuron("a"), now);
    hosts.run_to(1_600);
    assert_eq!(hosts.take_told(), [lost("z", "a")]);
    hosts.run_to(30_000);
    assert_eq!(hosts.take_told(), [lost("z", "a")], "and b is not");
}

#[test]
fn a_message_that_a_broker_has_kept_does_not_bring_a_host_back() {
    let mut hosts = Hosts::pair();
    hosts.run_to(10_000);
    let kept = HostMessage {
        life: 2,
        body: HostMessageBody::Alive { number: 9, echo: 4, held: Duration::ZERO, listens: true },
    };
    hosts.kill("there");
    hosts.run_to(20_000);
    assert_eq!(hosts.take_told().len(), 2);
    for echo in [0, 1, 4, (1 << 32) + 5] {
        let body = HostMessageBody::Alive { number: (2 << 32) + 9, echo, held: Duration::ZERO, listens: true };
        hosts.deliver(&host("there"), &host("here"), HostMessage { body, ..kept.clone() });
        // Neither does one of another life.
        hosts.deliver(&host("there"), &host("here"), HostMessage { life: 1, ..kept.clone() });
    }
    hosts.run_to(40_000);
    assert_eq!(hosts.take_told(), [lost("z", "a"), lost("z", "b")]);
    assert!(matches!(hosts.state("there"), HostState::Lost { .. }));
}

#[test]
fn a_sign_of_life_that_is_not_newer_than_the_last_one_is_not_answered() {
    let mut hosts = Hosts::pair();
    hosts.run_to(4_600);
    let now = time(4_600);
    // The echo is unknown, as that of a host is that has not heard this one yet.
    let alive = |number: u64| HostMessage {
        life: 2,
        body: HostMessageBody::Alive { number: (2 << 32) + number, echo: 0, held: Duration::ZERO, listens: true },
    };
    let here = hosts.links("here");
    here.receive(&host("there"), alive(100), now);
    assert_eq!(here.wake_at(), Some(now), "a new one is answered at once");
    assert_ne!(here.poll(now), []);
    here.receive(&host("there"), alive(100), now);
    here.receive(&host("there"), alive(99), now);
    assert!(here.wake_at() > Some(now), "it came twice, or was overtaken");
}

#[test]
fn a_host_that_was_stalled_itself_calls_no_other_lost() {
    let mut hosts = Hosts::pair();
    hosts.run_to(5_000);
    // Nothing runs here for 20 seconds, and then what has come meanwhile is read after the clock.
    hosts.now = 25_000;
    let outputs = hosts.links("here").poll(time(25_000));
    hosts.carry_out(&host("here"), outputs);
    hosts.run_to(30_000);
    assert_eq!(hosts.take_told(), []);
}

#[test]
fn two_signs_of_life_may_be_lost_on_the_way() {
    let mut hosts = Hosts::pair();
    for round in 1..=20 {
        // Both directions are cut off for two of their messages each.
        hosts.run_to(10_000 * round + 370 * round);
        hosts.cut_off.push(host("there"));
        hosts.run_to(10_000 * round + 370 * round + 1_990);
        hosts.cut_off.clear();
    }
    assert_eq!(hosts.take_told(), []);
}

#[test]
fn a_neuron_that_has_moved_is_found_where_it_runs() {
    let mut hosts = Hosts::pair();
    hosts.run_to(5_000);
    hosts.kill("there");
    hosts.start("elsewhere", 9);
    hosts.run_to(20_000);
    hosts.take_told();
    for source in ["a", "b"] {
        hosts.homes.insert(neuron(source), host("elsewhere"));
    }
    hosts.run_to(30_000);
    hosts.take_told();
    hosts.run_to(40_000);
    assert_eq!((hosts.state("elsewhere"), hosts.take_told()), (HostState::Up, vec![]));
    // What an earlier incarnation has said, and a broker has kept, does not count.
    hosts.links("here").note_home(&neuron("a"), &host("elsewhere"), 3, time(40_000));
    hosts.links("here").note_home(&neuron("a"), &host("there"), 2, time(40_000));
    hosts.kill("elsewhere");
    hosts.run_to(50_000);
    assert_eq!(hosts.take_told(), [lost("z", "a"), lost("z", "b")]);
}

#[test]
fn a_host_that_has_said_goodbye_is_silent() {
    let mut hosts = Hosts::pair();
    let links = hosts.links("there");
    assert_eq!(links.goodbye().len(), 1);
    assert_eq!((links.poll(time(9_000)), links.wake_at()), (vec![], None));
}

#[test]
fn the_host_of_a_neuron_that_a_controller_addresses_is_watched_as_well() {
    let mut hosts = Hosts::pair();
    hosts.start("desk", 3);
    let now = time(hosts.now);
    let desk = hosts.links("desk");
    assert!(desk.address(&neuron("a"), now), "it is asked where it runs");
    assert!(!desk.address(&neuron("a"), now), "once");
    desk.note_home(&neuron("a"), &host("there"), 1, now);
    hosts.run_to(10_000);
    assert_eq!(hosts.links("desk").away(&neuron("a")), None);
    hosts.kill("there");
    hosts.run_to(15_000);
    let away = hosts.links("desk").away(&neuron("a"));
    assert!(matches!(&away, Some((of, HostState::Lost { .. })) if *of == host("there")), "{away:?}");
    assert_eq!(hosts.links("desk").away(&neuron("b")), None, "nothing is known of it");
}

#[test]
fn a_host_that_is_not_listened_to_any_more_is_forgotten() {
    let mut hosts = Hosts::pair();
    for source in ["a", "b"] {
        hosts.links("here").unsubscribe(&neuron("z"), &neuron(source));
    }
    hosts.run_to(40_000);
    hosts.sent = 0;
    hosts.run_to(80_000);
    assert_eq!(hosts.sent, 0);
    assert_eq!(hosts.links("here").hosts(), []);
    assert_eq!(hosts.links("there").wake_at(), None);
}
