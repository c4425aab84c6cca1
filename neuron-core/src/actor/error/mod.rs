//! Why a host or a controller did not do what it was asked to.

mod clocks_apart;
mod control;
mod host;
mod text;

pub use control::ControlError;
pub use host::HostError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NeuronId;

    #[test]
    fn a_text_that_is_not_a_name_is_shown_without_control_characters() {
        let source = "\u{7}".parse::<NeuronId>().unwrap_err();
        let error = ControlError::BadName { name: "\u{7}".to_owned(), source };
        assert_eq!(error.to_string(), "`\\u{7}` is not a name");
    }

    #[test]
    fn an_error_shown_by_main_is_plain_text_with_its_causes() {
        let source = "a b".parse::<NeuronId>().unwrap_err();
        let cause = source.to_string();
        let error = ControlError::BadName { name: "a b".to_owned(), source };
        assert_eq!(format!("{error:?}"), format!("`a b` is not a name: {cause}"));
        let error = HostError::Control(ControlError::Stopped);
        assert_eq!(format!("{error:?}"), "the host has stopped");
    }

    #[test]
    fn a_long_loop_is_told_by_its_ends_and_its_length() {
        let around = (0..100_000).chain([0]).map(|number| format!("n{number}").parse().unwrap());
        let told = ControlError::Loop(around.collect()).to_string();
        assert!(told.contains("n0 → n1 → n2 →") && told.contains("→ n99999 → n0 (100000 neurons)"), "{told}");
        assert!(told.len() < 1000, "{} bytes", told.len());
    }
}
