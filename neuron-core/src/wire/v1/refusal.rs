//! Refusals.

use serde::{Deserialize, Serialize};

use super::fields::{name, tag, time};
use crate::{command::Refusal, wire::error::WireError};

/// A refusal. The order of the variants is part of the layout.
#[derive(Serialize, Deserialize)]
pub(super) enum WireRefusal {
    NotFinite(String),
    NotALevel,
    UnknownSensor(String),
    NotConnected(String),
    AlreadyConnected(String),
    SelfConnection(String),
    NoDelay,
    Unknown(u64),
    TooMany(String),
    TimeExhausted,
    Restarted,
    TooFarAhead(u64),
    Fenced(u32, u32),
    Expired,
    TooLate(u64),
    TooLarge,
    Unsaved(String),
}

impl WireRefusal {
    pub(super) fn encode(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotFinite(what) => Self::NotFinite(what.clone()),
            Refusal::NotALevel => Self::NotALevel,
            Refusal::UnknownSensor(id) => Self::UnknownSensor(id.to_string()),
            Refusal::NotConnected(id) => Self::NotConnected(id.to_string()),
            Refusal::AlreadyConnected(id) => Self::AlreadyConnected(id.to_string()),
            Refusal::SelfConnection(id) => Self::SelfConnection(id.to_string()),
            Refusal::NoDelay => Self::NoDelay,
            Refusal::Unknown(tag) => Self::Unknown(tag.to_bits()),
            Refusal::TooMany(what) => Self::TooMany(what.clone()),
            Refusal::TimeExhausted => Self::TimeExhausted,
            Refusal::Restarted => Self::Restarted,
            Refusal::TooFarAhead(tag) => Self::TooFarAhead(tag.to_bits()),
            Refusal::Expired => Self::Expired,
            Refusal::TooLarge => Self::TooLarge,
            Refusal::Unsaved(why) => Self::Unsaved(why.clone()),
            Refusal::TooLate { now } => Self::TooLate(now.as_micros()),
            Refusal::Fenced { ours, known } => Self::Fenced(*ours, *known),
        }
    }

    pub(super) fn decode(self) -> Result<Refusal, WireError> {
        Ok(match self {
            Self::NotFinite(what) => Refusal::NotFinite(what),
            Self::NotALevel => Refusal::NotALevel,
            Self::UnknownSensor(id) => Refusal::UnknownSensor(name(&id)?),
            Self::NotConnected(id) => Refusal::NotConnected(name(&id)?),
            Self::AlreadyConnected(id) => Refusal::AlreadyConnected(name(&id)?),
            Self::SelfConnection(id) => Refusal::SelfConnection(name(&id)?),
            Self::NoDelay => Refusal::NoDelay,
            Self::Unknown(at) => Refusal::Unknown(tag(at)?),
            Self::TooMany(what) => Refusal::TooMany(what),
            Self::TooLarge => Refusal::TooLarge,
            Self::Unsaved(why) => Refusal::Unsaved(why),
            Self::TimeExhausted => Refusal::TimeExhausted,
            Self::Restarted => Refusal::Restarted,
            Self::TooFarAhead(at) => Refusal::TooFarAhead(tag(at)?),
            Self::Expired => Refusal::Expired,
            Self::TooLate(now) => Refusal::TooLate { now: time(now)? },
            Self::Fenced(ours, known) => Refusal::Fenced { ours, known },
        })
    }
}
