//! A network of neuron-core in one host, with a transport that notes when the sources have been
//! stimulated and when the last neuron decides.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use benches::plan::Plan;
use futures_util::future::join_all;
use neuron_core::{
    actor::{Host, block_on},
    command::{Answer, Report},
    neuron::Mode,
    transport::{Address, BrokerRefusal, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
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
    /// When the last source has replied to its stimulus; it sends its level after that.
    told: Option<Instant>,
    decided: Option<Instant>,
}

impl Inside {
    pub(crate) fn start(plan: &Plan, mode: Mode) -> Self {
        let stamps = Arc::new(Mutex::new(Stamps::default()));
        let last = plan.last();
        let transport = Stopwatch { inner: LocalTransport::new(), stamps: stamps.clone(), last: last.clone() };
        let host = block_on(Host::start(plan.network(mode), Arc::new(transport))).expect("the host starts");
        let sources = (0..plan.sources.len()).map(|number| format!("s{number}")).collect();
        Self { host, stamps, sources, last, waves: 0 }
    }

    /// Lets that many waves in, one after the other, and adds the time of each to `times`: on the
    /// host's thread, from the reply of the last source to the decision of the last neuron.
    pub(crate) fn one_by_one(&mut self, waves: u64, times: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch(&self.last).await.expect("the last neuron can be watched");
            watch.next().await.expect("the level to start from");
            for _ in 0..waves {
                *self.stamps() = Stamps::default();
                let level = level(self.waves);
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
                times.push(self.stamps().took());
                self.waves += 1;
            }
        });
    }

    /// Lets that many waves in at once, with one request, and returns the time, on the host's
    /// thread, from the reply of the source to the answer of the last neuron, which is asked for
    /// its level at the last of their tags.
    #[allow(dead_code, reason = "not every bench has many in flight")]
    pub(crate) fn in_one_train(&mut self, waves: u64) -> Duration {
        *self.stamps() = Stamps::default();
        let levels: Vec<f64> = (self.waves..self.waves + waves).map(level).collect();
        block_on(async {
            let controller = self.host.controller();
            let tags = controller.stimulate_train(&self.sources[0], &levels).await.expect("it is stimulated");
            let last = tags.last().expect("there is a wave");
            let sample = controller.output_at(&self.last, *last).await.expect("the last neuron answers");
            assert_eq!(Some(&sample.level), levels.last(), "all neurons follow the source");
        });
        self.waves += waves;
        self.stamps().took()
    }

    /// Lets that many waves in at once, each with a request of its own, and returns the time, on
    /// this thread, from the first request to the last decision.
    #[allow(dead_code, reason = "not every bench has many in flight")]
    pub(crate) fn at_once(&mut self, waves: u64) -> Duration {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch(&self.last).await.expect("the last neuron can be watched");
            watch.next().await.expect("the level to start from");
            let begin = Instant::now();
            let levels = (self.waves..self.waves + waves).map(level);
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

    fn stamps(&self) -> std::sync::MutexGuard<'_, Stamps> {
        self.stamps.lock().expect("no thread panics with the lock")
    }
}

impl Stamps {
    fn took(&self) -> Duration {
        let told = self.told.expect("a source was stimulated");
        let decided = self.decided.expect("the last neuron decided");
        decided.saturating_duration_since(told)
    }
}

/// Returns the level of a wave: another one than that of the wave before, so all neurons change.
fn level(wave: u64) -> f64 {
    if wave.is_multiple_of(2) { 1.0 } else { 0.0 }
}

#[derive(Debug)]
struct Stopwatch {
    inner: LocalTransport,
    stamps: Arc<Mutex<Stamps>>,
    last: String,
}

#[async_trait]
impl Transport for Stopwatch {
    fn send(&self, envelope: Envelope) -> Sending {
        let now = Instant::now();
        let Envelope::Report { from, report, .. } = &envelope else { return self.inner.send(envelope) };
        let stamps = || self.stamps.lock().expect("no thread panics with the lock");
        match **report {
            Report::Changed { .. } | Report::Reply { result: Ok(Answer::Output(_)), .. }
                if from.as_str() == self.last =>
            {
                stamps().decided = Some(now);
            }
            // A source replies to the controller before it sends its level. Take the time after the
            // reply: waking the controller's thread takes longer than all the rest.
            Report::Reply { .. } if from.as_str().starts_with('s') => {
                let sending = self.inner.send(envelope);
                stamps().told = Some(Instant::now());
                return sending;
            }
            _ => {}
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.inner.last_refusal(to)
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.inner.detach_from_current_thread().await;
    }

    fn guarantees(&self) -> Guarantees {
        // It looks at reports alone, which do not bypass it.
        self.inner.guarantees()
    }
}
