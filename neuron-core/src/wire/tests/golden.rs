//! The frozen bytes of version 1.

use super::{samples::samples, *};

#[test]
fn version_1_reads_and_writes_its_golden_bytes() {
    let golden = golden_frames();
    let samples = samples();
    let golden_names: Vec<_> = golden.iter().map(|(name, _)| *name).collect();
    let sample_names: Vec<_> = samples.iter().map(|(name, _)| *name).collect();
    assert_eq!(golden_names, sample_names, "each sample has its line, in the same order");

    for ((name, frame), (_, sample)) in golden.iter().zip(samples) {
        assert_eq!(hex(&sample.encode().unwrap()), hex(frame), "{name} is written differently; {FROZEN}");
        let read: Vec<_> = Message::decode(frame).into_iter().flatten().collect();
        assert_eq!(read, [sample], "{name} is read differently; {FROZEN}");
    }
}

#[test]
fn every_kind_has_a_golden_frame() {
    let golden = golden_frames();
    for kind in 0..=u8::MAX {
        let has_frame = golden.iter().any(|(_, frame)| frame[1] == kind);
        let unknown = |error: WireError| error.kind() == WireErrorKind::UnknownKind(kind);
        let is_known = !Message::decode(&[VERSION, kind]).into_iter().all(|message| message.is_err_and(unknown));
        assert_eq!(is_known, has_frame, "kind {kind}");
    }
}

#[test]
fn every_refusal_has_a_golden_frame() {
    let golden = golden_frames();
    let (_, sample) = golden.iter().find(|(name, _)| *name == "refusal.not_a_level").unwrap();
    let (head, index) = sample.split_at(10);
    assert_eq!(index, [1, 0, 0, 0]);
    for index in 0..=u32::from(u8::MAX) {
        let head = [head, &index.to_le_bytes()].concat();
        let has_frame = golden.iter().any(|(_, frame)| frame.starts_with(&head));
        // Nothing, a tag (or two numbers) or a text: what refusals have as their fields.
        let fields: [&[u8]; 3] = [&[], &[0; 8], &[1, 0, 0, 0, 0, 0, 0, 0, b'a']];
        let is_known = fields.iter().any(|field| decode_report(&[&head, *field].concat()).is_ok());
        assert_eq!(is_known, has_frame, "refusal {index}");
    }
}
