//! The controller: everything that is done to a network from outside, by message.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::{
    Changes, Watch,
    requests::{Outset, RequestClient, TIMEOUT, unexpected},
    tag_agreement::TagAgreement,
    topology::parse,
    watch::{Guard, WatchSender},
};
use crate::actor::ControlError;
use crate::{
    command::{Answer, Command, ConfigChange, ConfigView, Firing, Refusal, Sample, Stamp, Stimulus},
    id::{NeuronId, SensorId, Source},
    neuron::Counters,
    tag::{Tag, Time},
    transport::Inbox,
};

/// Steers a network: stimulates, asks, watches, rewires.
///
/// Cheap to clone. Its calls are futures that need no runtime; with [`block_on`](crate::actor::block_on) they can be waited for
/// anywhere. Names are checked before anything is sent.
#[derive(Clone, Debug)]
pub struct Controller {
    client: Arc<RequestClient>,
}

/// A wave that has entered the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its tag.
    pub tag: Tag,
    /// Membership that could not offer the wave and were stamped alone, each with its own tag. Empty, unless a member was
    /// held up for longer than half the patience.
    pub late: BTreeMap<NeuronId, Tag>,
}

impl Presented {
    fn new(tag: Tag, membership: Vec<Result<(NeuronId, Stamp), ControlError>>) -> Result<Self, ControlError> {
        let mut late = BTreeMap::new();
        for member in membership {
            let (member, stamp) = member?;
            if stamp.moved {
                late.insert(member, stamp.tag);
            }
        }
        Ok(Self { tag, late })
    }
}

impl Controller {
    pub(in crate::actor) fn new(outset: Outset, runtime: Handle, inbox: Inbox) -> Self {
        Self { client: RequestClient::start(outset, runtime, inbox) }
    }

    pub(in crate::actor) fn client(&self) -> &RequestClient {
        &self.client
    }

    /// Does something that must not be left half done.
    pub(in crate::actor) async fn run_to_completion<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.client.run_to_completion(task).await
    }

    pub(in crate::actor) fn close(&self) {
        self.client.close();
    }

    /// The present time, as a tag: what happens from now on carries a later one.
    pub fn now(&self) -> Tag {
        Tag::at(self.client.clock.now())
    }

    /// Gives several sources their levels at one tag, so that they are one wave: nobody ever sees one without the
    /// others. Membership are neurons (1 makes one fire, 0 ends that) and sensors.
    ///
    /// # Errors
    /// When a name is unknown or named twice, or a level is not possible; then no member is touched. When a member refuses
    /// because it is being reconfigured at the same time, or does not answer, others may have been.
    pub async fn present(&self, levels: &[(&str, f64)]) -> Result<Presented, ControlError> {
        let membership = self.membership(levels)?;
        self.wave(membership).await
    }

    /// The neurons that take part in a wave, each with what enters there.
    fn membership(&self, levels: &[(&str, f64)]) -> Result<BTreeMap<NeuronId, Vec<Stimulus>>, ControlError> {
        let topology = self.client.topology();
        let mut membership: BTreeMap<NeuronId, Vec<Stimulus>> = BTreeMap::new();
        for (name, level) in levels {
            let (owners, sensor) = match topology.source(name)? {
                Source::Neuron(id) => (vec![id], None),
                Source::Sensor(id) => (topology.sensor(name)?.1, Some(id)),
            };
            for owner in owners {
                let stimuli = membership.entry(owner).or_default();
                if stimuli.iter().any(|stimulus| stimulus.sensor == sensor) {
                    return Err(ControlError::Twice((*name).to_owned()));
                }
                stimuli.push(Stimulus { sensor: sensor.clone(), level: *level, hold: None });
            }
        }
        if membership.is_empty() { Err(ControlError::Empty) } else { Ok(membership) }
    }

    /// Reserves at all membership, and commits with the highest floor. If a member cannot take part, none does.
    async fn wave(&self, mut membership: BTreeMap<NeuronId, Vec<Stimulus>>) -> Result<Presented, ControlError> {
        for (member, stimuli) in &membership {
            if let Some(source) = stimuli.iter().find_map(invalid) {
                return Err(ControlError::Refused { neuron: member.clone(), refusal: source });
            }
        }
        let reserving = membership.keys().map(|member| self.client.ask_numbered(member, Command::Reserve));
        let reserved = join_all(reserving).await;
        let mut agreement = TagAgreement::default();
        let mut tickets = Vec::new();
        let mut failed = None;
        for (member, (ticket, answer)) in membership.keys().zip(reserved) {
            match answer {
                Ok(Answer::Floor { floor, latest }) => {
                    agreement.offer(member, floor, latest);
                    tickets.push((member.clone(), ticket));
                }
                Ok(_) => failed = Some(unexpected(member)),
                Err(error) => failed = Some(error),
            }
        }
        let agreed = failed.map_or_else(|| agreement.agree(|floor| self.client.distinct_tag(floor)), Err);
        let tag = match agreed {
            Ok(tag) => tag,
            Err(error) => {
                self.release(tickets).await;
                return Err(error);
            }
        };
        let committing = tickets.into_iter().map(|(member, ticket)| {
            let stimuli = membership.remove(&member).unwrap_or_default();
            async move {
                let stamp = self.client.stamped(&member, Command::Commit { ticket, at: tag, stimuli }).await;
                stamp.map(|stamp| (member, stamp))
            }
        });
        Presented::new(tag, join_all(committing).await)
    }

    /// Gives back what has been reserved. If that fails, it is given back by itself after a while.
    pub(in crate::actor) async fn release(&self, tickets: Vec<(NeuronId, u64)>) {
        let releasing = tickets.into_iter().map(|(member, ticket)| async move {
            let _ = self.client.ask(&member, Command::Release { ticket }, TIMEOUT).await;
        });
        join_all(releasing).await;
    }

    /// Makes a neuron fire for its hold (1), or ends that (0): the article's `setOutput`. After a 0 the neuron follows its
    /// rule again; if it lingers, it does so from then on.
    ///
    /// # Errors
    /// When the name is unknown, or the level is neither 0 nor 1.
    pub async fn stimulate(&self, neuron: &str, level: f64) -> Result<Stamp, ControlError> {
        self.stimulate_with(neuron, level, None).await
    }

    /// Like [`stimulate`](Self::stimulate), for another time than the neuron's hold.
    ///
    /// # Errors
    /// When the name is unknown, or the level is neither 0 nor 1.
    pub async fn stimulate_for(&self, neuron: &str, level: f64, hold: Duration) -> Result<Stamp, ControlError> {
        self.stimulate_with(neuron, level, Some(hold)).await
    }

    async fn stimulate_with(&self, neuron: &str, level: f64, hold: Option<Duration>) -> Result<Stamp, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let stimulus = Stimulus { sensor: None, level, hold };
        self.client.stamped(&neuron, Command::Stimulate { stimulus, at: None, within: Duration::ZERO }).await
    }

    /// Stimulates a neuron several times in a row, with one request: a stimulus train. Each level is a wave of its own, and they
    /// keep their order. Tells the tag of each.
    ///
    /// What takes time is to enter a network from outside, more than to pass through it: a thousand waves enter this way as fast as
    /// a few do one by one. The waves follow each other without a pause; stimuli that must lie further apart are made one by one.
    ///
    /// A neuron remembers its last [`MAX_REMEMBERED`](crate::neuron::MAX_REMEMBERED) changes: who wants to know all that a longer train
    /// leads to reads a [watch](Self::watch) meanwhile.
    ///
    /// # Errors
    /// When the name is unknown, a level is neither 0 nor 1, or there are more than [`MAX_TRAIN`](crate::neuron::MAX_TRAIN); then
    /// none of them enters.
    pub async fn stimulate_train(&self, neuron: &str, levels: &[f64]) -> Result<Vec<Tag>, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let first = self.client.stamped(&neuron, Command::Train { levels: levels.to_vec() }).await?.tag;
        Ok(std::iter::successors(Some(first), |tag| Some(tag.next())).take(levels.len()).collect())
    }

    /// Gives the network a reading of a sensor. Readings within one coincidence window share a tag, and wait for its
    /// end.
    ///
    /// # Errors
    /// When the name is unknown, or the reading is not finite.
    pub async fn feed(&self, sensor: &str, level: f64) -> Result<Presented, ControlError> {
        let (sensor, owners) = self.client.topology().sensor(sensor)?;
        let stimulus = Stimulus { sensor: Some(sensor), level, hold: None };
        let window = self.client.coincidence;
        if window.is_zero() {
            let membership = owners.into_iter().map(|owner| (owner, vec![stimulus.clone()])).collect();
            return self.wave(membership).await;
        }
        let at = end_of_window(self.client.clock.now(), window);
        let feeding = owners.into_iter().map(|owner| {
            let command = Command::Stimulate { stimulus: stimulus.clone(), at: Some(at), within: window * 2 };
            async move { self.client.stamped(&owner, command).await.map(|stamp| (owner, stamp)) }
        });
        Presented::new(at, join_all(feeding).await)
    }

    /// The present level: the article's `getOutput`. It is what the neuron last evaluated; to be sure that a wave is
    /// taken into account, use [`output_at`](Self::output_at).
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn output(&self, neuron: &str) -> Result<Sample, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        self.client.sample(&neuron, Command::Output, TIMEOUT).await
    }

    /// The level at a tag, as soon as it is certain. A tag of the future is waited for.
    ///
    /// A neuron that is [asap](crate::neuron::Mode::Asap) waits for nobody: it tells its level at that tag, and what it hears of the wave
    /// has later ones.
    ///
    /// # Errors
    /// When the name is unknown, or the level at that tag is not known (any more).
    pub async fn output_at(&self, neuron: &str, tag: Tag) -> Result<Sample, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let timeout = TIMEOUT + tag.time().since(self.client.clock.now());
        self.client.sample(&neuron, Command::OutputAt { tag }, timeout).await
    }

    /// The changes of a neuron's level, each with its tag, beginning with the present level.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn watch(&self, neuron: &str) -> Result<Watch, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let (watched, changes) = WatchSender::new(neuron.clone());
        let watch = self.client.next_request();
        self.client.waiting().watches.insert(watch, watched);
        let guard = {
            let client = self.client.clone();
            let neuron = neuron.clone();
            Guard(Some(Box::new(move || {
                client.waiting().watches.remove(&watch);
                let runtime = client.runtime.clone();
                runtime.spawn(async move { client.ask(&neuron, Command::Unwatch { watch }, TIMEOUT).await });
            })))
        };
        match self.client.request_as(watch, &neuron, Command::Watch, TIMEOUT).await? {
            Answer::Output(first) => Ok(Watch::new(first, changes, guard)),
            _ => Err(unexpected(&neuron)),
        }
    }

    /// The configuration as of the last evaluated tag: the article's `getConfig`. A change shows once its tag has been
    /// evaluated; [`output_at`](Self::output_at) that tag waits for it.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn config(&self, neuron: &str) -> Result<ConfigView, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        match self.client.ask(&neuron, Command::Config, TIMEOUT).await? {
            Answer::Config(config) => Ok(*config),
            _ => Err(unexpected(&neuron)),
        }
    }

    /// Sets what a neuron multiplies the level of a source with: the article's `setWeight`. The source is a neuron or a
    /// sensor of this network; a sensor that is not attached to this neuron yet becomes so. A neuron counts once it is [connected](Self::connect) as well.
    ///
    /// # Errors
    /// When a name is unknown, or the weight is not finite.
    pub async fn set_weight(&self, neuron: &str, source: &str, weight: f64) -> Result<Stamp, ControlError> {
        let (neuron, source) = {
            let topology = self.client.topology();
            (topology.neuron(neuron)?, topology.source(source)?)
        };
        let stamp = self
            .client
            .stamped(&neuron, Command::Configure(ConfigChange::SetWeight { source: source.clone(), weight }))
            .await?;
        if let Source::Sensor(sensor) = &source {
            self.client.topology().attach(sensor, &neuron);
        }
        Ok(stamp)
    }

    /// Attaches a sensor to a neuron; it may be a new one.
    ///
    /// # Errors
    /// When the neuron is unknown, the sensor's name is that of a neuron, or the weight is not finite.
    pub async fn attach_sensor(&self, neuron: &str, sensor: &str, weight: f64) -> Result<Stamp, ControlError> {
        let (neuron, sensor) = {
            let topology = self.client.topology();
            if topology.neuron(sensor).is_ok() {
                return Err(ControlError::IsANeuron(sensor.to_owned()));
            }
            (topology.neuron(neuron)?, parse::<SensorId>(sensor)?)
        };
        let source = Source::Sensor(sensor.clone());
        let stamp =
            self.client.stamped(&neuron, Command::Configure(ConfigChange::SetWeight { source, weight })).await?;
        self.client.topology().attach(&sensor, &neuron);
        Ok(stamp)
    }

    /// Forgets the weight of a source, which then counts as 0; a sensor is detached: the article's `deleteWeight`.
    ///
    /// # Errors
    /// When a name is unknown.
    pub async fn delete_weight(&self, neuron: &str, source: &str) -> Result<Stamp, ControlError> {
        let (neuron, source) = {
            let topology = self.client.topology();
            (topology.neuron(neuron)?, topology.source(source)?)
        };
        let stamp = self
            .client
            .stamped(&neuron, Command::Configure(ConfigChange::DeleteWeight { source: source.clone() }))
            .await?;
        if let Source::Sensor(sensor) = &source {
            self.client.topology().detach(sensor, &neuron);
        }
        Ok(stamp)
    }

    /// Sets the threshold: the article's `setThreshold`.
    ///
    /// # Errors
    /// When the name is unknown, or the threshold is not finite.
    pub async fn set_threshold(&self, neuron: &str, threshold: f64) -> Result<Stamp, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        self.client.stamped(&neuron, Command::Configure(ConfigChange::SetThreshold { threshold })).await
    }

    /// Makes one neuron publish to another: the article's `addConnection`. It counts with the weight that the receiver
    /// has for the sender, and with 0 while it has none.
    ///
    /// # Errors
    /// When a name is unknown, the connection exists, or it would close a loop without a delay.
    pub async fn connect(&self, from: &str, to: &str) -> Result<Stamp, ControlError> {
        self.connect_with(from, to, None).await
    }

    /// Like [`connect`](Self::connect), over an edge with a delay.
    ///
    /// # Errors
    /// When a name is unknown, the connection exists, or the delay is 0.
    pub async fn connect_delayed(&self, from: &str, to: &str, delay: Duration) -> Result<Stamp, ControlError> {
        self.connect_with(from, to, Some(delay)).await
    }

    async fn connect_with(&self, from: &str, to: &str, delay: Option<Duration>) -> Result<Stamp, ControlError> {
        let _one_at_a_time = self.client.topology_lock.lock().await;
        let (source, target) = {
            let mut topology = self.client.topology();
            let (source, target) = (topology.neuron(from)?, topology.neuron(to)?);
            topology.connect(&source, &target, delay)?;
            (source, target)
        };
        let outcome = self
            .client
            .stamped(&target, Command::Configure(ConfigChange::Connect { source: source.clone(), delay }))
            .await;
        if matches!(outcome, Err(ControlError::Refused { .. } | ControlError::Send { .. })) {
            self.client.topology().disconnect(&source, &target);
        }
        outcome
    }

    /// Ends a connection: the article's `deleteConnection`. The weight stays.
    ///
    /// # Errors
    /// When a name is unknown, or there is no such connection.
    pub async fn disconnect(&self, from: &str, to: &str) -> Result<Stamp, ControlError> {
        let _one_at_a_time = self.client.topology_lock.lock().await;
        let (source, target) = {
            let topology = self.client.topology();
            (topology.neuron(from)?, topology.neuron(to)?)
        };
        let outcome =
            self.client.stamped(&target, Command::Configure(ConfigChange::Disconnect { source: source.clone() })).await;
        // The neuron answers once the connection has ended. Only then may one be made that the old one would have
        // closed a loop with.
        if matches!(outcome, Ok(_) | Err(ControlError::Refused { refusal: Refusal::NotConnected(_), .. })) {
            self.client.topology().disconnect(&source, &target);
        }
        outcome
    }

    /// Begins a set of changes that take effect at one tag, also at several neurons: see [`Changes`].
    pub fn changes(&self) -> Changes {
        Changes::new(self.clone())
    }

    /// The last firings of a neuron, oldest first, at most [`MAX_REMEMBERED`](crate::neuron::MAX_REMEMBERED) changes
    /// back.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn log(&self, neuron: &str) -> Result<Vec<Firing>, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        match self.client.ask(&neuron, Command::Log, TIMEOUT).await? {
            Answer::Log(firings) => Ok(firings),
            _ => Err(unexpected(&neuron)),
        }
    }

    /// Empties the log of firings: the article's `emptyLog`.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn empty_log(&self, neuron: &str) -> Result<(), ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        self.client.ask(&neuron, Command::EmptyLog, TIMEOUT).await.map(drop)
    }

    /// What a neuron has counted.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn counters(&self, neuron: &str) -> Result<Counters, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        match self.client.ask(&neuron, Command::Counters, TIMEOUT).await? {
            Answer::Counters(counters) => Ok(*counters),
            _ => Err(unexpected(&neuron)),
        }
    }
}

/// The end of the window that `now` lies in, or of the next one if this one is all but over: a reading that came after
/// its window would not share its tag.
fn end_of_window(now: Time, window: Duration) -> Tag {
    let width = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
    let margin = width / 4;
    let windows = now.as_micros().saturating_add(margin) / width + 1;
    Tag::at(Time::from_micros(windows.saturating_mul(width)))
}

/// What every neuron would refuse, found before any is touched.
fn invalid(stimulus: &Stimulus) -> Option<Refusal> {
    match &stimulus.sensor {
        None if stimulus.level != 0.0 && stimulus.level != 1.0 => Some(Refusal::NotALevel),
        Some(sensor) if !crate::neuron::is_finite(stimulus.level) => {
            Some(Refusal::NotFinite(format!("reading {} of {sensor}", stimulus.level)))
        }
        _ => None,
    }
}
