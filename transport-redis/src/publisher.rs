//! Publishes messages in order, each once its receiver is known to hear it.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::Address;
use redis::{Pipeline, RedisError, RedisResult, Value, aio::ConnectionLike as _};
use tokio::time::Instant;
use transport_broker::{ConnectionCounters, OutgoingMessage, Refusals, Route, Subjects};

use crate::{
    connection::Session,
    contact::{Admission, Answered, Contacts, Note, Notes, Sent},
    error,
    in_flight::{InFlight, Reply, spawn_polled},
    pubsub,
    streams::Streams,
};

/// What this process sends, and what it knows of the receivers.
pub(crate) struct Publisher {
    subjects: Arc<Subjects>,
    counters: Arc<ConnectionCounters>,
    refusals: Arc<Refusals>,
    /// `None` in mode pubsub.
    streams: Option<Arc<Streams>>,
    contacts: Contacts,
    notes: Notes,
    /// The messages to publish with the next pipeline.
    outgoing: Vec<Sent>,
    /// How many envelopes were written and are not answered yet.
    unanswered: usize,
}

impl Publisher {
    pub(crate) fn new(
        subjects: Arc<Subjects>,
        counters: Arc<ConnectionCounters>,
        refusals: Arc<Refusals>,
        streams: Option<Arc<Streams>>,
    ) -> Self {
        let kept = streams.as_ref().map_or(Duration::ZERO, |streams| streams.expiry());
        let (contacts, notes, outgoing) = (Contacts::new(kept), Notes::default(), Vec::new());
        Self { subjects, counters, refusals, streams, contacts, notes, outgoing, unanswered: 0 }
    }

    /// Takes a message. [`flush`](Self::flush) publishes it, unless it waits for its receiver.
    pub(crate) fn push(&mut self, message: OutgoingMessage, now: Instant) {
        match self.contacts.admit(message, now) {
            Admission::Publish(sent) => self.outgoing.push(sent),
            Admission::Held => {}
            Admission::Dropped(message) => self.counters.unsent(message.envelopes as u64),
        }
    }

    /// Notes that this process opens an inbox: what was handed over before is not for it.
    pub(crate) fn set_barrier(&mut self, at: &Address) {
        self.counters.unheard(self.contacts.set_barrier(at) as u64);
    }

    /// Adds a note to those that [`flush`](Self::flush) publishes.
    pub(crate) fn push_note(&mut self, note: &Note) {
        self.notes.push(note);
    }

    /// Handles a note that concerns a receiver. A call needs a subscription beside this.
    pub(crate) fn on_note(&mut self, note: &Note, now: Instant) {
        match note {
            Note::Opened(at) => self.contacts.on_opened(at, now),
            // A sender that calls has subscribed to what answers it.
            Note::Call(route) => {
                let waiting = self.contacts.set_heard(&route.reverse(), now);
                self.outgoing.extend(waiting);
                self.notes.push(&Note::Ready(route.clone()));
            }
            // Hosts take these.
            Note::Claim(_) => {}
            Note::Ready(route) => {
                let waiting = self.contacts.on_ready(route, now);
                self.outgoing.extend(waiting);
            }
        }
    }

    /// Removes and returns the routes whose receivers are to be called. The caller subscribes to
    /// what answers them before it flushes.
    pub(crate) fn take_calls(&mut self) -> Vec<Route> {
        let calls = self.contacts.take_calls();
        calls.iter().for_each(|route| self.notes.push(&Note::Call(route.clone())));
        calls
    }

    /// Writes all notes and messages.
    pub(crate) fn flush(&mut self, session: &Session, in_flight: &InFlight) {
        if let Some(notes) = self.notes.take(&self.subjects) {
            let mut redis = session.redis.clone();
            spawn_polled(in_flight, async move { Reply::Acknowledged(notes.exec_async(&mut redis).await) });
        }
        if self.outgoing.is_empty() {
            return;
        }
        let messages = std::mem::take(&mut self.outgoing);
        let mut pipeline = Pipeline::with_capacity(messages.len());
        for Sent { message, .. } in &messages {
            self.unanswered += message.envelopes;
            match &self.streams {
                Some(streams) => streams.publish(&mut pipeline, message),
                None => pubsub::publish(&mut pipeline, message),
            }
        }
        let mut redis = session.redis.clone();
        spawn_polled(in_flight, async move {
            let answers = redis.req_packed_commands(&pipeline, 0, messages.len()).await;
            Reply::Sent(messages, answers)
        });
    }

    /// Counts published messages by their answers.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub(crate) fn on_sent(
        &mut self,
        messages: Vec<Sent>,
        answers: RedisResult<Vec<Value>>,
        now: Instant,
    ) -> Result<(), RedisError> {
        let count = messages.iter().map(|sent| sent.message.envelopes).sum::<usize>();
        self.unanswered -= count;
        match answers {
            Ok(answers) => {
                let mut result = Ok(());
                for (answer, sent) in answers.into_iter().zip(messages) {
                    match answer {
                        Value::ServerError(refusal) => {
                            let error = RedisError::from(refusal);
                            self.count_refused(&sent, &error);
                            if !error::is_refusal(&error) {
                                result = Err(error);
                            }
                        }
                        answer => self.on_answer(sent, &answer, now),
                    }
                }
                result
            }
            Err(error) if error::is_refusal(&error) => {
                messages.iter().for_each(|sent| self.count_refused(sent, &error));
                Ok(())
            }
            Err(error) => {
                self.counters.unsent(count as u64);
                Err(error)
            }
        }
    }

    #[cold]
    fn count_refused(&self, sent: &Sent, error: &RedisError) {
        let Sent { message, .. } = sent;
        let envelopes = message.envelopes as u64;
        self.counters.refused(envelopes);
        let (kind, reason) = (error::kind_of(error), error.to_string());
        self.refusals.refused(kind, &reason, message.route.kind(), Some(message.route.target()), envelopes);
    }

    fn on_answer(&mut self, sent: Sent, answer: &Value, now: Instant) {
        self.refusals.accepted(sent.message.route.kind());
        let receivers = if let Value::Int(receivers) = answer { *receivers } else { 0 };
        if receivers > 0 || !self.contacts.holds(&sent.message.route) {
            self.counters.sent(sent.message.envelopes as u64);
        }
        let Answered { publish, unheard } = self.contacts.on_answer(sent, receivers, now);
        self.outgoing.extend(publish);
        self.counters.unheard(unheard as u64);
    }

    /// Returns when [`expire`](Self::expire) has something to do; `None` while nothing waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.contacts.deadline()
    }

    /// Returns whether messages wait for their receivers.
    pub(crate) fn has_waiting(&self) -> bool {
        self.contacts.has_waiting()
    }

    /// Publishes the messages whose receivers have not answered in time.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.outgoing.extend(self.contacts.expire(now));
    }

    /// Forgets receivers that were not sent to for long.
    pub(crate) fn forget_idle(&mut self, now: Instant) {
        self.contacts.forget_idle(self.unanswered == 0, now);
    }

    /// Returns whether messages were sent on a route recently.
    pub(crate) fn is_used(&self, route: &Route) -> bool {
        self.contacts.is_used(route)
    }

    /// Prepares for another connection: receivers are called again.
    pub(crate) fn renew(&mut self, now: Instant) {
        self.contacts.renew(now);
    }

    /// Counts the envelopes that were written and may not have arrived.
    pub(crate) fn count_unanswered(&mut self) {
        self.counters.unsent(std::mem::take(&mut self.unanswered) as u64);
    }

    /// Drops and counts the messages that wait.
    pub(crate) fn clear(&mut self) {
        self.notes = Notes::default();
        let outgoing = std::mem::take(&mut self.outgoing).iter().map(|sent| sent.message.envelopes).sum::<usize>();
        self.counters.unsent((outgoing + self.contacts.clear()) as u64);
    }
}
