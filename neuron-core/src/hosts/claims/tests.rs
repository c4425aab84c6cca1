//! Hosts that claim the same neurons, with time moved by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

fn neuron(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

fn claims(id: u64, now: u64) -> HostClaims {
    HostClaims::new(format!("host-{id}").parse().expect("a name"), id, at(now))
}

/// Returns the answer of one host to the claim of another one.
fn answer_of(host: &mut HostClaims, to: &Claim, now: u64) -> Claim {
    match host.receive(to, at(now)) {
        ClaimOutput::Answer(answer) => answer,
        other => panic!("an answer is expected, not {other:?}"),
    }
}

fn first_claim(host: &mut HostClaims, now: u64) -> Claim {
    host.next_round(&[neuron("z")], at(now)).pop().expect("the first round")
}

#[test]
fn a_host_that_runs_refuses_one_that_starts_whatever_their_clocks_show() {
    let (mut runs, mut starts) = (claims(1, 5_000_000), claims(2, 1000));
    runs.establish(at(5_000_000));
    let claim = first_claim(&mut starts, 1000);
    let answer = answer_of(&mut runs, &claim, 5_100_000);
    assert_eq!(starts.receive(&answer, at(1010)), ClaimOutput::GiveWay);
    // From then on it says nothing.
    assert_eq!(starts.receive(&answer, at(1020)), ClaimOutput::Nothing);
    assert_eq!((starts.next_round(&[neuron("z")], at(2000)), starts.wake_at()), (vec![], None));
}

#[test]
fn a_claim_that_answers_nothing_ends_no_host() {
    let (mut dead, mut starts) = (claims(1, 0), claims(2, 1000));
    let kept = first_claim(&mut dead, 0);
    assert!(matches!(starts.receive(&kept, at(1000)), ClaimOutput::Answer(_)));
    // Neither does the answer to another host.
    let to_another = Claim { answers: Some(3), is_established: true, ..kept };
    assert_eq!(starts.receive(&to_another, at(1000)), ClaimOutput::Nothing);
    first_claim(&mut starts, 1000);
    starts.next_round(&[neuron("z")], at(1250));
    assert!(starts.is_established());
}

#[test]
fn a_host_alone_waits_for_answers_no_longer_than_a_message_takes() {
    let mut host = claims(1, 0);
    let own = first_claim(&mut host, 0);
    assert_eq!(host.receive(&own, at(2)), ClaimOutput::Nothing);
    for now in 3..52 {
        host.next_round(&[neuron("z")], at(now));
        assert!(!host.is_established(), "after {now} ms");
    }
    host.next_round(&[neuron("z")], at(52));
    assert!(host.is_established());
}

#[test]
fn of_two_that_run_the_older_goes_on_and_its_neurons_prevail() {
    let (mut older, mut younger) = (claims(9, 100), claims(1, 200));
    for host in [&mut older, &mut younger] {
        host.establish(at(300));
    }
    assert!(!older.prevails_over_rival(at(300)));
    let claim = older.claim(&neuron("z"), None);
    let answer = answer_of(&mut younger, &claim, 400);
    // The younger one does not know it yet; the older one tells it.
    let told = answer_of(&mut older, &answer, 410);
    assert!(older.prevails_over_rival(at(500)));
    assert!(!older.prevails_over_rival(at(40_000)));
    assert_eq!(younger.receive(&told, at(420)), ClaimOutput::GiveWay);
    // One that had only begun to wait ran no neuron, and fenced none. One that ran says so at the end.
    let mut prevails = claims(5, 50);
    prevails.establish(at(300));
    let starts = Claim { is_established: false, ..younger.claim(&neuron("z"), None) };
    answer_of(&mut prevails, &starts, 430);
    assert!(!prevails.prevails_over_rival(at(430)));
    let told = Claim { id: 5, ..told };
    answer_of(&mut prevails, &younger.farewell(&told), 440);
    assert!(prevails.prevails_over_rival(at(440)));
    assert!(!younger.prevails_over_rival(at(420)));
}

#[test]
fn a_host_that_runs_claims_all_once_and_then_a_few_at_a_time_ever_more_rarely() {
    let names: Vec<NeuronId> = (0..100).map(|number| neuron(&format!("n{number:03}"))).collect();
    let mut host = claims(1, 0);
    assert_eq!(host.next_round(&names, at(0)).len(), 100);
    host.establish(at(0));
    let mut claimed = BTreeMap::new();
    for second in 1..1000 {
        for claim in host.next_round(&names, at(second * 1000)) {
            claimed.entry(second).or_insert_with(BTreeSet::new).insert(claim.neuron);
        }
    }
    assert_eq!(claimed.keys().copied().collect::<Vec<u64>>(), [1, 2, 4, 8, 16, 32, 64]);
    assert!(claimed.values().all(|neurons| neurons.len() == MAX_REPEATED));
    assert!(claimed[&1].is_disjoint(&claimed[&2]), "they take turns");
    host.begin_anew(at(2_000_000));
    assert_eq!(host.next_round(&names, at(2_000_000)).len(), 100);
    // Neurons that are fenced make it claim again, but not without end.
    for _ in 0..100 {
        host.on_fenced(at(3_000_000));
        host.next_round(&names, at(3_000_000));
    }
    assert_eq!(host.wake_at(), Some(at(3_001_000)));
}

/// Hosts that all run the neuron `z`, over a carrier that delays and loses.
struct World {
    rng: fastrand::Rng,
    /// By the time of the world in milliseconds.
    now: u64,
    hosts: Vec<Host>,
    under_way: BTreeMap<(u64, usize), (usize, Claim)>,
    sent: usize,
    longest: u64,
    lost_percent: u8,
}

struct Host {
    claims: HostClaims,
    start: u64,
    /// By how much its clock is ahead of the world's, in milliseconds.
    ahead: u64,
    has_ended: bool,
}

impl World {
    fn new(seed: u64, longest: u64, lost_percent: u8) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let hosts = (0..rng.u64(2..=3)).map(|_| {
            let (start, ahead) = (rng.u64(0..100), rng.u64(0..200));
            Host { claims: claims(rng.u64(..), start + ahead), start, ahead, has_ended: false }
        });
        let hosts = hosts.collect();
        Self { rng, now: 0, hosts, under_way: BTreeMap::new(), sent: 0, longest, lost_percent }
    }

    fn running(&self) -> usize {
        self.hosts.iter().filter(|host| !host.has_ended && host.claims.is_established()).count()
    }

    /// Sends a claim to all, which hear it if they listen when it arrives.
    fn send(&mut self, claim: &Claim) {
        for to in 0..self.hosts.len() {
            if self.rng.u8(0..100) >= self.lost_percent {
                self.sent += 1;
                let due = self.now + self.rng.u64(0..=self.longest);
                self.under_way.insert((due, self.sent), (to, claim.clone()));
            }
        }
    }

    fn step(&mut self) {
        while let Some(next) = self.under_way.first_entry().filter(|next| next.key().0 <= self.now) {
            let (to, claim) = next.remove();
            let host = &mut self.hosts[to];
            if host.start > self.now || host.has_ended {
                continue;
            }
            match host.claims.receive(&claim, at(self.now + host.ahead)) {
                ClaimOutput::Nothing => {}
                ClaimOutput::Answer(answer) => self.send(&answer),
                ClaimOutput::GiveWay => host.has_ended = true,
            }
        }
        for index in 0..self.hosts.len() {
            let host = &mut self.hosts[index];
            if host.start <= self.now && !host.has_ended {
                let due = host.claims.next_round(&[neuron("z")], at(self.now + host.ahead));
                due.iter().for_each(|claim| self.send(claim));
            }
        }
        self.now += 1;
    }
}

#[test]
fn of_hosts_that_start_together_one_is_left_and_no_two_run_at_once() {
    for seed in 0..1000 {
        let mut world = World::new(seed, 8, 0);
        while world.now < 3000 {
            world.step();
            assert!(world.running() <= 1, "seed {seed}: two run at {}", world.now);
        }
        assert_eq!(world.running(), 1, "seed {seed}");
    }
}

#[test]
fn over_a_carrier_that_loses_and_delays_one_is_left_in_the_end() {
    for seed in 0..1000 {
        let mut world = World::new(seed, 150, 30);
        while world.now < 64_000 {
            world.step();
            assert!(world.hosts.iter().any(|host| !host.has_ended), "seed {seed}: none is left");
        }
        assert_eq!(world.running(), 1, "seed {seed}");
    }
}
