//! What the stream of a network must be like, and how one that exists differs from that.

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream::stream;
use neuron_core::NetworkId;
use serde_json::{Map, Value};
use transport_broker::Subjects;

use crate::config::{NatsConfig, Storage};

/// How many messages of one route the stream keeps: more than fit into an inbox.
const MAX_MESSAGES_PER_SUBJECT: i64 = 65_536;

/// How many messages of a network the stream keeps. At a hundred bytes each that is about 100 MB if
/// none is read. Messages with several envelopes are longer, and there are fewer of them.
const MAX_MESSAGES: i64 = 1_048_576;

/// The window in which the broker recognises duplicates. They have no use here; this is the
/// shortest window it accepts.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

/// What an operator may choose: where copies of the stream are kept, and notes about it. None of it
/// changes what is delivered, or to which user.
const FREE_FIELDS: [&str; 4] = ["description", "metadata", "num_replicas", "placement"];

/// Returns the configuration of the stream of a network.
///
/// Nothing may be deleted or purged by request: a user may name a request to the broker as the
/// subject for the acknowledgement of a message, and the broker then carries it out, whatever the
/// user is permitted.
pub(crate) fn definition(config: &NatsConfig, network: &NetworkId) -> stream::Config {
    stream::Config {
        name: stream_name(&config.prefix, network),
        subjects: vec![format!("{}>", Subjects::new(&config.prefix, network, '.').stem())],
        storage: match config.storage {
            Storage::Memory => stream::StorageType::Memory,
            Storage::File => stream::StorageType::File,
        },
        max_age: config.lifetime,
        max_messages: MAX_MESSAGES,
        max_messages_per_subject: MAX_MESSAGES_PER_SUBJECT,
        max_bytes: -1,
        max_consumers: -1,
        discard: stream::DiscardPolicy::Old,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: 1,
        deny_delete: true,
        deny_purge: true,
        ..stream::Config::default()
    }
}

/// Returns the name of the stream of a network.
pub(crate) fn stream_name(prefix: &str, network: &NetworkId) -> String {
    format!("{}_{network}", prefix.to_uppercase())
}

/// Returns the configuration of a stream as the broker writes it.
pub(crate) fn to_json(config: &stream::Config) -> Value {
    // A structure of texts and numbers: there is nothing in it that JSON cannot express.
    serde_json::to_value(config).unwrap_or_default()
}

/// Returns the first field in which the stream that exists differs from the one that is wanted,
/// what it is and what it should be; `None` if they agree.
///
/// Every field counts, also one that this version does not know: it counts as empty where it is
/// wanted.
pub(super) fn difference(wanted: &Value, found: &Value) -> Option<String> {
    let no_fields = Map::new();
    let fields = |config: &Value| config.as_object().unwrap_or(&no_fields).keys().cloned().collect::<BTreeSet<_>>();
    let mut all = &fields(wanted) | &fields(found);
    all.retain(|field| !FREE_FIELDS.contains(&field.as_str()));
    let different = all.into_iter().find(|field| normal(field, &wanted[field]) != normal(field, &found[field]))?;
    let shown = |config: &Value| shown(&different, &config[&different]);
    Some(format!("its `{different}` is {}, and should be {}", shown(found), shown(wanted)))
}

/// Returns the value of a field with one form for all that mean the same: `Null` stands for what is
/// off, empty or without a limit.
fn normal(field: &str, value: &Value) -> Value {
    let is_unset = match value {
        Value::Null => true,
        Value::Bool(is_on) => !is_on,
        Value::Number(number) => matches!(number.as_i64(), Some(0 | -1)),
        Value::String(text) => {
            text.is_empty() || matches!((field, text.as_str()), ("compression", "none") | ("persist_mode", "default"))
        }
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.iter().all(|(name, value)| normal(name, value).is_null()),
    };
    if is_unset { Value::Null } else { value.clone() }
}

/// Returns the value of a field as people write it.
fn shown(field: &str, value: &Value) -> String {
    match value {
        value if normal(field, value).is_null() => "not set".to_owned(),
        Value::Number(nanos) if matches!(field, "max_age" | "duplicate_window") => {
            format!("{:?}", Duration::from_nanos(nanos.as_u64().unwrap_or_default()))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Value {
        let config = NatsConfig::parse("nats://host?mode=jetstream").expect("an address");
        to_json(&definition(&config, &"home".parse().expect("a name")))
    }

    #[test]
    fn every_field_counts_also_an_unknown_one() {
        for (field, value, expected) in [
            ("republish", json!({"src": ">", "dest": "spy.>"}), r#"{"dest":"spy.>","src":">"}, and should be not set"#),
            ("sources", json!([{"name": "other"}]), "not set"),
            ("mirror", json!({"name": "other"}), "not set"),
            ("subject_transform", json!({"src": "a", "dest": "b"}), "not set"),
            ("sealed", json!(true), "true, and should be not set"),
            ("deny_delete", json!(false), "not set, and should be true"),
            ("deny_purge", Value::Null, "not set, and should be true"),
            ("retention", json!("interest"), r#""interest", and should be "limits""#),
            ("discard", json!("new"), r#""new", and should be "old""#),
            ("storage", json!("file"), r#""file", and should be "memory""#),
            ("max_age", json!(3_000_000_000_u64), "3s, and should be 2.25s"),
            ("max_msgs", json!(1), "1, and should be 1048576"),
            ("max_bytes", json!(10), "10, and should be not set"),
            ("max_consumers", json!(1), "1, and should be not set"),
            ("subjects", json!(["nn.v1.home.>", "nn.v1.other.>"]), r#"should be ["nn.v1.home.>"]"#),
            ("compression", json!("s2"), r#""s2", and should be not set"#),
            ("of_a_later_server", json!("spy.>"), r#""spy.>", and should be not set"#),
        ] {
            let mut found = wanted();
            found[field] = value;
            let different = difference(&wanted(), &found).expect(field);
            assert!(different.contains(&format!("`{field}`")) && different.ends_with(expected), "{different}");
        }
    }

    #[test]
    fn what_means_the_same_and_what_operators_may_choose_does_not_count() {
        let mut found = wanted();
        for (field, value) in [
            ("max_bytes", json!(0)),
            ("max_msg_size", json!(-1)),
            ("allow_direct", json!(false)),
            ("compression", json!("none")),
            ("consumer_limits", json!({})),
            ("first_seq", json!(0)),
            ("num_replicas", json!(3)),
            ("metadata", json!({"_nats.level": "1"})),
            ("description", json!("that of the hall")),
        ] {
            found[field] = value;
        }
        assert_eq!(difference(&wanted(), &found), None);
    }
}
