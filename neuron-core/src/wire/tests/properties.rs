//! Round trips of any message, and any bytes.

use proptest::prelude::*;

use super::{Message, read_untrusted, strategies::*};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_signal_is_read_as_it_was_written(message in signals()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_request_is_read_as_it_was_written(message in requests()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_report_is_read_as_it_was_written(message in reports()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_message_between_hosts_is_read_as_it_was_written(message in host_messages()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_claim_is_read_as_it_was_written(message in claims()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_truncation_of_any_message_is_refused(
        message in prop_oneof![signals(), requests(), reports(), host_messages(), claims()],
        at in any::<prop::sample::Index>(),
    ) {
        let frame = message.encode().unwrap();
        for message in Message::decode(&frame[..at.index(frame.len())]) {
            prop_assert!(message.is_err(), "{:?}", message);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_sound_message(bytes in any_bytes()) {
        read_untrusted(&bytes);
    }
}
