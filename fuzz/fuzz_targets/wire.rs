//! Any bytes, for every decoder of the wire.
//!
//! The bytes are a message of at most one kind. No decoder panics, or reserves more memory than a
//! frame may ask for. A decoded message can be encoded, and decodes to the same message again. The
//! encoded frame equals the input, unless the message contains names that are sorted: the input may
//! have them in another order, or twice.
//!
//! The bytes are also one frame, or a bundle of several frames that make the same bundle when they
//! are joined again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use neuron_core::{
    Missing,
    command::{Answer, Report, Request, Sample},
    hosts::{Claim, HostMessage},
    signal::{Signal, SignalBody},
    wire::{
        Bundle, MAX_BUNDLE, MAX_FRAME, WireError, decode_claim, decode_host_message, decode_report, decode_request,
        decode_signal, encode_claim, encode_host_message, encode_report, encode_request, encode_signal, frames,
    },
};
use neuron_fuzz::memory::{Counting, Meter};

#[global_allocator]
static MEMORY: Counting = Counting;

/// The most memory that a decoder may hold for a frame, in bytes. Texts in a list take several
/// times the bytes that they are encoded in.
const MAX_HELD: usize = 8 * MAX_FRAME;

fuzz_target!(|frame: &[u8]| {
    let meter = Meter::begin();
    let (signal, request, report) = (decode_signal(frame), decode_request(frame), decode_report(frame));
    let (host, claim) = (decode_host_message(frame), decode_claim(frame));
    let held = meter.peak();
    assert!(held <= MAX_HELD, "{} bytes made the decoders hold {held}", frame.len());

    let read = [signal.is_ok(), request.is_ok(), report.is_ok(), host.is_ok(), claim.is_ok()];
    assert!(read.into_iter().filter(|read| *read).count() <= 1, "a frame that is several messages: {read:?}");

    bundle_round_trip(frame);
    message_round_trip(frame, signal, |signal| (encode_signal(signal), decode_signal), signal_has_names);
    message_round_trip(frame, request, |request| (encode_request(request), decode_request), |_: &Request| false);
    message_round_trip(frame, report, |report| (encode_report(report), decode_report), report_has_names);
    message_round_trip(frame, host, |host| (encode_host_message(host), decode_host_message), |_: &HostMessage| false);
    message_round_trip(frame, claim, |claim| (encode_claim(claim), decode_claim), |_: &Claim| false);
});

/// Checks that a bundle is the only encoding of its frames.
fn bundle_round_trip(message: &[u8]) {
    let meter = Meter::begin();
    let found = frames(message);
    assert_eq!(meter.peak(), 0, "looking for frames takes no memory");
    let Ok(mut frames) = found else { return };
    let mut bundle = Bundle::new(frames.next().expect("there is always one").to_vec());
    for frame in frames {
        assert!(bundle.add(frame, MAX_BUNDLE), "a bundle came in and cannot go out");
    }
    assert_eq!(bundle.into_message(), message, "two bundles of the same frames");
}

/// A decoder for one type of message.
type Decode<T> = fn(&[u8]) -> Result<T, WireError>;

/// Checks that a decoded message can be encoded, and decodes to the same message again.
fn message_round_trip<T: Debug + PartialEq>(
    frame: &[u8],
    message: Result<T, WireError>,
    codec: impl Fn(&T) -> (Result<Vec<u8>, WireError>, Decode<T>),
    has_names: impl Fn(&T) -> bool,
) {
    let Ok(message) = message else { return };
    let (encoded, decode) = codec(&message);
    let encoded = encoded.unwrap_or_else(|error| panic!("{message:?} came in and cannot go out: {error}"));
    let again = decode(&encoded).unwrap_or_else(|error| panic!("{message:?} went out and cannot come in: {error}"));
    assert_eq!(again, message, "what went out is not what comes in");
    if has_names(&message) {
        assert!(encoded.len() <= frame.len(), "{message:?} has grown");
        assert_eq!(codec(&again).0.expect("it was encoded before"), encoded, "two frames for {message:?}");
    } else {
        assert_eq!(encoded, frame, "two frames for {message:?}");
    }
}

fn signal_has_names(signal: &Signal) -> bool {
    matches!(&signal.body, SignalBody::Changed { value, .. } if has_names(&value.missing))
}

fn report_has_names(report: &Report) -> bool {
    match report {
        Report::Changed { sample: Sample { missing, .. }, .. }
        | Report::Reply {
            result: Ok(Answer::Output(Sample { missing, .. }) | Answer::Watched { sample: Sample { missing, .. }, .. }),
            ..
        } => has_names(missing),
        Report::Reply { result: Ok(Answer::Config(_)), .. } => true,
        Report::Reply { .. } => false,
    }
}

fn has_names(missing: &Missing) -> bool {
    !missing.is_empty()
}
