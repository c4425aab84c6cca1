//! What may be shown of an address that is wrong: a password may stand in the wrong place of it.

use url::Url;

/// The longest name of a parameter that is shown.
const MAX_NAME: usize = 16;

/// Returns whether a part of an address that is not the login contains what belongs to a login that
/// is not escaped: an `@` behind the first `/` or `?`, or anything behind a `#`.
///
/// The parser has then taken a piece of the password for the host, so no part of the address may be
/// shown.
pub fn has_unescaped_login(url: &Url) -> bool {
    url.fragment().is_some() || url.path().contains('@') || url.query().is_some_and(|query| query.contains('@'))
}

/// Returns the name of an unknown parameter as it may be shown. What does not look like a name, or
/// has no value, may be a secret.
pub fn shown_parameter(name: &str, value: &str) -> String {
    let is_name = name.len() <= MAX_NAME && name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_');
    if is_name && !name.is_empty() && !value.is_empty() { format!("`{name}`") } else { "one of them".to_owned() }
}

/// Returns whether a text that should be the path of a file is a secret itself: the seed of a key,
/// a token, or the content of a file of credentials.
pub fn is_secret(text: &str) -> bool {
    let is_of_seed = |letter: char| letter.is_ascii_uppercase() || matches!(letter, '2'..='7');
    let has_seed = text.split(|letter| !is_of_seed(letter)).any(|run| run.len() >= 40 && run.contains('S'));
    has_seed || text.contains("-----BEGIN") || text.starts_with("eyJ")
}

/// Returns the path of a file as it may be shown. `parameter` is the one that names it.
///
/// A text without a separator or an extension may be a secret that was given in place of a path,
/// also one that is misspelt.
pub fn shown_path(parameter: &str, path: &str) -> String {
    let looks_like_path = path.contains(['/', '\\', '.']) && !is_secret(path);
    if looks_like_path { path.to_owned() } else { format!("the file that `{parameter}` names") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

    #[test]
    fn a_secret_in_the_place_of_a_path_is_not_shown() {
        let credentials = format!("-----BEGIN USER NKEY SEED-----{SEED}------END");
        for secret in
            [SEED, &SEED[..50], &SEED[..20], &SEED.to_lowercase(), &format!("/{SEED}"), &credentials, "eyJ0.eyJ.x"]
        {
            assert!(!shown_path("nkey", secret).contains(secret), "{secret}");
        }
        for path in ["/etc/pi1.nk", "pi1.nk", "keys/pi1", "C:\\keys\\pi1"] {
            assert_eq!(shown_path("nkey", path), path);
        }
        assert!(is_secret(SEED) && is_secret(&credentials) && !is_secret("/etc/pi1.nk"));
    }

    #[test]
    fn a_parameter_is_shown_if_it_looks_like_one() {
        assert_eq!(shown_parameter("mood", "core"), "`mood`");
        for (name, value) in [("secret", ""), ("S3cret", "x"), ("", "x"), ("averylongpasswordofmine", "x")] {
            assert_eq!(shown_parameter(name, value), "one of them");
        }
    }

    #[test]
    fn what_belongs_to_a_login_is_found_behind_it() {
        let has = |address: &str| has_unescaped_login(&Url::parse(address).expect("a URL"));
        assert!(
            has("redis://pass/word@host") && has("redis://me:12/3@host") && has("redis://a?b@c") && has("redis://a#b")
        );
        assert!(has("nats://a:secret@h1,nats://b:secret@h2"));
        assert!(!has("redis://me:pa%2Fss@host/2?mode=streams") && !has("redis://me:p@ss@host"));
    }
}
