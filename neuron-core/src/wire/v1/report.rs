//! Reports.

use super::{
    config::{WireConfig, WireSample},
    fields::{PositionFields, name, position_fields, tag, to_position},
    host_changes::WireHostChanges,
    kind,
    refusal::WireRefusal,
};
use crate::{
    command::{Answer, Firing, Report, Stamp},
    neuron::Counters,
    wire::{
        error::{WireError, WireErrorKind},
        frame,
    },
};

pub(in crate::wire) fn encode_report(report: &Report) -> Result<Vec<u8>, WireError> {
    let (request, answer) = match report {
        Report::Changed { watch, position, sample } => {
            let fields = (*watch, position_fields(*position), WireSample::encode(sample)?);
            return frame::encode(kind::WATCH_CHANGED, &fields);
        }
        Report::Reply { request, result: Err(refusal) } => {
            return frame::encode(kind::IS_REFUSED, &(*request, WireRefusal::encode(refusal)));
        }
        Report::Reply { request, result: Ok(answer) } => (*request, answer),
    };
    match answer {
        Answer::Done => frame::encode(kind::IS_DONE, &request),
        Answer::Stamped(stamp) => frame::encode(kind::IS_STAMPED, &(request, stamp.tag.to_bits(), stamp.moved)),
        Answer::Floor { floor, latest } => frame::encode(kind::IS_FLOOR, &(request, floor.to_bits(), latest.to_bits())),
        Answer::Output(sample) => frame::encode(kind::IS_OUTPUT, &(request, WireSample::encode(sample)?)),
        Answer::Watched { watch, position, sample } => {
            let fields = (request, *watch, position_fields(*position), WireSample::encode(sample)?);
            frame::encode(kind::IS_WATCHED, &fields)
        }
        Answer::Host { host, version, life } => {
            frame::encode(kind::IS_HOST, &(request, host.as_str(), version.as_str(), life))
        }
        Answer::WatchedHost(changes) => {
            frame::encode(kind::IS_WATCHED_HOST, &(request, WireHostChanges::encode(changes)?))
        }
        Answer::Config(config) => frame::encode(kind::IS_CONFIG, &(request, WireConfig::encode(config)?)),
        Answer::Log(firings) => {
            let tags: Vec<u64> = firings.iter().map(|firing| firing.tag.to_bits()).collect();
            frame::encode(kind::IS_LOG, &(request, tags))
        }
        Answer::Counters(counters) => {
            let mut counters = **counters;
            let counters = counts(&mut counters).map(|count| *count);
            frame::encode(kind::IS_COUNTERS, &(request, counters))
        }
    }
}

pub(in crate::wire) fn decode_report(kind: u8, bytes: &[u8]) -> Result<Report, WireError> {
    let (request, answer) = match kind {
        kind::WATCH_CHANGED => {
            let (watch, position, sample): (u64, PositionFields, WireSample) = frame::decode(bytes)?;
            return Ok(Report::Changed { watch, position: to_position(position), sample: sample.decode()? });
        }
        kind::IS_REFUSED => {
            let (request, refusal): (u64, WireRefusal) = frame::decode(bytes)?;
            return Ok(Report::Reply { request, result: Err(refusal.decode()?) });
        }
        kind::IS_DONE => (frame::decode(bytes)?, Answer::Done),
        kind::IS_STAMPED => {
            let (request, at, moved) = frame::decode(bytes)?;
            (request, Answer::Stamped(Stamp { tag: tag(at)?, moved }))
        }
        kind::IS_FLOOR => {
            let (request, floor, latest) = frame::decode(bytes)?;
            let floor = tag(floor)?;
            let latest = tag(latest)?;
            (request, Answer::Floor { floor, latest })
        }
        kind::IS_OUTPUT => {
            let (request, sample): (u64, WireSample) = frame::decode(bytes)?;
            (request, Answer::Output(sample.decode()?))
        }
        kind::IS_WATCHED => {
            let (request, watch, position, sample): (u64, u64, PositionFields, WireSample) = frame::decode(bytes)?;
            (request, Answer::Watched { watch, position: to_position(position), sample: sample.decode()? })
        }
        kind::IS_HOST => {
            let (request, host, version, life): (u64, String, String, u64) = frame::decode(bytes)?;
            (request, Answer::Host { host: name(&host)?, version, life })
        }
        kind::IS_WATCHED_HOST => {
            let (request, changes): (u64, WireHostChanges) = frame::decode(bytes)?;
            (request, Answer::WatchedHost(Box::new(changes.decode()?)))
        }
        kind::IS_CONFIG => {
            let (request, config): (u64, WireConfig) = frame::decode(bytes)?;
            (request, Answer::Config(Box::new(config.decode()?)))
        }
        kind::IS_LOG => {
            let (request, tags): (u64, Vec<u64>) = frame::decode(bytes)?;
            let firings = tags.into_iter().map(|at| Ok(Firing { tag: tag(at)? }));
            (request, Answer::Log(firings.collect::<Result<_, WireError>>()?))
        }
        kind::IS_COUNTERS => {
            let (request, received): (u64, [u64; 16]) = frame::decode(bytes)?;
            let mut counters = Counters::default();
            counts(&mut counters).into_iter().zip(received).for_each(|(count, received)| *count = received);
            (request, Answer::Counters(Box::new(counters)))
        }
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Report::Reply { request, result: Ok(answer) })
}

/// Returns the counters in the order of version 1.
fn counts(counters: &mut Counters) -> [&mut u64; 16] {
    let Counters {
        kicks,
        firings,
        evaluations,
        probes,
        late,
        refused,
        unknown,
        duplicates,
        degraded,
        silences,
        resent,
        given_up,
        ahead,
        superseded,
        restarts,
        extended,
    } = counters;
    [
        kicks,
        firings,
        evaluations,
        probes,
        late,
        refused,
        unknown,
        duplicates,
        degraded,
        silences,
        resent,
        given_up,
        ahead,
        superseded,
        restarts,
        extended,
    ]
}
