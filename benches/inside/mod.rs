//! Our neurons in one host, with a transport that notes when sources have been told to speak, and when the last neuron decides.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use benches::plan::Plan;
use futures_util::future::join_all;
use neuron_core::{
    actor::{Host, block_on},
    command::Report,
    neuron::Mode,
    transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError},
};
use transport_local::LocalTransport;

/// A plan that runs in a host.
pub(crate) struct Inside {
    host: Host,
    stamps: Arc<Mutex<Stamps>>,
    sources: Vec<String>,
    last: String,
    waves: u64,
}

#[derive(Debug, Default)]
struct Stamps {
    /// When the last reply of a source has left; then it speaks.
    told: Option<Instant>,
    decided: Option<Instant>,
}

impl Inside {
    pub(crate) fn start(plan: &Plan, mode: Mode) -> Self {
        let (stamps, last) = (Arc::new(Mutex::new(Stamps::default())), plan.last());
        let transport = Stopwatch { inner: LocalTransport::new(), stamps: stamps.clone(), last: last.clone() };
        let host = block_on(Host::start(plan.network(mode), Arc::new(transport))).expect("the host starts");
        let sources = (0..plan.sources.len()).map(|number| format!("s{number}")).collect();
        Self { host, stamps, sources, last, waves: 0 }
    }

    /// Lets so many waves in, one after the other: for each the time, on the host's thread, from the last word to a source to the
    /// decision of the last neuron.
    pub(crate) fn one_by_one(&mut self, waves: u64, times: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch(&self.last).await.expect("the last neuron can be watched");
            watch.next().await.expect("the level to start from");
            for _ in 0..waves {
                *self.stamps() = Stamps::default();
                let level = self.level();
                let stimuli: Vec<_> = self.sources.iter().map(|name| (name.as_str(), 0.0)).collect();
                match &*stimuli {
                    [(source, _)] => drop(controller.stimulate(source, level).await.expect("it is stimulated")),
                    [(first, _), others @ ..] => {
                        let stimuli: Vec<_> = [(*first, level)].into_iter().chain(others.iter().copied()).collect();
                        controller.present(&stimuli).await.expect("the wave enters");
                    }
                    [] => unreachable!("a plan has a source"),
                }
                watch.next().await.expect("the last neuron changes");
                let Stamps { told: Some(told), decided: Some(decided) } = *self.stamps() else {
                    panic!("the last neuron changes after a source was told")
                };
                times.push(decided.saturating_duration_since(told));
                self.waves += 1;
            }
        });
    }

    /// Lets so many waves in at once, from outside: the time from the first word to the last decision.
    #[allow(dead_code, reason = "not every bench has many in flight")]
    pub(crate) fn at_once(&mut self, waves: u64) -> Duration {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch(&self.last).await.expect("the last neuron can be watched");
            watch.next().await.expect("the level to start from");
            let begin = Instant::now();
            let levels = (self.waves..self.waves + waves).map(|wave| if wave.is_multiple_of(2) { 1.0 } else { 0.0 });
            let entering = join_all(levels.map(|level| controller.stimulate(&self.sources[0], level)));
            let leaving = async {
                let mut left = waves;
                while left > 0 {
                    left -= 1 + watch.next().await.expect("the last neuron changes").missed;
                }
            };
            let (entered, ()) = futures_util::future::join(entering, leaving).await;
            assert!(entered.into_iter().all(|stamp| stamp.is_ok()));
            self.waves += waves;
            begin.elapsed()
        })
    }

    fn level(&self) -> f64 {
        if self.waves.is_multiple_of(2) { 1.0 } else { 0.0 }
    }

    fn stamps(&self) -> std::sync::MutexGuard<'_, Stamps> {
        self.stamps.lock().expect("nobody panicked")
    }
}

#[derive(Debug)]
struct Stopwatch {
    inner: LocalTransport,
    stamps: Arc<Mutex<Stamps>>,
    last: String,
}

impl Transport for Stopwatch {
    fn send(&self, envelope: Envelope) -> Sending {
        let now = Instant::now();
        let Envelope::Report { from, report, .. } = &envelope else { return self.inner.send(envelope) };
        let stamps = || self.stamps.lock().expect("nobody panicked");
        match **report {
            Report::Changed { .. } if from.as_str() == self.last => stamps().decided = Some(now),
            // A source replies to the one who stimulates it, and then speaks. To wake the thread that hears of it takes longer
            // than all the rest.
            Report::Reply { .. } if from.as_str().starts_with('s') => {
                let sending = self.inner.send(envelope);
                stamps().told = Some(Instant::now());
                return sending;
            }
            _ => {}
        }
        self.inner.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn is_direct(&self) -> bool {
        self.inner.is_direct()
    }
}
