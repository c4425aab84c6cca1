//! Files that are not text, and texts with broken syntax.

use std::path::PathBuf;

use super::*;

const SMALL: &str = "# café\n[network]\nname = \"n\"\n\n[neurons.x]\nthreshold = 1\n";

/// A file that is removed when it is dropped.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("network-{}-{}.toml", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn load_error(bytes: &[u8]) -> String {
    let file = File::with(bytes);
    let error = Network::load(&file.0).unwrap_err();
    assert!(error.to_string().contains(&file.0.display().to_string()), "{error}");
    assert_eq!(error.problems().len(), 1, "{error}");
    error.problems()[0].to_string()
}

#[test]
fn a_file_in_utf_16_is_told_with_its_encoding() {
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let marked = format!("\u{feff}{SMALL}");
    for bytes in [little(SMALL), little(&marked), big(SMALL), big(&marked)] {
        let told = load_error(&bytes);
        assert_eq!(told, "line 1, column 1: the file is saved as UTF-16, and cannot be read; save it as UTF-8");
    }
    let utf_32: Vec<u8> = marked.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    assert!(load_error(&utf_32).contains("saved as UTF-32"));
}

#[test]
fn a_file_in_latin_1_is_told_with_the_place_of_the_first_byte_that_is_not_utf_8() {
    let latin: Vec<u8> = format!("[network]\nname = \"n\" # {SMALL}").chars().map(|letter| letter as u8).collect();
    let told = load_error(&latin);
    assert_eq!(
        told,
        "line 2, column 19: the byte 0xE9 is not UTF-8: the file is saved in another encoding; save it as UTF-8"
    );
}

#[test]
fn a_byte_order_mark_of_utf_8_is_passed_over() {
    let file = File::with(format!("\u{feff}{SMALL}").as_bytes());
    assert_eq!(Network::load(&file.0).unwrap(), Network::from_toml(SMALL).unwrap());
    let told = problems("\u{feff}[network]\nname = \"n\"\n");
    assert_eq!(told, ["line 1, column 1: neurons: a network needs at least one neuron"]);
    let told = problems("\u{feff}[network] [x]\n");
    assert!(told[0].starts_with("line 1, column 11: "), "{told:#?}");
}

#[test]
fn a_key_that_is_given_twice_is_named_with_the_line_of_the_first() {
    let text = "\
[network]
name = \"n\"
[neurons.x]
threshold = 1
weights.a = 1
sensors.a-1 = 1
threshold = 2
sensors.\"a-1\" = 2
[neurons.a]
sensors = { b = 1, c = 1, b = 2 }
sensors.c = 1
[neurons.x]
linger = \"1s\"
[neurons.x]
";
    let told = |path: &str, name: &str, first: u32| {
        format!("{path}: `{name}` is given twice, first in line {first}; leave one of them out, or join them")
    };
    let expected = [
        format!("line 7, column 1: {}", told("neurons.x.threshold", "threshold", 4)),
        format!("line 8, column 9: {}", told("neurons.x.sensors.a-1", "a-1", 6)),
        format!("line 10, column 27: {}", told("neurons.a.sensors.b", "b", 10)),
        "line 11, column 1: cannot extend value of type inline table with a dotted key".to_owned(),
        format!("line 12, column 10: {}", told("neurons.x", "x", 3)),
        format!("line 14, column 10: {}", told("neurons.x", "x", 3)),
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn a_key_of_too_many_parts_is_told_in_its_line() {
    let key = "a.".repeat(90);
    let text = format!("{SMALL}\n# a comment\n{key}a = 1\nthreshold = 2\n[neurons.y]\nweights = {{ z = 1 }}\n");
    assert_eq!(problems(&text), ["line 9, column 1: a key has at most 80 parts with dots between them"]);
    let nested = format!("{SMALL}host = {}1{}\n", "[".repeat(90), "]".repeat(90));
    let told = problems(&nested);
    assert!(told[0].ends_with("lists and tables may stand within one another up to 80 deep"), "{told:#?}");
    assert!(told[0].starts_with("line 7, ") && told.len() == 1, "{told:#?}");
}

#[test]
fn what_only_seems_to_be_missing_after_broken_syntax_is_not_told() {
    let rest = "name = \"n\"\n[neurons.x]\nthreshold = 1\n[neurons.y]\nweights = { x = 1 }\n";
    for (text, expected) in [
        (format!("[network\n{rest}"), "line 1, column 9: unclosed table"),
        (format!("[network]\nhold\n{rest}"), "line 2, column 5: key with no value"),
        (format!("[network]\n{}", rest.replace("[neurons.x]", "[neurons.x")), "line 3, column 11: unclosed table"),
        (format!("[network]\n{}", rest.replace("= 1\n", "= 0.5.5\n")), "line 4, column 16: invalid float"),
        (format!("[network]\n{}", rest.replace("= 1\n", "= \"1\\q\"\n")), "line 4, column 16: missing escaped value"),
        (format!("[network]\n{}", rest.replace("x = 1 }", "x = 01 }")), "line 6, column 17: unexpected leading zero"),
        (format!("[network]\n{}", rest.replace("x = 1 }", "x = }")), "line 6, column 17: invalid literal string"),
        (
            format!("[network]\n{}", rest.replace("x = 1 }", "y = { weight = 1,\n delay = 1ms } }")),
            "line 7, column 10: string values must be quoted",
        ),
        (
            format!("[network]\n{}", rest.replace("threshold = 1", "rule\nwindow = \"1s\"")),
            "line 4, column 5: key with no value",
        ),
    ] {
        let told = problems(&text);
        assert_eq!(told.len(), 1, "{text}\n{told:#?}");
        assert!(told[0].starts_with(expected), "{text}\n{told:#?}");
    }
}

#[test]
fn what_is_missing_for_sure_is_told_also_after_broken_syntax() {
    let text = "[network]\n[neurons.x]\nthreshold = 0.5.5\n[neurons.y]\nweights = { gone = 1 }\nmode = 1\n";
    let told = problems(text);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].contains("the key `name` is missing"), "{told:#?}");
    assert!(told[1].contains("invalid float") && told[2].contains("`gone` is not a neuron"), "{told:#?}");
    assert!(told[3].contains("neurons.y.mode: a text in quotes"), "{told:#?}");
}
