//! Sending a request, and waiting for its answer.

use std::time::Duration;

use futures_util::{
    FutureExt as _,
    future::{Either, join_all, select},
};
use tokio::sync::oneshot;

use super::{
    super::pending::{PendingRequest, RetryTimer},
    AWAY_TIMEOUT, MAX_PAUSE_DIVISOR, RequestClient, TIMEOUT, background, unexpected_answer,
};
use crate::{
    actor::error::ControlError,
    command::{Answer, Command, Refusal, Request, Sample, Stamp},
    id::{HostId, NeuronId},
    tag::{Tag, Time},
    transport::{Address, Envelope, Sending, TransportError, TransportErrorKind},
};

/// How much longer ago than its beginning a call looks for a refused message: nothing is measured
/// that exactly.
const REFUSAL_MARGIN: Duration = Duration::from_millis(100);

impl RequestClient {
    /// Sends a command and waits for the answer, at most for `timeout`; only for a moment if the
    /// neuron's host is known to be away.
    ///
    /// # Errors
    /// [`ControlError::Send`], [`ControlError::NoAnswer`], [`ControlError::HostAway`],
    /// [`ControlError::Refused`] or [`ControlError::Stopped`].
    pub(in crate::actor) fn request(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> impl Future<Output = Result<Answer, ControlError>> {
        self.request_as(self.next_request(), neuron, command, timeout)
    }

    /// Like [`request`](Self::request), with a number from [`next_request`](Self::next_request),
    /// which later commands can refer to.
    pub(in crate::actor::controller) async fn request_as(
        &self,
        id: u64,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> Result<Answer, ControlError> {
        let is_here = self.runs(neuron);
        let away = if is_here { None } else { self.links.with(|links| links.away(neuron)) };
        let away = away.map(|(host, state)| (host, state.moved(self.clock.forward())));
        let timeout = if away.is_some() { timeout.min(AWAY_TIMEOUT) } else { timeout };
        let (sending, answer) = self.begin(id, neuron, command, timeout, is_here)?;
        // While the send waits for capacity, the time for the answer runs.
        let mut unreachable = None;
        let answer = match select(sending, answer).await {
            Either::Left((Ok(()), answer)) => answer.await,
            // It is sent again, and may come through then.
            Either::Left((Err(source), answer))
                if source.kind() == TransportErrorKind::Unreachable && self.retry_after.is_some() =>
            {
                unreachable = Some(source);
                answer.await
            }
            Either::Left((Err(source), _)) => {
                self.pending().remove(id);
                if let Some((host, state)) = away {
                    return Err(ControlError::HostAway { neuron: neuron.clone(), host, state });
                }
                return Err(ControlError::Send { neuron: neuron.clone(), source });
            }
            Either::Right((answer, _)) => answer,
        };
        match answer {
            Ok(Ok(answer)) => {
                if !is_here {
                    self.learn_home(neuron);
                }
                Ok(answer)
            }
            Ok(Err(refusal)) => Err(ControlError::Refused { neuron: neuron.clone(), refusal }),
            Err(_) if self.pending().is_closed() => Err(self.why_stopped()),
            Err(_) => {
                // Unless it has left meanwhile.
                self.topology().neuron(neuron.as_str())?;
                let refusal = self.refusal_within(neuron, timeout);
                if refusal.is_none()
                    && let Some((host, state)) = away
                {
                    return Err(ControlError::HostAway { neuron: neuron.clone(), host, state });
                }
                Err(ControlError::NoAnswer { neuron: neuron.clone(), after: timeout, source: unreachable.or(refusal) })
            }
        }
    }

    /// Returns what the broker said if it has refused a message to a neuron within this time; `None`
    /// if it has not, as far as is known.
    #[cold]
    fn refusal_within(&self, neuron: &NeuronId, timeout: Duration) -> Option<TransportError> {
        let refusal = self.transport.last_refusal(&Address::Neuron(neuron.clone()))?;
        // A moment more: the call began before its first message was refused.
        let is_recent = refusal.elapsed <= timeout.saturating_add(REFUSAL_MARGIN);
        is_recent.then(|| TransportError::new(TransportErrorKind::Refused, refusal.reason))
    }

    /// Notes a request as pending, and sends it. Returns what completes once it is handed over, and
    /// once it is answered.
    // A function of its own: the future of the request, which callers join by the dozen, would hold
    // the command until the answer comes.
    fn begin(
        &self,
        id: u64,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
        is_here: bool,
    ) -> Result<(Sending, oneshot::Receiver<Result<Answer, Refusal>>), ControlError> {
        let request = Request { id, deadline: self.deadline_at(neuron, timeout, &command, self.now()), command };
        let (reply, answer) = oneshot::channel();
        self.insert_pending(neuron, &request, reply, timeout, is_here)?;
        Ok((self.send(neuron, request), answer))
    }

    /// Asks a neuron that has answered where it runs, in the background, unless that is known.
    fn learn_home(&self, neuron: &NeuronId) {
        if self.links.with(|links| links.address(neuron, self.steady())) {
            self.spawn(background::learn_home(self.weak.clone(), neuron.clone()));
        }
    }

    /// Notes where a neuron runs that this controller sends requests to.
    pub(in crate::actor::controller) fn note_home(&self, neuron: &NeuronId, host: &HostId) {
        let now = self.steady();
        // The answer does not name the incarnation.
        self.links.with(|links| links.note_home(neuron, host, 0, now));
    }

    /// Sends a command whose answer is a tag.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(in crate::actor::controller) fn request_stamp(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> impl Future<Output = Result<Stamp, ControlError>> {
        self.request(neuron, command, timeout).map(|answer| match answer? {
            Answer::Stamped(stamp) => Ok(stamp),
            Answer::Done => Ok(Stamp { tag: Tag::at(self.now()), moved: false }),
            _ => Err(unexpected_answer(neuron)),
        })
    }

    /// Sends a command whose answer is a level.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(in crate::actor) fn request_sample(
        &self,
        neuron: &NeuronId,
        command: Command,
        timeout: Duration,
    ) -> impl Future<Output = Result<Sample, ControlError>> {
        self.request(neuron, command, timeout).map(|answer| match answer? {
            Answer::Output(sample) => Ok(sample),
            _ => Err(unexpected_answer(neuron)),
        })
    }

    /// Releases what members have reserved or prepared, each with its request number. A member that
    /// cannot be reached releases it by itself after a while.
    pub(in crate::actor::controller) async fn release(&self, tickets: Vec<(NeuronId, u64)>) {
        let releasing = tickets.into_iter().map(|(member, ticket)| async move {
            let _ = self.request(&member, Command::Release { ticket }, TIMEOUT).await;
        });
        join_all(releasing).await;
    }

    /// Hands a request over to the transport.
    pub(in crate::actor::controller) fn send(&self, to: &NeuronId, request: Request) -> Sending {
        let envelope = Envelope::Request { from: self.id.clone(), to: to.clone(), request: Box::new(request) };
        self.transport.send(envelope)
    }

    /// Returns the deadline of a command, by the clock of the neuron; `None` if it has none.
    fn deadline_at(&self, neuron: &NeuronId, timeout: Duration, command: &Command, now: Time) -> Option<Time> {
        command.has_deadline().then(|| self.clock_offsets().at(neuron, now.after(timeout), now))
    }

    fn insert_pending(
        &self,
        neuron: &NeuronId,
        request: &Request,
        reply: oneshot::Sender<Result<Answer, Refusal>>,
        timeout: Duration,
        is_here: bool,
    ) -> Result<(), ControlError> {
        let now = self.steady();
        let retry = match self.retry_after {
            Some(pause) => {
                // The level at a tag of the future is not overdue before.
                let begin = match request.command {
                    Command::OutputAt { tag } => now.after(tag.time().since(self.now())),
                    _ => now,
                };
                let max_pause = (timeout.min(TIMEOUT) / MAX_PAUSE_DIVISOR).max(pause);
                Some(RetryTimer { request: request.clone(), due: begin.after(pause), pause, max_pause, postponed: 0 })
            }
            // The clocks of neurons elsewhere may differ.
            None if !is_here => Some(RetryTimer {
                request: request.clone(),
                due: Time::MAX,
                pause: Duration::ZERO,
                max_pause: Duration::ZERO,
                postponed: 0,
            }),
            None => None,
        };
        let retry = retry.map(Box::new);
        let level_at = if let Command::OutputAt { tag } = request.command { Some(tag) } else { None };
        let pending = PendingRequest { neuron: neuron.clone(), deadline: now.after(timeout), reply, level_at, retry };
        let starts = self.pending().insert(request.id, pending).ok_or_else(|| self.why_stopped())?;
        if starts {
            self.spawn(background::expire_requests(self.weak.clone()));
        }
        Ok(())
    }
}
