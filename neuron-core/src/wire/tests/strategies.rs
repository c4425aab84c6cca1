//! Strategies for any message.

use std::time::Duration;

use proptest::{collection::btree_map, collection::vec, option, prelude::*};

use super::{Message, golden_frames, samples::name};
use crate::{
    command::{
        Answer, Command, ConfigChange, ConfigView, Firing, HostChange, HostChanges, HostPosition, Refusal, Report,
        Request, Sample, Stamp, Stimulus, WatchPosition,
    },
    hosts::{Claim, HostMessage, HostMessageBody},
    id::{Source, SourceId},
    neuron::{Counters, MAX_MAGNITUDE, Mode, Rule, Sensor, SensorHold, WhenSilent, is_finite},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
    value::{Missing, Value},
    wire::VERSION,
};

pub(super) fn tags() -> impl Strategy<Value = Tag> + Clone {
    any::<u64>().prop_map(Tag::from_bits)
}

/// Numbers of every magnitude that may be sent.
pub(super) fn numbers() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        any::<f64>().prop_map(|number| if is_finite(number) { number } else { 1.0 }),
        prop::sample::select(vec![0.0, -0.0, 1.0, MAX_MAGNITUDE, -MAX_MAGNITUDE, f64::MIN_POSITIVE, 5e-324]),
    ]
}

pub(super) fn spans() -> impl Strategy<Value = Duration> + Clone {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)].prop_map(Duration::from_micros)
}

pub(super) fn names<T: std::str::FromStr<Err = crate::id::NameError> + std::fmt::Debug>()
-> impl Strategy<Value = T> + Clone {
    prop_oneof!["[A-Za-z0-9_-]{1,8}", "[A-Za-z0-9_-]{64}"].prop_map(|text| name(&text))
}

pub(super) fn missing_neurons() -> impl Strategy<Value = Missing> + Clone {
    prop_oneof![Just(Missing::NONE), vec(names::<SourceId>(), 0..5).prop_map(Missing::from_iter)]
}

pub(super) fn levels() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![Just(0.0), Just(1.0)]
}

pub(super) fn samples_of_levels() -> impl Strategy<Value = Sample> + Clone {
    (levels(), tags(), missing_neurons()).prop_map(|(level, tag, missing)| Sample { level, tag, missing })
}

pub(super) fn stimuli() -> impl Strategy<Value = Stimulus> + Clone {
    (option::of(names()), option::of(numbers()), option::of(spans())).prop_map(|(sensor, level, hold)| Stimulus {
        sensor,
        level,
        hold,
    })
}

pub(super) fn sources() -> impl Strategy<Value = Source> + Clone {
    prop_oneof![names().prop_map(Source::Neuron), names().prop_map(Source::Sensor)]
}

pub(super) fn signals() -> impl Strategy<Value = Message> {
    let stream = || (incarnations(), any::<u32>()).prop_map(|(incarnation, counter)| StreamId { incarnation, counter });
    let value = (levels(), missing_neurons()).prop_map(|(level, missing)| Value { level, missing });
    let body =
        prop_oneof![
            stream().prop_map(|stream| SignalBody::Subscribe { stream }),
            stream().prop_map(|stream| SignalBody::Unsubscribe { stream }),
            Just(SignalBody::Hello),
            stream().prop_map(|stream| SignalBody::NoStream { stream }),
            (incarnations(), incarnations()).prop_map(|(answered, known)| SignalBody::Fenced { answered, known }),
            (stream(), any::<u64>(), tags(), tags(), value)
                .prop_map(|(stream, seq, known, at, value)| SignalBody::Changed { stream, seq, known, at, value }),
            (stream(), any::<u64>()).prop_map(|(stream, upto)| SignalBody::Ack { stream, upto }),
            (stream(), any::<u64>(), tags(), any::<bool>())
                .prop_map(|(stream, after, upto, wave)| SignalBody::Nothing { stream, after, upto, wave }),
            (stream(), tags()).prop_map(|(stream, upto)| SignalBody::Probe { stream, upto }),
            Just(SignalBody::Where),
            names().prop_map(|host| SignalBody::Home { host }),
        ];
    (incarnations(), body).prop_map(|(incarnation, body)| Message::Signal(Signal { incarnation, body }))
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    any::<(u32, u32)>().prop_map(|(number, nonce)| Incarnation { number, nonce })
}

fn positions() -> impl Strategy<Value = WatchPosition> {
    (incarnations(), any::<u64>()).prop_map(|(incarnation, number)| WatchPosition { incarnation, number })
}

fn host_positions() -> impl Strategy<Value = HostPosition> {
    any::<(u64, u64)>().prop_map(|(life, counter)| HostPosition { life, counter })
}

fn host_changes() -> impl Strategy<Value = HostChanges> {
    let changed = (names(), option::of(positions())).prop_map(|(neuron, position)| HostChange { neuron, position });
    (any::<u64>(), names(), host_positions(), any::<Option<u64>>(), vec(changed, 0..5))
        .prop_map(|(watch, host, position, latest, changed)| HostChanges { watch, host, position, latest, changed })
}

pub(super) fn config_changes() -> impl Strategy<Value = ConfigChange> {
    prop_oneof![
        (sources(), numbers()).prop_map(|(source, weight)| ConfigChange::SetWeight { source, weight }),
        sources().prop_map(|source| ConfigChange::DeleteWeight { source }),
        numbers().prop_map(|threshold| ConfigChange::SetThreshold { threshold }),
        (names(), option::of(spans())).prop_map(|(source, delay)| ConfigChange::Connect { source, delay }),
        names().prop_map(|source| ConfigChange::Disconnect { source }),
    ]
}

pub(super) fn requests() -> impl Strategy<Value = Message> {
    let command = prop_oneof![
        4 => (stimuli(), option::of(tags()), spans())
            .prop_map(|(stimulus, at, within)| Command::Stimulate { stimulus, at, within }),
        4 => (any::<u64>(), tags(), vec(stimuli(), 0..5))
            .prop_map(|(ticket, at, stimuli)| Command::Commit { ticket, at, stimuli }),
        1 => tags().prop_map(|tag| Command::OutputAt { tag }),
        1 => tags().prop_map(|after| Command::Output { after }),
        1 => tags().prop_map(|after| Command::Config { after }),
        1 => tags().prop_map(|after| Command::Log { after }),
        1 => any::<u64>().prop_map(|watch| Command::Watch { watch }),
        1 => any::<u64>().prop_map(|watch| Command::Unwatch { watch }),
        1 => any::<u64>().prop_map(|watch| Command::LastChange { watch }),
        1 => names().prop_map(|listener| Command::Admit { listener }),
        1 => (any::<u64>(), host_positions()).prop_map(|(watch, known)| Command::WatchHost { watch, known }),
        4 => (vec(config_changes(), 0..5), vec(stimuli(), 0..3))
            .prop_map(|(changes, stimuli)| Command::Prepare { changes, stimuli }),
        1 => any::<u64>().prop_map(|ticket| Command::Release { ticket }),
        2 => vec(numbers(), 0..5).prop_map(|levels| Command::Train { levels }),
        8 => config_changes().prop_map(Command::Configure),
        2 => prop::sample::select(vec![
            Command::Reserve,
            Command::EmptyLog,
            Command::Counters,
            Command::Host,
        ]),
    ];
    let deadline = option::of(any::<u64>().prop_map(Time::from_micros));
    (any::<u64>(), deadline, command)
        .prop_map(|(id, deadline, command)| Message::Request(Request { id, deadline, command }))
}

pub(super) fn configs() -> impl Strategy<Value = ConfigView> {
    let rule = prop_oneof![
        Just(Rule::Level),
        (spans(), spans()).prop_map(|(window, refractory)| Rule::Pulse { window, refractory }),
    ];
    let lists = (
        btree_map(names(), numbers(), 0..4),
        btree_map(names(), sensors(), 0..4),
        btree_map(names(), option::of(spans()), 0..4),
        vec(names(), 0..4),
    );
    let mode = prop_oneof![Just(Mode::Coherent), Just(Mode::Asap)];
    (samples_of_levels(), option::of(numbers()), lists, spans(), spans(), mode, rule).prop_map(
        |(output, threshold, (weights, sensors, inputs, connections), hold, linger, mode, rule)| ConfigView {
            output,
            threshold,
            weights,
            sensors,
            inputs,
            connections,
            hold,
            linger,
            mode,
            rule,
        },
    )
}

fn sensors() -> impl Strategy<Value = Sensor> {
    let hold = prop_oneof![Just(SensorHold::OfNeuron), Just(SensorHold::UntilNext), spans().prop_map(SensorHold::For)];
    let when_silent = prop_oneof![Just(WhenSilent::Zero), Just(WhenSilent::Unknown)];
    (numbers(), hold, when_silent).prop_map(|(weight, hold, when_silent)| Sensor { weight, hold, when_silent })
}

pub(super) fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        any::<String>().prop_map(Refusal::NotFinite),
        Just(Refusal::NotALevel),
        names().prop_map(Refusal::UnknownSensor),
        names().prop_map(Refusal::NotConnected),
        names().prop_map(Refusal::AlreadyConnected),
        names().prop_map(Refusal::SelfConnection),
        Just(Refusal::NoDelay),
        tags().prop_map(Refusal::Unknown),
        any::<String>().prop_map(Refusal::TooMany),
        Just(Refusal::TimeExhausted),
        Just(Refusal::Restarted),
        any::<u64>().prop_map(|bits| Refusal::TooFarAhead(Tag::from_bits(bits))),
        any::<(u32, u32)>().prop_map(|(ours, known)| Refusal::Fenced { ours, known }),
        Just(Refusal::Expired),
        Just(Refusal::TooLarge),
        any::<String>().prop_map(Refusal::Unsaved),
        any::<u64>().prop_map(|micros| Refusal::TooLate { now: Time::from_micros(micros) }),
    ]
}

pub(super) fn reports() -> impl Strategy<Value = Message> {
    let counters = any::<[[u64; 8]; 2]>().prop_map(|counts| {
        let [
            [kicks, firings, evaluations, probes, late, refused, unknown, duplicates],
            [degraded, silences, resent, given_up, ahead, superseded, restarts, extended],
        ] = counts;
        Counters {
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
        }
    });
    let answer = prop_oneof![
        1 => Just(Answer::Done),
        2 => (tags(), any::<bool>()).prop_map(|(tag, moved)| Answer::Stamped(Stamp { tag, moved })),
        1 => (tags(), tags()).prop_map(|(floor, latest)| Answer::Floor { floor, latest }),
        1 => samples_of_levels().prop_map(Answer::Output),
        1 => (any::<u64>(), positions(), samples_of_levels())
            .prop_map(|(watch, position, sample)| Answer::Watched { watch, position, sample }),
        2 => host_changes().prop_map(|changes| Answer::WatchedHost(Box::new(changes))),
        6 => configs().prop_map(|config| Answer::Config(Box::new(config))),
        2 => vec(tags().prop_map(|tag| Firing { tag }), 0..20).prop_map(Answer::Log),
        1 => counters.prop_map(|counters| Answer::Counters(Box::new(counters))),
    ];
    let result = prop_oneof![2 => answer.prop_map(Ok), 1 => refusals().prop_map(Err)];
    prop_oneof![
        4 => (any::<u64>(), result).prop_map(|(request, result)| Report::Reply { request, result }),
        1 => (any::<u64>(), positions(), samples_of_levels())
            .prop_map(|(watch, position, sample)| Report::Changed { watch, position, sample }),
    ]
    .prop_map(Message::Report)
}

pub(super) fn host_messages() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        4 => (any::<u64>(), any::<u64>(), spans(), any::<bool>())
            .prop_map(|(number, echo, held, listens)| HostMessageBody::Alive { number, echo, held, listens }),
        2 => vec(names(), 0..5).prop_map(|neurons| HostMessageBody::Gone { neurons }),
        1 => Just(HostMessageBody::Goodbye),
    ];
    (any::<u32>(), body).prop_map(|(life, body)| Message::Host(HostMessage { life, body }))
}

pub(super) fn claims() -> impl Strategy<Value = Message> {
    let numbers = (any::<u64>(), tags().prop_map(Tag::time), any::<bool>(), option::of(any::<u64>()));
    (names(), names(), numbers).prop_map(|(neuron, host, (id, since, is_established, answers))| {
        Message::Claim(Claim { neuron, host, id, since, is_established, answers })
    })
}

/// Bytes that resemble a message more often than random ones do.
pub(super) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(golden_frames().into_iter().map(|(_, frame)| frame[1]).collect::<Vec<_>>());
    let small = prop_oneof![3 => Just(0_u8), 1 => 0..8_u8, 1 => any::<u8>()];
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 1..10);
    prop_oneof![
        1 => vec(any::<u8>(), 0..=300),
        1 => vec(any::<u8>(), 0..300).prop_map(|rest| [&[VERSION], &rest[..]].concat()),
        2 => (known.clone(), vec(any::<u8>(), 0..=298)).prop_map(|(kind, rest)| [&[VERSION, kind], &rest[..]].concat()),
        // Mostly zeros and small numbers, so that lengths and choices are often plausible.
        4 => (known, vec(small, 0..=298)).prop_map(|(kind, rest)| [&[VERSION, kind], &rest[..]].concat()),
        4 => (prop::sample::select(golden_frames()), changes).prop_map(|((_, mut frame), changes)| {
            for (at, byte) in changes {
                *at.get_mut(&mut frame) = byte;
            }
            frame
        }),
    ]
}
