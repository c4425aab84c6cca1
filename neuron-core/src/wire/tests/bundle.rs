//! Tests of bundles.

use proptest::{collection::vec, prelude::*};

use super::{
    FROZEN, bytes, golden_frames, hex,
    strategies::{any_bytes, reports, requests, signals},
};
use crate::wire::{
    Bundle, MAX_BUNDLE, MAX_FRAME, MAX_FRAMES, WireError, WireErrorKind, bundle, decode_report, decode_request,
    decode_signal, frames,
};

/// A bundle of a `Hello` and an `Ack`: its name and its bytes in hexadecimal.
const GOLDEN: &str = include_str!("../testdata/bundle.txt");

fn golden_bundle() -> Vec<u8> {
    bytes(GOLDEN.trim_end().strip_prefix("bundle ").unwrap())
}

fn joined<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut frames = frames.into_iter();
    let mut bundle = Bundle::new(frames.next().unwrap().to_vec());
    for frame in frames {
        assert!(bundle.add(frame, MAX_BUNDLE));
    }
    bundle.into_message()
}

/// Returns the frames in `message`, and checks that they make up its bytes.
fn split(message: &[u8]) -> Result<Vec<&[u8]>, WireErrorKind> {
    let found = frames(message).map_err(|error| error.kind())?;
    let count = found.len();
    let found = found.collect::<Vec<_>>();
    assert_eq!(count, found.len());
    if found.len() == 1 {
        assert_eq!(found, [message]);
    } else {
        assert!(found.len() <= MAX_FRAMES && message.len() <= MAX_BUNDLE);
        assert_eq!(joined(found.iter().copied()), message, "two bundles of the same frames");
    }
    Ok(found)
}

#[test]
fn a_bundle_is_read_and_written_as_its_golden_bytes() {
    let golden = golden_frames();
    let frame = |wanted| &golden.iter().find(|(name, _)| *name == wanted).unwrap().1[..];
    let two = [frame("signal.hello"), frame("signal.ack")];
    assert_eq!(hex(&joined(two)), hex(&golden_bundle()), "a bundle is written differently; {FROZEN}");
    assert_eq!(split(&golden_bundle()), Ok(two.to_vec()), "a bundle is read differently; {FROZEN}");
}

#[test]
fn a_single_frame_travels_unchanged() {
    for (_, frame) in golden_frames() {
        assert_eq!(Bundle::new(frame.clone()).into_message(), frame);
        assert_eq!(split(&frame), Ok(vec![&frame[..]]));
    }
    // Bytes that are not a frame are left to the decoders.
    for other in [&[][..], &[1], &[2, bundle::KIND], &[1; MAX_FRAME + 1]] {
        assert_eq!(split(other), Ok(vec![other]));
    }
}

#[test]
fn a_truncated_bundle_is_refused() {
    let bundle = golden_bundle();
    // Below two bytes it could be the beginning of any frame.
    for length in 2..bundle.len() {
        assert_eq!(split(&bundle[..length]), Err(WireErrorKind::Malformed), "{length} bytes");
    }
}

#[test]
fn lengths_that_lie_and_bytes_that_follow_are_refused() {
    let bundle = golden_bundle();
    for at in [2, 2 + 4 + 10] {
        let length = u32::from_le_bytes(bundle[at..at + 4].try_into().unwrap());
        for lie in [0, 1, length - 1, length + 1, MAX_BUNDLE as u32, 1 << 31, u32::MAX] {
            let lying = [&bundle[..at], &lie.to_le_bytes(), &bundle[at + 4..]].concat();
            assert_eq!(split(&lying), Err(WireErrorKind::Malformed), "{lie} in the place of {length}");
        }
    }
    for more in 1..=3 {
        let longer = [&bundle[..], &vec![0; more]].concat();
        assert_eq!(split(&longer), Err(WireErrorKind::Malformed), "{more} bytes more");
    }
}

#[test]
fn a_bundle_is_not_a_message_and_is_not_nested() {
    let unknown = Some(WireErrorKind::UnknownKind(bundle::KIND));
    let kind = |error: WireError| error.kind();
    let inner = golden_bundle();
    let outer = joined([&inner[..], &inner]);
    for frame in split(&outer).unwrap().into_iter().chain([&outer[..]]) {
        assert_eq!(decode_signal(frame).err().map(kind), unknown);
        assert_eq!(decode_request(frame).err().map(kind), unknown);
        assert_eq!(decode_report(frame).err().map(kind), unknown);
    }
}

#[test]
fn the_size_of_a_bundle_and_its_number_of_frames_are_limited() {
    let mut bundle = Bundle::new(vec![1; 100]);
    let room = MAX_BUNDLE - 2 - 4 - 100 - 4;
    assert!(!bundle.add(&vec![2; room + 1], usize::MAX));
    assert!(!bundle.add(&vec![2; room], MAX_BUNDLE - 1));
    assert_eq!(bundle.frames(), 1);
    assert!(bundle.add(&vec![2; room], MAX_BUNDLE));
    assert!(!bundle.add(&[], MAX_BUNDLE));
    assert_eq!(bundle.frames(), 2);
    let largest = bundle.into_message();
    assert_eq!(largest.len(), MAX_BUNDLE);
    assert_eq!(split(&largest), Ok(vec![&[1; 100][..], &vec![2; room]]));
    // One byte more, with a length that covers it.
    let mut larger = largest;
    larger[106..110].copy_from_slice(&(room as u32 + 1).to_le_bytes());
    larger.push(0);
    assert_eq!(split(&larger), Err(WireErrorKind::TooLarge));

    let mut bundle = Bundle::new(vec![]);
    assert_eq!((1..2 * MAX_FRAMES).filter(|_| bundle.add(&[], MAX_BUNDLE)).count(), MAX_FRAMES - 1);
    let mut most = bundle.into_message();
    assert_eq!(split(&most), Ok(vec![&[][..]; MAX_FRAMES]));
    most.extend([0; 4]);
    assert_eq!(split(&most), Err(WireErrorKind::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bundle_is_read_as_it_was_written(
        messages in vec(prop_oneof![signals(), requests(), reports()], 2..20),
    ) {
        let written: Vec<_> = messages.iter().map(|message| message.encode().unwrap()).collect();
        let bundle = joined(written.iter().map(Vec::as_slice));
        prop_assert_eq!(split(&bundle).unwrap(), written);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(
        bytes in any_bytes(),
        in_bundle in any::<bool>(),
        lengths in vec((any::<prop::sample::Index>(), 0..300_u32), 0..4),
    ) {
        let mut bytes = bytes;
        if in_bundle && bytes.len() >= 2 {
            bytes[..2].copy_from_slice(&[1, bundle::KIND]);
            // Plausible lengths.
            for (at, length) in lengths {
                let at = 2 + at.index(bytes.len() - 1);
                let length = &length.to_le_bytes()[..4.min(bytes.len() - at.min(bytes.len()))];
                bytes[at..at + length.len()].copy_from_slice(length);
            }
        }
        let _ = split(&bytes);
    }
}
