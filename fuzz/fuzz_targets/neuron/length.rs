//! How long a scenario runs.

use std::sync::LazyLock;

/// How long a scenario runs.
///
/// All bytes of the input choose it. If one byte did, the fuzzer would fill its corpus with long
/// scenarios, because they reach more, and would hardly run anything else. The environment variable
/// `LENGTH` (`short`, `long` or `repeated`) overrides it, for an input that is being minimized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Each step is taken a few times at most.
    Short,
    /// A step may be taken often enough to reach any limit of the neuron.
    Long,
    /// As `Long`, and then the last steps are repeated until the neuron must not grow any more.
    Repeated,
}

/// One scenario in so many is long.
const LONG: u64 = 64;
/// One scenario in so many is long, and its last steps are repeated.
const REPEATED: u64 = 2048;

impl Length {
    /// Returns the length of the scenario that these bytes describe.
    pub fn of(bytes: &[u8]) -> Self {
        static FORCED: LazyLock<Option<Length>> = LazyLock::new(forced);
        let checksum = checksum(bytes);
        FORCED.unwrap_or(match (checksum % REPEATED, checksum % LONG) {
            (0, _) => Self::Repeated,
            (_, 0) => Self::Long,
            _ => Self::Short,
        })
    }

    /// Returns the most inputs of the scenario.
    pub fn max_inputs(self) -> u32 {
        match self {
            Self::Short => 512,
            Self::Long | Self::Repeated => 6_000,
        }
    }

    /// Returns how often one step may be taken.
    pub fn max_times(self) -> u32 {
        match self {
            Self::Short => 12,
            Self::Long | Self::Repeated => u32::MAX,
        }
    }
}

fn forced() -> Option<Length> {
    let length = std::env::var("LENGTH").ok()?;
    Some(match length.as_str() {
        "short" => Length::Short,
        "long" => Length::Long,
        "repeated" => Length::Repeated,
        other => panic!("LENGTH is short, long or repeated, not {other}"),
    })
}

/// Returns the FNV-1a checksum, which is the same on each machine and with each compiler.
fn checksum(bytes: &[u8]) -> u64 {
    let sum = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    // The low bits of the product depend on the low bits of the bytes alone.
    sum ^ (sum >> 32)
}
