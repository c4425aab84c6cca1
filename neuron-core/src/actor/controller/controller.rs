//! The controller: stimulates, asks and watches.

use std::{any::Any, sync::Arc, time::Duration};

use futures_util::future::try_join_all;

use super::{
    Watch, WatchAll,
    requests::{ClientSpec, RequestClient, TIMEOUT, unexpected_answer},
    watch::{Unwatch, WatchSender},
};
use crate::{
    actor::error::ControlError,
    command::{Answer, Command, ConfigView, Firing, Sample, Stamp, Stimulus},
    neuron::Counters,
    tag::Tag,
    watch::WatchLink,
};

/// Steers a network: stimulates, asks, watches, and changes what is connected to what.
///
/// Cheap to clone; all clones know the same topology. Its calls are futures that need no runtime,
/// so they can be waited for anywhere, also with [`block_on`](crate::actor::block_on). Names are
/// checked before anything is sent. A call waits at most ten seconds for an answer, or as long as
/// [`timeout`](Self::timeout) says; a question about a tag, or one that takes what was written into
/// account, in addition until that tag. If
/// the host of a neuron is known to be away, a call waits for a moment only, and its error names
/// the host.
///
/// ```
/// # use neuron_core::actor::{ControlError, Controller};
/// /// Switches a lamp on and returns its log.
/// async fn flash(controller: &Controller) -> Result<(), ControlError> {
///     let stamp = controller.stimulate("lamp", 1.0).await?;
///     assert_eq!(controller.output_at("lamp", stamp.tag).await?.level, 1.0);
///     for firing in controller.log("lamp").await? {
///         println!("lit at {}", firing.tag);
///     }
///     Ok(())
/// }
/// ```
///
/// # Errors
/// Each call can fail with [`ControlError::Send`], [`ControlError::NoAnswer`],
/// [`ControlError::HostAway`], [`ControlError::Stopped`], and [`ControlError::Refused`] for a
/// neuron that is fenced or restarts; the calls themselves say what else there is.
#[derive(Clone, Debug)]
pub struct Controller {
    client: Arc<RequestClient>,
    /// What lives as long as this controller and its clones: the host, if it has one of its own.
    _companion: Option<Arc<dyn Any + Send + Sync>>,
    /// How long a call waits for an answer.
    timeout: Duration,
}

impl Controller {
    pub(in crate::actor) fn new(spec: ClientSpec) -> Self {
        Self { client: RequestClient::start(spec), _companion: None, timeout: TIMEOUT }
    }

    /// Returns a clone that keeps this value alive, as all its clones do.
    pub(in crate::actor) fn keeping(&self, companion: impl Any + Send + Sync) -> Self {
        Self { _companion: Some(Arc::new(companion)), ..self.clone() }
    }

    /// Returns the client that all calls go through.
    pub(in crate::actor) fn client(&self) -> &RequestClient {
        &self.client
    }

    /// Runs a task that must not be left half done, even if the caller stops waiting. Returns
    /// `None` if the host stops before it ends.
    pub(in crate::actor) async fn run_to_completion<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.client.run_to_completion(task).await
    }

    /// Returns a controller whose calls wait this long for an answer, instead of ten seconds. It
    /// knows the same topology.
    ///
    /// A call that has waited in vain may have been carried out. It is not carried out later: a
    /// request carries its deadline, and a neuron refuses a change that comes after it, however
    /// long the request was held up on the way. Only a neuron whose clock is behind takes it for as
    /// much longer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use neuron_core::actor::{ControlError, Controller};
    /// async fn is_on(controller: &Controller) -> Result<bool, ControlError> {
    ///     Ok(controller.timeout(Duration::from_millis(500)).output("lamp").await?.fires())
    /// }
    /// ```
    #[must_use]
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Returns how long a call waits for an answer.
    pub(super) fn answer_time(&self) -> Duration {
        self.timeout
    }

    /// Ends all requests and watches: the host has stopped.
    pub(in crate::actor) fn close(&self) {
        self.client.close();
    }

    /// Returns the present time as a tag: what happens from now on carries a later one.
    pub fn now(&self) -> Tag {
        Tag::at(self.client.now())
    }

    /// Makes a neuron fire for its hold (level 1), or ends that (level 0): the article's
    /// `setOutput`. Returns the tag of that. After a 0 the neuron follows its rule again; if it
    /// lingers, it does so from then on.
    ///
    /// # Errors
    /// When the name is unknown, or the level is neither 0 nor 1.
    pub async fn stimulate(&self, neuron: &str, level: f64) -> Result<Stamp, ControlError> {
        self.stimulate_with(neuron, level, None).await
    }

    /// Like [`stimulate`](Self::stimulate), but for this long instead of the neuron's hold.
    ///
    /// # Errors
    /// When the name is unknown, or the level is neither 0 nor 1.
    pub async fn stimulate_for(&self, neuron: &str, level: f64, hold: Duration) -> Result<Stamp, ControlError> {
        self.stimulate_with(neuron, level, Some(hold)).await
    }

    /// Stimulates a neuron several times in a row with one request: a stimulus train. Each level is
    /// a wave of its own, and they keep their order. Returns the tag of each.
    ///
    /// Entering a network from outside takes more time than passing through it: a thousand waves
    /// enter this way as fast as a few do one by one. The waves follow each other without a pause;
    /// stimuli that must lie further apart are sent one by one.
    ///
    /// A neuron remembers its last [`MAX_REMEMBERED`](crate::neuron::MAX_REMEMBERED) changes. To
    /// see all that a longer train leads to, read a [watch](Self::watch) meanwhile.
    ///
    /// # Errors
    /// When the name is unknown, a level is neither 0 nor 1, or there are more than
    /// [`MAX_TRAIN`](crate::neuron::MAX_TRAIN); then none of them enters.
    pub async fn stimulate_train(&self, neuron: &str, levels: &[f64]) -> Result<Vec<Tag>, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let train = Command::Train { levels: levels.to_vec() };
        let first = self.client.request_stamp(&neuron, train, self.timeout).await?.tag;
        let tags: Vec<Tag> = std::iter::successors(Some(first), |tag| Some(tag.next())).take(levels.len()).collect();
        if let Some(last) = tags.last() {
            self.client.note_written(&neuron, *last);
        }
        Ok(tags)
    }

    /// Returns the present level: the article's `getOutput`. It takes everything into account that
    /// this controller and its clones were answered before: what was stimulated, presented, fed and
    /// changed. Of what others do at the same time it may know or not.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn output(&self, neuron: &str) -> Result<Sample, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let after = self.client.written_before(&neuron);
        self.client.request_sample(&neuron, Command::Output { after }, self.timeout_after(after)).await
    }

    /// Returns the level at a tag, as soon as it is certain. Waits for a tag of the future.
    ///
    /// A neuron that is [asap](crate::neuron::Mode::Asap) does not wait for its inputs: it returns
    /// its level at that tag, and what it hears of the wave gets later ones.
    ///
    /// # Errors
    /// When the name is unknown, or the level at that tag is not known, or not any more.
    pub async fn output_at(&self, neuron: &str, tag: Tag) -> Result<Sample, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        self.client.request_sample(&neuron, Command::OutputAt { tag }, self.timeout_after(tag)).await
    }

    /// Returns the levels of several neurons at a tag, in the order of their names here, as soon as
    /// all are certain.
    ///
    /// # Errors
    /// As [`output_at`](Self::output_at), for the first neuron that it fails for.
    pub async fn outputs_at(&self, neurons: &[&str], tag: Tag) -> Result<Vec<Sample>, ControlError> {
        try_join_all(neurons.iter().map(|neuron| self.output_at(neuron, tag))).await
    }

    /// Watches a neuron: returns its changes of level, beginning with the present level. See
    /// [`Watch`].
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn watch(&self, neuron: &str) -> Result<Watch, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let client = &self.client;
        let watch = client.next_request();
        let (sender, changes) =
            WatchSender::new(WatchLink::new(neuron.clone(), client.patience(), watch, client.steady()));
        client.insert_watch(watch, sender);
        let unwatch = {
            let (client, neuron) = (client.clone(), neuron.clone());
            Unwatch::new(move || client.unwatch(neuron, watch))
        };
        match client.request_as(watch, &neuron, Command::Watch { watch }, self.timeout).await? {
            // The watch has been told.
            Answer::Watched { .. } => Ok(Watch::new(changes, unwatch)),
            _ => Err(unexpected_answer(&neuron)),
        }
    }

    /// Watches all neurons of the network, at the price of one request and one answer for each host
    /// twice a second: returns the changes of each, beginning with its present level. See
    /// [`WatchAll`].
    ///
    /// Returns at once. What is told first comes as soon as the neurons have answered.
    ///
    /// # Errors
    /// [`ControlError::Stopped`] only.
    pub async fn watch_all(&self) -> Result<WatchAll, ControlError> {
        if self.client.is_stopped() {
            return Err(self.client.why_stopped());
        }
        Ok(self.client.watch_all())
    }

    /// Returns the configuration: the article's `getConfig`. It includes everything that this
    /// controller and its clones were answered before.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn config(&self, neuron: &str) -> Result<ConfigView, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let after = self.client.written_before(&neuron);
        match self.client.request(&neuron, Command::Config { after }, self.timeout_after(after)).await? {
            Answer::Config(config) => Ok(*config),
            _ => Err(unexpected_answer(&neuron)),
        }
    }

    /// Returns the last firings of a neuron, oldest first; none if it has not fired, or not within
    /// its last [`MAX_REMEMBERED`](crate::neuron::MAX_REMEMBERED) changes.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn log(&self, neuron: &str) -> Result<Vec<Firing>, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let after = self.client.written_before(&neuron);
        match self.client.request(&neuron, Command::Log { after }, self.timeout_after(after)).await? {
            Answer::Log(firings) => Ok(firings),
            _ => Err(unexpected_answer(&neuron)),
        }
    }

    /// Empties the log of firings: the article's `emptyLog`.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn empty_log(&self, neuron: &str) -> Result<(), ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        self.client.request(&neuron, Command::EmptyLog, self.timeout).await.map(drop)
    }

    /// Returns what a neuron has counted since it was started.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn counters(&self, neuron: &str) -> Result<Counters, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        match self.client.request(&neuron, Command::Counters, self.timeout).await? {
            Answer::Counters(counters) => Ok(*counters),
            _ => Err(unexpected_answer(&neuron)),
        }
    }

    /// Returns how long to wait for an answer that takes everything up to `tag` into account.
    fn timeout_after(&self, tag: Tag) -> Duration {
        self.timeout + tag.time().since(self.client.now())
    }

    async fn stimulate_with(&self, neuron: &str, level: f64, hold: Option<Duration>) -> Result<Stamp, ControlError> {
        let neuron = self.client.topology().neuron(neuron)?;
        let stimulus = Stimulus { sensor: None, level: Some(level), hold };
        let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
        self.client.request_stamp(&neuron, command, self.timeout).await
    }
}
