//! Answers as other programs read them.

use std::time::Duration;

use neuron_core::{
    Missing, NeuronId, Tag, Time,
    command::{ConfigView, Firing, Sample},
    neuron::{Mode, Rule, Sensor},
};

#[test]
fn an_answer_is_written_with_names_and_times_that_people_can_read() {
    let tag = Tag::at(Time::from_micros(1_795_895_534_353_862)).next();
    let sample = Sample { level: 1.0, tag, missing: Missing::from_iter(["y".parse::<NeuronId>().unwrap()]) };
    let expected = r#"{"level":1.0,"tag":{"utc":"2026-11-28T19:52:14.353862Z","micros":1795895534353862,"counter":1},"missing":["y"]}"#;
    assert_eq!(serde_json::to_string(&sample).unwrap(), expected);
    assert_eq!(serde_json::to_value(Firing { tag }).unwrap()["tag"]["counter"], 1);
}

#[test]
fn a_configuration_is_written_as_a_network_file_would_have_it() {
    let view = ConfigView {
        output: Sample { level: 0.0, tag: Tag::ORIGIN, missing: Missing::NONE },
        threshold: None,
        weights: [("x".parse().unwrap(), -2.0)].into(),
        sensors: [("light".parse().unwrap(), Sensor::new(0.5).hold(Duration::from_secs(90)))].into(),
        inputs: [("x".parse().unwrap(), Some(Duration::from_millis(10))), ("y".parse().unwrap(), None)].into(),
        connections: vec!["z".parse().unwrap()],
        hold: Duration::from_secs(5),
        linger: Duration::ZERO,
        mode: Mode::Asap,
        rule: Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY },
    };
    let json = serde_json::to_value(view).unwrap();
    assert_eq!(json["weights"]["x"], -2.0);
    assert_eq!((&json["inputs"]["x"], &json["inputs"]["y"]), (&"10ms".into(), &serde_json::Value::Null));
    let light = &json["sensors"]["light"];
    assert_eq!((&light["hold"]["for"], &light["when_silent"]), (&"1m 30s".into(), &"zero".into()));
    assert_eq!((&json["hold"], &json["mode"]), (&"5s".into(), &"asap".into()));
    assert_eq!(json["rule"]["pulse"]["window"], "500ms");
}
