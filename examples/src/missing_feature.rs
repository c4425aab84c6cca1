//! The error for a transport that is behind a feature which this build lacks.

/// Returns a text that names the feature and the whole command which builds with it and runs the
/// same again.
pub(crate) fn explain(feature: &str, address: &str) -> String {
    let profile = if cfg!(debug_assertions) { "" } else { " --release" };
    let mut command = format!("cargo run{profile} --features {feature} --example {} --", name());
    for argument in std::env::args().skip(1) {
        command.push(' ');
        // There may be a password before the `@`.
        let is_secret = argument.contains("://") && argument.contains('@');
        command.push_str(&if is_secret { "ADDRESS".to_owned() } else { quoted(&argument) });
    }
    let scheme = address.split("://").next().unwrap_or_default();
    format!(
        "this build cannot reach an address with {scheme}://: it lacks the feature `{feature}`. Type\n\n    {command}\n"
    )
}

/// Returns the name of the example that runs: that of its file.
fn name() -> String {
    let file = std::env::current_exe().ok();
    file.and_then(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).unwrap_or_else(|| "NAME".to_owned())
}

/// Returns an argument as it is typed into a shell: in quotes, if it has characters that mean
/// something there.
fn quoted(argument: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@".contains(&byte);
    if argument.bytes().all(is_plain) { argument.to_owned() } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}
