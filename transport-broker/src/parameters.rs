//! The parameters that stand behind the `?` of an address.

use std::{collections::HashSet, time::Duration};

use url::Url;

use crate::shown_parameter;

/// Returns the first parameter that is given twice, as it may be shown; `None` if there is none.
pub fn repeated_parameter(url: &Url) -> Option<String> {
    let mut seen = HashSet::new();
    let repeated = url.query_pairs().find(|(name, _)| !seen.insert(name.to_string()));
    repeated.map(|(name, value)| shown_parameter(&name, &value))
}

/// Parses a duration: a number of seconds, or a number with the unit `ms`, `s`, `m` or `h`, or
/// several of them, such as `1m 30s`.
///
/// # Errors
/// A text that says what is wrong: it is no duration, or it is 0, or longer than 100 years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let number = units.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?.trim_end();
        number.parse::<f64>().ok().map(|number| number * seconds)
    });
    let duration = match number {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => humantime::parse_duration(text).ok(),
    };
    match duration {
        None => Err(format!("`{text}` is no duration like `2.25s`, `500ms`, `1m` or `1h`")),
        Some(Duration::ZERO) => Err(format!("`{text}` is no time at all")),
        Some(duration) if duration > MAX_DURATION => Err(format!("`{text}` is longer than 100 years")),
        Some(duration) => Ok(duration),
    }
}

/// The longest duration: brokers count it in milliseconds or nanoseconds, which end somewhere.
const MAX_DURATION: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        for (text, millis) in [
            ("1", 1000),
            ("2.25", 2250),
            ("2.25s", 2250),
            ("500ms", 500),
            ("1m", 60_000),
            ("1.5h", 5_400_000),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "long", "-1", "-1s", "0", "0ms", "NaN", "inf", "1x", "1e300", "1e12h"] {
            assert!(parse_duration(text).is_err_and(|told| told.starts_with(&format!("`{text}` is "))), "{text}");
        }
    }

    #[test]
    fn a_parameter_that_is_given_twice_is_found() {
        let repeated = |address: &str| repeated_parameter(&Url::parse(address).expect("a URL"));
        assert_eq!(repeated("redis://host?mode=streams&prefix=a"), None);
        assert_eq!(repeated("redis://host?mode=streams&prefix=a&mode=streams"), Some("`mode`".to_owned()));
        assert_eq!(repeated("redis://host?S3cret=a&S3cret=b"), Some("one of them".to_owned()));
    }
}
