//! Addresses that name several servers: `redis://me:secret@a:6379,b:6379/0?mode=streams`.

use url::Url;

/// How many servers an address may name.
pub const MAX_HOSTS: usize = 16;

/// Parses an address that names one or more servers, separated by commas, and returns the address
/// of each. User, password, path and parameters are those of all; each server may have a port of its
/// own.
///
/// Whether each of them is a usable address is for the caller to check.
///
/// # Errors
/// A text that says what is wrong. It shows nothing of the address, which may contain a password.
pub fn parse_hosts(address: &str) -> Result<Vec<Url>, String> {
    let Some((scheme, rest)) = address.split_once("://") else { return Ok(vec![parse(address)?]) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    // `u:p@a,u:p@b`: the parser would take all but `b` for the login.
    let repeats_login = || login.trim_end_matches('@').split_once('@').is_some_and(|(_, rest)| rest.contains(','));
    if repeats_login() {
        return Err("user and password stand once, before the first of several hosts, and are those of all; in a \
                    password, `@` and `,` are written %40 and %2C"
            .to_owned());
    }
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() == 1 {
        return Ok(vec![parse(address)?]);
    }
    if hosts.len() > MAX_HOSTS {
        return Err(format!("there are {} hosts, and at most {MAX_HOSTS} are tried", hosts.len()));
    }
    let parse_host = |(index, host): (usize, &&str)| {
        let number = index + 1;
        if host.is_empty() || host.starts_with(':') {
            return Err(format!(
                "the host number {number} of the address is missing: hosts are separated by one comma"
            ));
        }
        let parsed = parse(&format!("{scheme}://{login}{host}{tail}"));
        parsed.map_err(|error| format!("the host number {number} of the address: {error}"))
    };
    hosts.iter().enumerate().map(parse_host).collect()
}

fn parse(address: &str) -> Result<Url, String> {
    Url::parse(address).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Vec<String> {
        parse_hosts(address).expect("an address").iter().map(Url::to_string).collect()
    }

    #[test]
    fn servers_are_separated_by_commas_and_share_the_rest() {
        assert_eq!(parsed("redis://a"), ["redis://a"]);
        assert_eq!(
            parsed("redis://me:pa,ss@a:6379,b,[::1]:7000/2?mode=streams"),
            [
                "redis://me:pa,ss@a:6379/2?mode=streams",
                "redis://me:pa,ss@b/2?mode=streams",
                "redis://me:pa,ss@[::1]:7000/2?mode=streams"
            ]
        );
        assert_eq!(parsed("tls://token@a,b:4223?mode=core").len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_without_a_part_of_the_address() {
        for (address, expected) in [
            ("redis://cret,,b", "number 2 of the address is missing"),
            ("redis://cret,b,", "number 3"),
            ("redis://,cret", "number 1"),
            ("redis://cret,:6379", "number 2"),
            ("redis://a:6379,b:cret", "number 2 of the address: invalid port"),
            ("redis://me:cret@a,me:cret@b", "stand once"),
            ("redis://me:cr,et@cret,x@a", "%2C"),
            ("cret", "relative URL"),
        ] {
            let error = parse_hosts(address).expect_err(address);
            assert!(error.contains(expected) && !error.contains("cret"), "{address}: {error}");
        }
        let many = (0..=MAX_HOSTS).map(|number| format!("h{number}")).collect::<Vec<_>>().join(",");
        assert!(parse_hosts(&format!("nats://{many}")).is_err_and(|error| error.contains("17 hosts")));
    }

    #[test]
    fn an_at_sign_in_the_password_of_one_server_is_left_to_the_parser() {
        assert_eq!(parsed("redis://me:p@ss@host"), ["redis://me:p%40ss@host"]);
        assert_eq!(parsed("redis://me:p@ss@a,b"), ["redis://me:p%40ss@a", "redis://me:p%40ss@b"]);
    }
}
