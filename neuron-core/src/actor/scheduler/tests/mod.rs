use std::{
    cell::OnceCell,
    collections::BTreeSet,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context as TaskContext, Waker},
    time::Duration,
};

use super::{HostContext, Listeners, NewCell, ReadinessBarrier, RunningSet, Scheduler, Startup};
use crate::{
    actor::{
        claims::{HostEnd, SharedClaims},
        clock::{Clock, TimeOfDay},
        links::SharedLinks,
    },
    id::NeuronId,
    neuron::{Config, Neuron},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::Time,
    transport::{
        Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, TransportErrorKind, async_trait,
    },
};

/// A transport over which no neuron is reached. It notes what it is given.
#[derive(Debug, Default)]
struct Unconnected(Mutex<Vec<Envelope>>);

#[async_trait]
impl Transport for Unconnected {
    fn send(&self, envelope: Envelope) -> Sending {
        self.0.lock().unwrap().push(envelope);
        Sending::done(Err(TransportErrorKind::NoInbox.into()))
    }

    async fn subscribe(&self, _: &Address) -> Result<Inbox, TransportError> {
        Ok(inbox())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { local_bypass: true, ..Guarantees::IN_PROCESS }
    }
}

fn inbox() -> Inbox {
    Inbox::new(futures_util::stream::pending())
}

fn step(scheduler: &mut Scheduler) -> usize {
    scheduler.step(&mut TaskContext::from_waker(Waker::noop()))
}

fn run(scheduler: &mut Scheduler) {
    while step(scheduler) > 0 {}
}

#[test]
fn signals_queued_for_a_neuron_that_leaves_are_not_lost_silently() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let transport = Arc::new(Unconnected::default());
    let host = Rc::new(HostContext {
        transport: transport.clone(),
        local_bypass: true,
        clock: Clock::start(TimeOfDay::default()),
        counters: Arc::default(),
        store: None,
        ceiling: OnceCell::new(),
        running: RunningSet::default(),
        listeners: Listeners::default(),
        local_inboxes: true,
        links: SharedLinks::new("host".parse().expect("a name")),
        claims: SharedClaims::new("host".parse().expect("a name"), Time::ZERO),
        end: HostEnd::new(),
        record: None,
    });
    let mut scheduler = Scheduler::new(host.clone());
    let [a, b]: [NeuronId; 2] = ["a", "b"].map(|name| name.parse().unwrap());
    for id in [&a, &b] {
        let neuron = Neuron::start(id.clone(), Config::new(), Guarantees::IN_PROCESS, 1, host.clock.now());
        let startup = Startup::new(ReadinessBarrier::new(1), BTreeSet::new(), Duration::ZERO);
        scheduler.spawn(vec![NewCell { neuron, inbox: inbox(), startup }], false);
    }
    run(&mut scheduler);
    // b subscribes; what a states is queued for b, and b leaves.
    let incarnation = Incarnation { number: 1, nonce: 1 };
    let stream = StreamId { incarnation, counter: 1 };
    let signal = Signal { incarnation, body: SignalBody::Subscribe { stream } };
    scheduler.context().mailboxes.push(0, 1, signal);
    let next = |scheduler: &mut Scheduler| Some(scheduler.context().mailboxes.peek_runnable(1).next()?.0);
    while next(&mut scheduler) != Some(1) {
        step(&mut scheduler);
    }
    scheduler.stop(&b);
    run(&mut scheduler);
    let sent = transport.0.lock().unwrap();
    let said: Vec<&SignalBody> = sent
        .iter()
        .filter_map(|envelope| match envelope {
            Envelope::Signal { from, to, signal } if *from == a && *to == b => Some(&signal.body),
            _ => None,
        })
        .collect();
    // It goes out over the transport; b is not there, so a gives the stream up, and says so at
    // once.
    assert!(matches!(said[..], [SignalBody::Changed { .. }, SignalBody::NoStream { .. }]), "{said:?}");
    assert!(host.counters.read().undelivered >= 1);
}
