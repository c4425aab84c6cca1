mod file;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::neuron::{SensorHold, WhenSilent};

/// Returns the problems of a text that is not a network.
fn problems(text: &str) -> Vec<String> {
    let Err(error) = Network::from_toml(text) else { panic!("this reads without a problem:\n{text}") };
    error.problems().iter().map(ToString::to_string).collect()
}

const XOR: &str = include_str!("../../../../examples/xor.toml");

#[test]
fn the_network_of_the_examples_reads() {
    let xor = Network::from_toml(XOR).unwrap();
    assert_eq!(xor.len(), 6);
    let z = &xor.neuron(&"z".parse().unwrap()).unwrap();
    let weights: Vec<(&str, f64)> =
        z.weights.iter().map(|(source, synapse)| (source.as_str(), synapse.weight)).collect();
    assert_eq!(weights, [("h1", 1.0), ("h2", -2.0), ("h3", 1.0)]);
    assert_eq!(z.threshold, Some(0.9));
}

#[test]
fn the_example_in_the_description_of_the_file_reads() {
    let description = include_str!("../../../../docs/network-file.md");
    let example = description.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let network = Network::from_toml(example).unwrap();
    let click = network.neuron(&"click".parse().unwrap()).unwrap();
    assert_eq!(click.rule, Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY });
    assert_eq!(click.host.as_ref().map(|host| host.as_str()), Some("pi1"));
    assert_eq!(network.settings(), &NetworkSettings::default());
}

#[test]
fn a_sensor_says_how_long_a_reading_counts_and_what_silence_means() {
    let text = r#"
        [network]
        name = "heating"

        [neurons.cold]
        threshold = 0.5
        sensors = { a = 1, b = { weight = -2, hold = "90s", when_silent = "unknown" }, c = { weight = 1, hold = "until-next" } }
    "#;
    let network = Network::from_toml(text).unwrap();
    let sensors = &network.neuron(&"cold".parse().unwrap()).unwrap().sensors;
    let heat = Sensor::new(-2.0).hold(Duration::from_secs(90)).when_silent(WhenSilent::Unknown);
    assert_eq!(Vec::from_iter(sensors.values().copied()), [Sensor::new(1.0), heat, Sensor::new(1.0).until_next()]);
    assert_eq!(Network::from_toml(&network.to_toml()).unwrap(), network);
    let built = Network::builder("heating").neuron("cold", |cold| {
        let door = Sensor::new(1.0).until_next();
        cold.threshold(0.5).sensor("a", 1.0).sensor_with("b", heat).sensor_with("c", door)
    });
    assert_eq!(built.build().unwrap(), network);
}

#[test]
fn a_bad_sensor_is_a_problem_with_its_place() {
    let text = "\
[network]
name = \"heating\"
[neurons.cold]
threshold = 0.5
rule = \"pulse\"
sensors = { a = { weight = 1, when_silent = \"unknwn\" }, b = { hold = \"1s\" }, c = { weight = 1, hold = \"never\" } }
[neurons.click]
rule = \"pulse\"
[neurons.click.sensors]
button = { weight = 1, when_silent = \"unknown\" }
door = { weight = 1, hold = \"0s\" }
";
    assert_eq!(
        problems(text),
        [
            "line 6, column 45: neurons.cold.sensors.a.when_silent: \"unknwn\" is not known here; did you mean \
             \"unknown\"?",
            "line 6, column 61: neurons.cold.sensors.b: the key `weight` is missing",
            "line 6, column 103: neurons.cold.sensors.c.hold: \"never\" is neither a duration such as \"90s\" nor \
             \"until-next\"",
            "line 10, column 1: neurons.click.sensors.button: a pulse neuron counts kicks, and a silent sensor brings \
             none; leave `when_silent` out",
            "line 11, column 1: neurons.click.sensors.door: a duration below a microsecond counts as 0, which has no \
             meaning here; make it longer, or leave it out",
        ]
    );
}

#[test]
fn all_problems_are_reported_at_once_with_line_and_column() {
    let text = "\
[network]
nam = \"xor\"
hold = \"soon\"

[neurons.x]
thresold = 0.9
sensors = { s = inf }

[neurons.h3]
weights = { x = 1 }

[neurons.z]
threshold = \"high\"
weights = { neuron_h4 = 1, x = true, \"a b\" = 2 }
mode = \"asop\"
";
    assert_eq!(
        problems(text),
        [
            "line 1, column 1: network: the key `name` is missing",
            "line 2, column 1: network: `nam` is not a key here; did you mean `name`?",
            "line 3, column 8: network.hold: \"soon\" is not a duration such as \"10ms\", \"5s\" or \"1m 30s\": expected number at 0",
            "line 6, column 1: neurons.x: `thresold` is not a key here; did you mean `threshold`?",
            "line 7, column 13: neurons.x.sensors.s: inf is not usable; a number must be finite and between ±1e100",
            "line 13, column 13: neurons.z.threshold: a number is expected here, not a text",
            "line 14, column 13: neurons.z.weights.neuron_h4: `neuron_h4` is not a neuron here; did you mean `h3`?",
            "line 14, column 32: neurons.z.weights.x: a number is expected here, not true or false",
            "line 14, column 38: neurons.z.weights.a b: ' ' at position 2 cannot stand in a name; allowed are A-Z a-z 0-9 _ -",
            "line 15, column 8: neurons.z.mode: \"asop\" is not known here; did you mean \"asap\"?",
        ]
    );
}

#[test]
fn broken_syntax_is_reported_together_with_other_problems() {
    let text = "[network]\nname = \"n\"\n[neurons.x]\nthreshold = \n[neurons.y]\nweights = { q = 1 }\n";
    let problems = problems(text);
    assert!(problems.iter().any(|problem| problem.starts_with("line 4")), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.contains("`q` is not a neuron here")), "{problems:#?}");
}

#[test]
fn a_cycle_without_delay_is_spelled_out_and_one_with_delay_is_a_memory() {
    let with = |edge: &str| {
        format!(
            "[network]\nname = \"n\"\n[neurons.a]\nweights = {{ c = {edge}, x = 1 }}\n[neurons.b]\nweights = {{ a = 1 }}\n\
             [neurons.c]\nweights = {{ b = 1 }}\n[neurons.x]\n"
        )
    };
    let found = problems(&with("1"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("a loop without a delay: a → b → c → a"), "{}", found[0]);
    assert!(Network::from_toml(&with("{ weight = 1, delay = \"10ms\" }")).is_ok());
    let zero = problems(&with("{ weight = 1, delay = \"0s\" }"));
    assert!(zero[0].contains("below a microsecond"), "{}", zero[0]);
}

#[test]
fn a_neuron_that_is_its_own_input_needs_a_delay() {
    let text = "[network]\nname = \"n\"\n[neurons.a]\nweights = { a = 1 }\n";
    assert!(problems(text)[0].contains("a → a"));
}

#[test]
fn a_self_loop_is_reported_apart_from_a_longer_cycle() {
    let error = Network::builder("n")
        .neuron("a", |n| n.weight("b", 1.0))
        .neuron("b", |n| n.weight("a", 1.0).weight("b", 1.0))
        .build()
        .unwrap_err();
    let told: Vec<&str> = error.problems().iter().map(|problem| problem.message.as_str()).collect();
    assert!(told[0].contains("b → b") && told[1].contains("a → b → a"), "{told:#?}");
}

#[test]
fn each_strongly_connected_component_is_reported() {
    let error = Network::builder("n")
        .neuron("a", |n| n.weight("b", 1.0))
        .neuron("b", |n| n.weight("a", 1.0).weight("d", 1.0))
        .neuron("c", |n| n.weight("d", 1.0))
        .neuron("d", |n| n.weight("c", 1.0))
        .build()
        .unwrap_err();
    let told: Vec<&str> = error.problems().iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("a → b → a") && told[1].contains("c → d → c"), "{told:#?}");
}

/// Returns the text of a network in which each neuron of `names` waits for the one before, and the
/// first one for the last.
fn ring(names: impl Iterator<Item = String>) -> String {
    use std::fmt::Write as _;
    let names: Vec<String> = names.collect();
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let before = &names[(index + names.len() - 1) % names.len()];
        let _ = writeln!(text, "[neurons.{name}]\nweights = {{ {before} = 1 }}");
    }
    text
}

#[test]
fn a_long_loop_is_told_by_its_ends_and_its_length() {
    let text = ring((0..100_000).map(|number| format!("n{number:05}")));
    let found = problems(&format!("[network]\nname = \"ring\"\n{text}"));
    assert_eq!(found.len(), 1, "{} problems", found.len());
    let told = &found[0];
    assert!(told.len() < 1000, "{} bytes", told.len());
    assert!(told.contains("n00000 → n00001 → n00002 → n00003 → n00004 → … → n99996"), "{told}");
    assert!(told.contains("n99999 → n00000 (100000 neurons)"), "{told}");
}

#[test]
fn neurons_between_two_loops_cost_no_search_of_their_own() {
    use std::fmt::Write as _;
    let mut text = "[network]\nname = \"bridge\"\n".to_owned();
    text += &ring(["a", "b"].map(str::to_owned).into_iter());
    text += "[neurons.n0]\nweights = { a = 1 }\n";
    for number in 1..100_000 {
        let _ = writeln!(text, "[neurons.n{number}]\nweights = {{ n{} = 1 }}", number - 1);
    }
    text += "[neurons.y]\nweights = { n99999 = 1, z = 1 }\n[neurons.z]\nweights = { y = 1 }\n";
    let found = problems(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("a → b → a") && found[1].contains("y → z → y"), "{found:#?}");
}

#[test]
fn loops_that_are_left_out_are_mentioned() {
    let pairs: String = (0..21).map(|pair| ring([format!("a{pair:02}"), format!("b{pair:02}")].into_iter())).collect();
    let found = problems(&format!("[network]\nname = \"pairs\"\n{pairs}"));
    assert_eq!(found.len(), 20, "{found:#?}");
    assert!(found[19].contains("a19 → b19 → a19") && found[19].ends_with("there are more loops"), "{}", found[19]);
    assert!(!found[18].contains("more loops"));
}

#[test]
fn a_builder_reports_all_problems_too() {
    let error = Network::builder("my network")
        .neuron("x", |x| x.threshold(f64::NAN).weight("y", 1.0).weight("y", 2.0))
        .neuron("y", |y| y.sensor("x", 1.0).hold(Duration::ZERO))
        .neuron("y", |y| y)
        .build()
        .unwrap_err();
    let told = error.to_string();
    for part in
        ["network.name", "NaN", "connected twice", "is the name of a neuron", "two neurons", "below a microsecond"]
    {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let error = Network::load("no/such/file.toml").unwrap_err();
    assert!(error.to_string().contains("no/such/file.toml"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_file_of_100_000_neurons_and_a_million_weights_reads() {
    use std::fmt::Write as _;
    let mut text = "[network]\nname = \"large\"\n".to_owned();
    for neuron in 0..100_000 {
        let _ = write!(text, "[neurons.n{neuron}]\nthreshold = 0.5\nweights = {{ ");
        let inputs: Vec<String> = (1..=10.min(neuron)).map(|back| format!("n{} = 0.25", neuron - back)).collect();
        let _ = writeln!(text, "{} }}", inputs.join(", "));
    }
    let network = Network::from_toml(&text).unwrap();
    assert_eq!(network.len(), 100_000);
    assert_eq!(network.neurons().map(|(_, spec)| spec.weights.len()).sum::<usize>(), 999_945);
    assert_eq!(Network::from_toml(&network.to_toml()).unwrap(), network);
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![(1..10_000u64).prop_map(Duration::from_millis), (1..1_000_000u64).prop_map(Duration::from_micros)]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(-100..100i32).prop_map(|n| f64::from(n) / 10.0), -1e100..1e100]
}

fn sensor() -> impl Strategy<Value = Sensor> {
    let hold =
        prop_oneof![Just(SensorHold::OfNeuron), Just(SensorHold::UntilNext), duration().prop_map(SensorHold::For)];
    let when_silent = prop_oneof![Just(WhenSilent::Zero), Just(WhenSilent::Unknown)];
    (number(), hold, when_silent).prop_map(|(weight, hold, when_silent)| Sensor { weight, hold, when_silent })
}

fn any_network() -> impl Strategy<Value = Network> {
    let synapse = (0..8usize, number(), prop::option::of(duration()));
    let rule = prop_oneof![
        Just(Rule::Level),
        (duration(), duration()).prop_map(|(window, refractory)| Rule::Pulse { window, refractory })
    ];
    let mode = prop_oneof![Just(Mode::Coherent), Just(Mode::Asap)];
    let spec = (
        prop::option::of(number()),
        prop::collection::vec(synapse, 0..4),
        prop::option::of(sensor()),
        prop::option::of(duration()),
        duration(),
        prop::option::of(mode.clone()),
        rule,
        any::<bool>(),
    );
    (prop::collection::vec(spec, 1..8), duration(), duration(), duration(), duration(), mode).prop_map(
        |(specs, hold, coincidence, patience, lease, mode)| {
            let name = |index: usize| format!("n-{index}").parse().unwrap();
            let count = specs.len();
            let neurons = specs.into_iter().enumerate().map(|(index, spec)| {
                let (threshold, synapses, sensor, hold, linger, mode, rule, hosted) = spec;
                let weights = synapses.into_iter().map(|(source, weight, delay)| {
                    let source = source % count;
                    let delay = if source >= index { delay.or(Some(Duration::from_millis(1))) } else { delay };
                    (name(source), Synapse { weight, delay })
                });
                let is_pulse = rule != Rule::Level;
                let sensor = sensor.map(|sensor| match is_pulse {
                    true => sensor.when_silent(WhenSilent::Zero),
                    false => sensor,
                });
                let spec = NeuronSpec {
                    threshold,
                    weights: weights.collect(),
                    sensors: sensor.map(|sensor| (format!("s{index}").parse().unwrap(), sensor)).into_iter().collect(),
                    hold,
                    linger: if rule == Rule::Level { linger } else { Duration::ZERO },
                    mode,
                    rule,
                    host: hosted.then(|| "pi1".parse().unwrap()),
                };
                (name(index), spec)
            });
            Network {
                name: "any".parse().unwrap(),
                settings: NetworkSettings { hold, coincidence, patience, lease, mode },
                neurons: neurons.collect(),
            }
        },
    )
}

proptest! {
    #[test]
    fn a_network_written_to_a_file_reads_the_same(network in any_network()) {
        let text = network.to_toml();
        prop_assert_eq!(Network::from_toml(&text).map_err(|error| TestCaseError::fail(error.to_string()))?, network);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = Network::from_toml(&text);
    }
}
