//! Reads the network file, version 1, and reports every problem with its position.

use std::{ops::Range, str::FromStr, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Network, NetworkSettings, NeuronSpec, Problem, Synapse,
    check::check,
    did_you_mean,
    found::{Found, in_order, without_consequences},
    syntax,
};
use crate::{
    id::NameError,
    neuron::{Mode, Rule, Sensor, SensorHold, WhenSilent},
};

type Item<'a> = Spanned<DeValue<'a>>;

/// Reads a network.
///
/// # Errors
/// Returns every problem, in the order of the file.
pub(super) fn read(text: &str) -> Result<Network, Vec<Problem>> {
    // A byte-order mark is not part of the text, and takes no column of its first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let document = document.get_ref();
    let mut reader = Reader { problems: Vec::new() };
    let network = reader.network(document);
    let mut found = reader.problems;
    if let Some(network) = &network {
        found.extend(check(network).into_iter().map(|finding| {
            let at = locate(document, &finding.path).map_or(0, |span| span.start);
            Found { at, path: finding.path.join("."), message: finding.message, absent: finding.absent }
        }));
    }
    let mut problems = syntax::problems(text, &errors);
    problems.extend(without_consequences(text, &problems, found));
    match network {
        Some(network) if problems.is_empty() => Ok(network),
        _ => Err(in_order(text, problems)),
    }
}

/// Returns the bytes of the key that `path` leads to, or of the last key on the path that exists;
/// `None` if not even the first one does.
fn locate(document: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (key, rest) = path.split_first()?;
    let (name, value) = document.get_key_value(key.as_str())?;
    let deeper = value.get_ref().as_table().and_then(|table| locate(table, rest));
    Some(deeper.unwrap_or_else(|| name.span()))
}

/// The text of [`SensorHold::UntilNext`].
pub(super) const UNTIL_NEXT: &str = "until-next";

struct Reader {
    problems: Vec<Found>,
}

const NETWORK_KEYS: [&str; 6] = ["name", "hold", "coincidence", "patience", "lease", "mode"];
const NEURON_KEYS: [&str; 10] =
    ["threshold", "weights", "sensors", "hold", "linger", "mode", "rule", "window", "refractory", "host"];

impl Reader {
    /// Adds a problem at byte `at` of the text.
    fn problem(&mut self, at: usize, path: &str, message: String) {
        self.problems.push(Found { at, path: path.to_owned(), message, absent: None });
    }

    /// Adds the problem that `word`, which belongs to what begins at byte `at`, does not stand in
    /// the text.
    fn absent(&mut self, at: usize, path: &str, word: &str, message: String) {
        self.problems.push(Found { at, path: path.to_owned(), message, absent: Some(word.to_owned()) });
    }

    /// Reads as much as can be read; `None` if the table `[network]` is missing.
    fn network(&mut self, document: &DeTable<'_>) -> Option<Network> {
        self.only(document, "", &["network", "neurons"]);
        let Some(header) = document.get("network") else {
            self.absent(0, "network", "network", "the table [network] is missing; it needs a name".to_owned());
            return None;
        };
        let mut settings = NetworkSettings::default();
        let mut name = None;
        if let Some(table) = self.table(header, "network") {
            self.only(table, "network", &NETWORK_KEYS);
            name = match table.get("name") {
                Some(item) => self.name(item, "network.name"),
                None => {
                    self.absent(header.span().start, "network", "name", "the key `name` is missing".to_owned());
                    None
                }
            };
            for (key, span) in [
                ("hold", &mut settings.hold),
                ("coincidence", &mut settings.coincidence),
                ("patience", &mut settings.patience),
                ("lease", &mut settings.lease),
            ] {
                if let Some(read) = self.span(table, "network", key) {
                    *span = read;
                }
            }
            settings.mode = self.mode(table, "network").unwrap_or_default();
        }
        let mut neurons = std::collections::BTreeMap::new();
        if let Some(table) = document.get("neurons").and_then(|item| self.table(item, "neurons")) {
            for (key, item) in table {
                let path = format!("neurons.{}", key.get_ref());
                let spec = self.neuron(item, &path);
                if let Some(id) = self.parsed(key.get_ref(), key.span().start, &path) {
                    neurons.insert(id, spec);
                }
            }
        }
        // Stands in for a bad name while the rest is checked. It never gets out: the bad name is a
        // problem, so `read` returns an error.
        let name = name.or_else(|| "unnamed".parse().ok())?;
        Some(Network::new(name, settings, neurons))
    }

    fn neuron(&mut self, item: &Item<'_>, path: &str) -> NeuronSpec {
        let mut spec = NeuronSpec::default();
        let Some(table) = self.table(item, path) else { return spec };
        self.only(table, path, &NEURON_KEYS);
        spec.threshold = table.get("threshold").and_then(|item| self.number(item, &format!("{path}.threshold")));
        if let Some(weights) = table.get("weights") {
            let path = format!("{path}.weights");
            for (key, item) in self.table(weights, &path).into_iter().flatten() {
                let path = format!("{path}.{}", key.get_ref());
                let synapse = self.synapse(item, &path);
                if let (Some(id), Some(synapse)) = (self.parsed(key.get_ref(), key.span().start, &path), synapse) {
                    spec.weights.insert(id, synapse);
                }
            }
        }
        if let Some(sensors) = table.get("sensors") {
            let path = format!("{path}.sensors");
            for (key, item) in self.table(sensors, &path).into_iter().flatten() {
                let path = format!("{path}.{}", key.get_ref());
                let sensor = self.sensor(item, &path);
                if let (Some(id), Some(sensor)) = (self.parsed(key.get_ref(), key.span().start, &path), sensor) {
                    spec.sensors.insert(id, sensor);
                }
            }
        }
        spec.hold = self.span(table, path, "hold");
        spec.linger = self.span(table, path, "linger").unwrap_or_default();
        spec.mode = self.mode(table, path);
        spec.rule = self.rule(table, path);
        spec.host = table.get("host").and_then(|item| self.name(item, &format!("{path}.host")));
        spec
    }

    /// Reads a weight alone, or a table with a weight and a delay.
    fn synapse(&mut self, item: &Item<'_>, path: &str) -> Option<Synapse> {
        let Some(table) = item.get_ref().as_table() else {
            return self.number(item, path).map(|weight| Synapse { weight, delay: None });
        };
        self.only(table, path, &["weight", "delay"]);
        let Some(weight) = table.get("weight") else {
            self.absent(item.span().start, path, "weight", "the key `weight` is missing".to_owned());
            return None;
        };
        let weight = self.number(weight, &format!("{path}.weight"));
        let delay = self.span(table, path, "delay");
        Some(Synapse { weight: weight?, delay })
    }

    /// Reads a weight alone, or a table with a weight, a hold and what silence means.
    fn sensor(&mut self, item: &Item<'_>, path: &str) -> Option<Sensor> {
        let Some(table) = item.get_ref().as_table() else {
            return self.number(item, path).map(Sensor::new);
        };
        self.only(table, path, &["weight", "hold", "when_silent"]);
        let Some(weight) = table.get("weight") else {
            self.absent(item.span().start, path, "weight", "the key `weight` is missing".to_owned());
            return None;
        };
        let weight = self.number(weight, &format!("{path}.weight"));
        let hold = table.get("hold").and_then(|hold| self.sensor_hold(hold, &format!("{path}.hold")));
        let words = [("zero", WhenSilent::Zero), ("unknown", WhenSilent::Unknown)];
        let when_silent = self.word(table, path, "when_silent", &words).unwrap_or_default();
        Some(Sensor { weight: weight?, hold: hold.unwrap_or_default(), when_silent })
    }

    /// Reads a duration, or the text for "until the next reading".
    fn sensor_hold(&mut self, item: &Item<'_>, path: &str) -> Option<SensorHold> {
        let text = self.text(item, path)?;
        if text == UNTIL_NEXT {
            return Some(SensorHold::UntilNext);
        }
        let hold = humantime::parse_duration(&text).ok().map(SensorHold::For);
        if hold.is_none() {
            let message = format!("\"{text}\" is neither a duration such as \"90s\" nor \"{UNTIL_NEXT}\"");
            self.problem(item.span().start, path, message);
        }
        hold
    }

    fn rule(&mut self, table: &DeTable<'_>, path: &str) -> Rule {
        let window = self.span(table, path, "window");
        let refractory = self.span(table, path, "refractory");
        let pulse = self.word(table, path, "rule", &[("level", false), ("pulse", true)]);
        if pulse == Some(true) {
            return Rule::Pulse {
                window: window.unwrap_or(Rule::WINDOW),
                refractory: refractory.unwrap_or(Rule::REFRACTORY),
            };
        }
        for key in ["window", "refractory"] {
            if let Some((key, _)) = table.get_key_value(key) {
                let message = format!("`{}` belongs to `rule = \"pulse\"`", key.get_ref());
                self.absent(key.span().start, path, "rule", message);
            }
        }
        Rule::Level
    }

    fn mode(&mut self, table: &DeTable<'_>, path: &str) -> Option<Mode> {
        self.word(table, path, "mode", &[("coherent", Mode::Coherent), ("asap", Mode::Asap)])
    }

    /// Reads a text that must be one of `words`, and returns the value of that word.
    fn word<T: Copy>(&mut self, table: &DeTable<'_>, path: &str, key: &str, words: &[(&str, T)]) -> Option<T> {
        let item = table.get(key)?;
        let path = format!("{path}.{key}");
        let text = self.text(item, &path)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let message = match did_you_mean(&text, words.iter().map(|(word, _)| *word)) {
                Some(word) => format!("\"{text}\" is not known here; did you mean \"{word}\"?"),
                None => format!("\"{text}\" is not known here; it can be {}", known.join(" or ")),
            };
            self.problem(item.span().start, &path, message);
        }
        found
    }

    /// Reads a duration; `None` if the key is missing or its value is not a duration.
    fn span(&mut self, table: &DeTable<'_>, path: &str, key: &str) -> Option<Duration> {
        let item = table.get(key)?;
        let path = format!("{path}.{key}");
        let text = self.text(item, &path)?;
        humantime::parse_duration(&text)
            .map_err(|error| {
                let message = format!("\"{text}\" is not a duration such as \"10ms\", \"5s\" or \"1m 30s\": {error}");
                self.problem(item.span().start, &path, message);
            })
            .ok()
    }

    /// Reads a number, whole or not.
    fn number(&mut self, item: &Item<'_>, path: &str) -> Option<f64> {
        let number = match item.get_ref() {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|integer| integer as f64)
            }
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            let message = match item.get_ref() {
                DeValue::Integer(_) => "this whole number is too large; write it as 1e20".to_owned(),
                other => format!("a number is expected here, not {}", describe(other)),
            };
            self.problem(item.span().start, path, message);
        }
        number
    }

    fn text(&mut self, item: &Item<'_>, path: &str) -> Option<String> {
        let text = item.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            let message = format!("a text in quotes is expected here, not {}", describe(item.get_ref()));
            self.problem(item.span().start, path, message);
        }
        text
    }

    fn name<T: FromStr<Err = NameError>>(&mut self, item: &Item<'_>, path: &str) -> Option<T> {
        let text = self.text(item, path)?;
        self.parsed(&text, item.span().start, path)
    }

    /// Parses a name that stands at byte `at`.
    fn parsed<T: FromStr<Err = NameError>>(&mut self, text: &str, at: usize, path: &str) -> Option<T> {
        text.parse().map_err(|error: NameError| self.problem(at, path, error.to_string())).ok()
    }

    fn table<'a, 'b>(&mut self, item: &'b Item<'a>, path: &str) -> Option<&'b DeTable<'a>> {
        let table = item.get_ref().as_table();
        if table.is_none() {
            let message = format!("a table is expected here, not {}", describe(item.get_ref()));
            self.problem(item.span().start, path, message);
        }
        table
    }

    /// Reports every key of `table` that is not among `keys`.
    fn only(&mut self, table: &DeTable<'_>, path: &str, keys: &[&str]) {
        for key in table.keys() {
            if keys.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let message = match did_you_mean(key.get_ref(), keys.iter().copied()) {
                Some(name) => format!("`{}` is not a key here; did you mean `{name}`?", key.get_ref()),
                None => format!("`{}` is not a key here; there are {}", key.get_ref(), keys.join(", ")),
            };
            self.problem(key.span().start, path, message);
        }
    }
}

/// Names the type of a value in the words of the messages.
fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
