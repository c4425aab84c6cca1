//! How long it takes to encode and to decode a message.
//!
//! There is nothing to compare with, so criterion measures it.

use std::{fs, hint::black_box, time::Duration};

use benches::report::{Report, folder};
use criterion::Criterion;
use neuron_core::{
    Tag, Value,
    command::{Command, Request, Stimulus},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    wire,
};

fn main() {
    if benches::is_test() {
        return;
    }
    let seconds = if benches::is_full() { 5 } else { 1 };
    let span = Duration::from_secs(seconds);
    let mut criterion = Criterion::default().warm_up_time(span / 2).measurement_time(span).without_plots();
    let incarnation = Incarnation { number: 1, nonce: 7 };
    let stream = StreamId { incarnation, counter: 1 };
    let at = Tag::from_bits(1 << 60);
    let changed = SignalBody::Changed { stream, seq: 7, known: at.prev(), at, value: Value::plain(1.0) };
    let signals = [("level", changed), ("acknowledgement", SignalBody::Ack { stream, upto: 7 })];
    let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: None };
    let request = Request::new(1, Command::Stimulate { stimulus, at: None, within: Duration::ZERO });
    let mut report = Report::new("wire");
    for (name, body) in signals {
        let signal = Signal { incarnation, body };
        let frame = wire::encode_signal(&signal).expect("it is finite");
        let encode = || wire::encode_signal(black_box(&signal)).expect("it is finite");
        measure(&mut criterion, &mut report, &format!("encode a {name}"), encode);
        let decode = || wire::decode_signal(black_box(&frame)).expect("it is a signal");
        measure(&mut criterion, &mut report, &format!("decode a {name}"), decode);
    }
    let frame = wire::encode_request(&request).expect("it is finite");
    let encode = || wire::encode_request(black_box(&request)).expect("it is finite");
    measure(&mut criterion, &mut report, "encode a request", encode);
    let decode = || wire::decode_request(black_box(&frame)).expect("it is a request");
    measure(&mut criterion, &mut report, "decode a request", decode);
    report.save();
}

fn measure<T>(criterion: &mut Criterion, report: &mut Report, name: &str, mut work: impl FnMut() -> T) {
    criterion.bench_function(name, |bencher| bencher.iter(&mut work));
    let estimates = folder().with_file_name("criterion").join(name).join("new/estimates.json");
    let text = fs::read_to_string(&estimates).unwrap_or_else(|error| panic!("{}: {error}", estimates.display()));
    let estimates: serde_json::Value = serde_json::from_str(&text).expect("criterion writes JSON");
    report.figure(name, estimates["median"]["point_estimate"].as_f64().expect("a median"), "ns", None);
}
