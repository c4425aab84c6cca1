//! The bytes of a network file become text.

use super::{Position, Problem};

/// Returns the text of a file.
///
/// # Errors
/// When it is not UTF-8: a problem with its line, which names the encoding where that is known.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    if let Some(encoding) = wide_encoding(bytes) {
        let message = format!("the file is saved as {encoding}, and cannot be read; save it as UTF-8");
        return Err(Problem { position: Some(Position { line: 1, column: 1 }), path: String::new(), message });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = bytes[error.valid_up_to()];
        let message =
            format!("the byte 0x{byte:02X} is not UTF-8: the file is saved in another encoding; save it as UTF-8");
        Problem { position: Some(Position { line, column }), path: String::new(), message }
    })
}

/// Returns the encoding of a text whose characters take at least two bytes: by its byte-order mark,
/// or because every second byte of its beginning is 0; `None` if it is not such a text.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    const UTF_16: &str = "UTF-16";
    const UTF_32: &str = "UTF-32";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some(UTF_32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF_16),
        [0, 0, 0, 1..=255, ..] | [1..=255, 0, 0, 0, ..] => Some(UTF_32),
        [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..] => Some(UTF_16),
        _ => None,
    }
}
