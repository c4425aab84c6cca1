//! Requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    change::WireChange,
    fields::{finite, micros, name, tag, time},
    kind,
};
use crate::{
    command::{Command, HostPosition, Request, Stimulus},
    tag::{Tag, Time},
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

/// What each request begins with: its number, and its deadline in microseconds.
type Head = (u64, Option<u64>);

pub(in crate::wire) fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    let head: Head = (request.id, request.deadline.map(Time::as_micros));
    match &request.command {
        Command::Stimulate { stimulus, at, within } => {
            let fields = (head, WireStimulus::encode(stimulus)?, at.map(Tag::to_bits), micros(*within));
            frame::encode(kind::STIMULATE, &fields)
        }
        Command::Train { levels } => {
            let levels = levels.iter().map(|level| finite(*level)).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::TRAIN, &(head, levels))
        }
        Command::Reserve => frame::encode(kind::RESERVE, &head),
        Command::Prepare { changes, stimuli } => {
            let changes = changes.iter().map(WireChange::encode).collect::<Result<Vec<_>, _>>()?;
            let stimuli = stimuli.iter().map(WireStimulus::encode).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::PREPARE, &(head, changes, stimuli))
        }
        Command::Release { ticket } => frame::encode(kind::RELEASE, &(head, *ticket)),
        Command::Commit { ticket, at, stimuli } => {
            let stimuli = stimuli.iter().map(WireStimulus::encode).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::COMMIT, &(head, *ticket, at.to_bits(), stimuli))
        }
        Command::Output { after } => frame::encode(kind::OUTPUT, &(head, after.to_bits())),
        Command::OutputAt { tag } => frame::encode(kind::OUTPUT_AT, &(head, tag.to_bits())),
        Command::Watch { watch } => frame::encode(kind::WATCH, &(head, *watch)),
        Command::Unwatch { watch } => frame::encode(kind::UNWATCH, &(head, *watch)),
        Command::Config { after } => frame::encode(kind::CONFIG, &(head, after.to_bits())),
        Command::Configure(change) => match WireChange::encode(change)? {
            WireChange::SetWeight(source, weight) => frame::encode(kind::SET_WEIGHT, &(head, source, weight)),
            WireChange::DeleteWeight(source) => frame::encode(kind::DELETE_WEIGHT, &(head, source)),
            WireChange::SetThreshold(threshold) => frame::encode(kind::SET_THRESHOLD, &(head, threshold)),
            WireChange::Connect(source, delay) => frame::encode(kind::CONNECT, &(head, source, delay)),
            WireChange::Disconnect(source) => frame::encode(kind::DISCONNECT, &(head, source)),
        },
        Command::Log { after } => frame::encode(kind::LOG, &(head, after.to_bits())),
        Command::EmptyLog => frame::encode(kind::EMPTY_LOG, &head),
        Command::Counters => frame::encode(kind::COUNTERS, &head),
        Command::Host => frame::encode(kind::HOST, &head),
        Command::WatchHost { watch, known } => {
            frame::encode(kind::WATCH_HOST, &(head, *watch, known.life, known.counter))
        }
        Command::Admit { listener } => frame::encode(kind::ADMIT, &(head, listener.as_str())),
        Command::LastChange { watch } => frame::encode(kind::LAST_CHANGE, &(head, *watch)),
    }
}

pub(in crate::wire) fn decode_request(kind: u8, bytes: &[u8]) -> Result<Request, WireError> {
    let (head, command): (Head, Command) = match kind {
        kind::STIMULATE => {
            let (head, stimulus, at, within): (Head, WireStimulus, Option<u64>, u64) = frame::decode(bytes)?;
            let at = at.map(tag).transpose()?;
            let within = Duration::from_micros(within);
            (head, Command::Stimulate { stimulus: stimulus.decode()?, at, within })
        }
        kind::TRAIN => {
            let (head, levels): (Head, Vec<f64>) = frame::decode(bytes)?;
            let levels = levels.into_iter().map(finite).collect::<Result<_, _>>()?;
            (head, Command::Train { levels })
        }
        kind::RESERVE => (frame::decode(bytes)?, Command::Reserve),
        kind::PREPARE => {
            let (head, changes, stimuli): (Head, Vec<WireChange>, Vec<WireStimulus>) = frame::decode(bytes)?;
            let changes = changes.into_iter().map(WireChange::decode).collect::<Result<_, _>>()?;
            let stimuli = stimuli.into_iter().map(WireStimulus::decode).collect::<Result<_, _>>()?;
            (head, Command::Prepare { changes, stimuli })
        }
        kind::RELEASE => {
            let (head, ticket) = frame::decode(bytes)?;
            (head, Command::Release { ticket })
        }
        kind::COMMIT => {
            let (head, ticket, at, stimuli): (Head, u64, u64, Vec<WireStimulus>) = frame::decode(bytes)?;
            let stimuli = stimuli.into_iter().map(WireStimulus::decode).collect::<Result<Vec<_>, _>>()?;
            (head, Command::Commit { ticket, at: tag(at)?, stimuli })
        }
        kind::OUTPUT => {
            let (head, after) = frame::decode(bytes)?;
            (head, Command::Output { after: tag(after)? })
        }
        kind::OUTPUT_AT => {
            let (head, at) = frame::decode(bytes)?;
            (head, Command::OutputAt { tag: tag(at)? })
        }
        kind::WATCH => {
            let (head, watch) = frame::decode(bytes)?;
            (head, Command::Watch { watch })
        }
        kind::UNWATCH => {
            let (head, watch) = frame::decode(bytes)?;
            (head, Command::Unwatch { watch })
        }
        kind::CONFIG => {
            let (head, after) = frame::decode(bytes)?;
            (head, Command::Config { after: tag(after)? })
        }
        kind::SET_WEIGHT => {
            let (head, source, weight) = frame::decode(bytes)?;
            (head, configure(WireChange::SetWeight(source, weight))?)
        }
        kind::DELETE_WEIGHT => {
            let (head, source) = frame::decode(bytes)?;
            (head, configure(WireChange::DeleteWeight(source))?)
        }
        kind::SET_THRESHOLD => {
            let (head, threshold) = frame::decode(bytes)?;
            (head, configure(WireChange::SetThreshold(threshold))?)
        }
        kind::CONNECT => {
            let (head, source, delay) = frame::decode(bytes)?;
            (head, configure(WireChange::Connect(source, delay))?)
        }
        kind::DISCONNECT => {
            let (head, source) = frame::decode(bytes)?;
            (head, configure(WireChange::Disconnect(source))?)
        }
        kind::LOG => {
            let (head, after) = frame::decode(bytes)?;
            (head, Command::Log { after: tag(after)? })
        }
        kind::EMPTY_LOG => (frame::decode(bytes)?, Command::EmptyLog),
        kind::COUNTERS => (frame::decode(bytes)?, Command::Counters),
        kind::HOST => (frame::decode(bytes)?, Command::Host),
        kind::WATCH_HOST => {
            let (id, watch, life, counter) = frame::decode(bytes)?;
            (id, Command::WatchHost { watch, known: HostPosition { life, counter } })
        }
        kind::ADMIT => {
            let (id, listener): (Head, String) = frame::decode(bytes)?;
            (id, Command::Admit { listener: name(&listener)? })
        }
        kind::LAST_CHANGE => {
            let (id, watch) = frame::decode(bytes)?;
            (id, Command::LastChange { watch })
        }
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    let (id, deadline) = head;
    Ok(Request { id, deadline: deadline.map(time).transpose()?, command })
}

fn configure(change: WireChange) -> Result<Command, WireError> {
    Ok(Command::Configure(change.decode()?))
}

#[derive(Serialize, Deserialize)]
struct WireStimulus {
    sensor: Option<String>,
    level: Option<f64>,
    hold: Option<u64>,
}

impl WireStimulus {
    fn encode(stimulus: &Stimulus) -> Result<Self, WireError> {
        Ok(Self {
            sensor: stimulus.sensor.as_ref().map(ToString::to_string),
            level: stimulus.level.map(finite).transpose()?,
            hold: stimulus.hold.map(micros),
        })
    }

    fn decode(self) -> Result<Stimulus, WireError> {
        Ok(Stimulus {
            sensor: self.sensor.as_deref().map(name).transpose()?,
            level: self.level.map(finite).transpose()?,
            hold: self.hold.map(Duration::from_micros),
        })
    }
}
