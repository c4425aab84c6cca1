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

/// Returns what is wrong with the host of an address; `None` if it can be one server.
pub fn host_problem(url: &Url) -> Option<&'static str> {
    match url.host_str() {
        None | Some("") => Some("the address names no host"),
        Some(host) if host.contains([',', ';']) => {
            Some("there is more than one host in one place: servers are separated by commas")
        }
        Some(_) => None,
    }
}

/// Returns whether an address names a Unix socket: by its scheme, or because a path stands in place
/// of the host.
pub fn is_unix_socket(address: &str) -> bool {
    if address.starts_with(['/', '.', '~']) {
        return true;
    }
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    if scheme.split('+').any(|part| part.eq_ignore_ascii_case("unix")) {
        return true;
    }
    let is_broker = ["redis", "rediss", "nats", "tls"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    // `redis:///0` names a database of no host.
    is_broker && path.starts_with('/') && path.contains(|letter: char| letter != '/' && !letter.is_ascii_digit())
}

/// What to say of an address that [`is_unix_socket`].
pub const NO_UNIX_SOCKETS: &str =
    "Unix sockets are not supported: let the server listen on a TCP port, also if only on 127.0.0.1";

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
    fn an_address_of_a_unix_socket_is_recognised() {
        for address in [
            "unix:///run/redis.sock",
            "unix:/run/redis.sock",
            "UNIX:run/redis.sock",
            "redis+unix:///run/redis.sock?db=1",
            "nats+unix:///run/nats.sock",
            "nats:///run/nats.sock",
            "redis:///run/redis.sock",
            "redis:/run/redis.sock?mode=streams",
            "/run/redis.sock",
            "./redis.sock",
        ] {
            assert!(is_unix_socket(address), "{address}");
        }
        for address in
            ["redis://host", "redis://host/2", "redis:///2", "nats://unix", "nats://host:4222", "host", "tls:"]
        {
            assert!(!is_unix_socket(address), "{address}");
        }
    }

    #[test]
    fn an_address_names_one_host() {
        let problem = |address: &str| host_problem(&Url::parse(address).expect("a URL"));
        assert_eq!(problem("nats://host:4222"), None);
        assert_eq!(problem("redis://[::1]:6379"), None);
        assert!(problem("nats://a,b").is_some_and(|told| told.contains("more than one host")));
        assert!(problem("redis:///0").is_some_and(|told| told.contains("no host")));
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
