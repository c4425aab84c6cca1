//! Requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    change::WireChange,
    fields::{finite, micros, name, tag},
    kind,
};
use crate::{
    command::{Command, Request, Stimulus},
    tag::Tag,
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

pub(in crate::wire) fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    let id = request.id;
    match &request.command {
        Command::Stimulate { stimulus, at, within } => {
            let fields = (id, WireStimulus::encode(stimulus)?, at.map(Tag::to_bits), micros(*within));
            frame::encode(kind::STIMULATE, &fields)
        }
        Command::Train { levels } => {
            let levels = levels.iter().map(|level| finite(*level)).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::TRAIN, &(id, levels))
        }
        Command::Reserve => frame::encode(kind::RESERVE, &id),
        Command::Prepare { changes } => {
            let changes = changes.iter().map(WireChange::encode).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::PREPARE, &(id, changes))
        }
        Command::Release { ticket } => frame::encode(kind::RELEASE, &(id, *ticket)),
        Command::Commit { ticket, at, stimuli } => {
            let stimuli = stimuli.iter().map(WireStimulus::encode).collect::<Result<Vec<_>, _>>()?;
            frame::encode(kind::COMMIT, &(id, *ticket, at.to_bits(), stimuli))
        }
        Command::Output { after } => frame::encode(kind::OUTPUT, &(id, after.to_bits())),
        Command::OutputAt { tag } => frame::encode(kind::OUTPUT_AT, &(id, tag.to_bits())),
        Command::Watch { watch } => frame::encode(kind::WATCH, &(id, *watch)),
        Command::Unwatch { watch } => frame::encode(kind::UNWATCH, &(id, *watch)),
        Command::Config { after } => frame::encode(kind::CONFIG, &(id, after.to_bits())),
        Command::Configure(change) => match WireChange::encode(change)? {
            WireChange::SetWeight(source, weight) => frame::encode(kind::SET_WEIGHT, &(id, source, weight)),
            WireChange::DeleteWeight(source) => frame::encode(kind::DELETE_WEIGHT, &(id, source)),
            WireChange::SetThreshold(threshold) => frame::encode(kind::SET_THRESHOLD, &(id, threshold)),
            WireChange::Connect(source, delay) => frame::encode(kind::CONNECT, &(id, source, delay)),
            WireChange::Disconnect(source) => frame::encode(kind::DISCONNECT, &(id, source)),
        },
        Command::Log { after } => frame::encode(kind::LOG, &(id, after.to_bits())),
        Command::EmptyLog => frame::encode(kind::EMPTY_LOG, &id),
        Command::Counters => frame::encode(kind::COUNTERS, &id),
        Command::Host => frame::encode(kind::HOST, &id),
    }
}

pub(in crate::wire) fn decode_request(kind: u8, bytes: &[u8]) -> Result<Request, WireError> {
    let (id, command) = match kind {
        kind::STIMULATE => {
            let (id, stimulus, at, within): (u64, WireStimulus, Option<u64>, u64) = frame::decode(bytes)?;
            let at = at.map(tag).transpose()?;
            let within = Duration::from_micros(within);
            (id, Command::Stimulate { stimulus: stimulus.decode()?, at, within })
        }
        kind::TRAIN => {
            let (id, levels): (u64, Vec<f64>) = frame::decode(bytes)?;
            let levels = levels.into_iter().map(finite).collect::<Result<_, _>>()?;
            (id, Command::Train { levels })
        }
        kind::RESERVE => (frame::decode(bytes)?, Command::Reserve),
        kind::PREPARE => {
            let (id, changes): (u64, Vec<WireChange>) = frame::decode(bytes)?;
            let changes = changes.into_iter().map(WireChange::decode).collect::<Result<_, _>>()?;
            (id, Command::Prepare { changes })
        }
        kind::RELEASE => {
            let (id, ticket) = frame::decode(bytes)?;
            (id, Command::Release { ticket })
        }
        kind::COMMIT => {
            let (id, ticket, at, stimuli): (u64, u64, u64, Vec<WireStimulus>) = frame::decode(bytes)?;
            let stimuli = stimuli.into_iter().map(WireStimulus::decode).collect::<Result<Vec<_>, _>>()?;
            (id, Command::Commit { ticket, at: tag(at)?, stimuli })
        }
        kind::OUTPUT => {
            let (id, after) = frame::decode(bytes)?;
            (id, Command::Output { after: tag(after)? })
        }
        kind::OUTPUT_AT => {
            let (id, at) = frame::decode(bytes)?;
            (id, Command::OutputAt { tag: tag(at)? })
        }
        kind::WATCH => {
            let (id, watch) = frame::decode(bytes)?;
            (id, Command::Watch { watch })
        }
        kind::UNWATCH => {
            let (id, watch) = frame::decode(bytes)?;
            (id, Command::Unwatch { watch })
        }
        kind::CONFIG => {
            let (id, after) = frame::decode(bytes)?;
            (id, Command::Config { after: tag(after)? })
        }
        kind::SET_WEIGHT => {
            let (id, source, weight) = frame::decode(bytes)?;
            (id, configure(WireChange::SetWeight(source, weight))?)
        }
        kind::DELETE_WEIGHT => {
            let (id, source) = frame::decode(bytes)?;
            (id, configure(WireChange::DeleteWeight(source))?)
        }
        kind::SET_THRESHOLD => {
            let (id, threshold) = frame::decode(bytes)?;
            (id, configure(WireChange::SetThreshold(threshold))?)
        }
        kind::CONNECT => {
            let (id, source, delay) = frame::decode(bytes)?;
            (id, configure(WireChange::Connect(source, delay))?)
        }
        kind::DISCONNECT => {
            let (id, source) = frame::decode(bytes)?;
            (id, configure(WireChange::Disconnect(source))?)
        }
        kind::LOG => {
            let (id, after) = frame::decode(bytes)?;
            (id, Command::Log { after: tag(after)? })
        }
        kind::EMPTY_LOG => (frame::decode(bytes)?, Command::EmptyLog),
        kind::COUNTERS => (frame::decode(bytes)?, Command::Counters),
        kind::HOST => (frame::decode(bytes)?, Command::Host),
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Request { id, command })
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
