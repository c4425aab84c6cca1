//! The kinds of faults in a random plan.

/// Which faults, and which kinds of neurons, a random plan may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultProfile {
    /// Messages are lost, duplicated and reordered, and some take thirty times as long as most.
    pub loss: bool,
    /// Hosts crash and neurons panic; most of them come back.
    pub crashes: bool,
    /// Some hosts come back with an empty disk, or with an old one.
    pub disks: bool,
    /// Hosts are partitioned from each other, some in one direction only.
    pub partitions: bool,
    /// Clocks are off by up to an hour, a few by up to ten; they drift, and jump when their host
    /// comes back.
    pub clocks: bool,
    /// Hosts are slow, and their inboxes overflow.
    pub slow_hosts: bool,
    /// Weights, thresholds and connections change, alone and in transactions; neurons join.
    pub rewiring: bool,
    /// Edges with a delay close cycles.
    pub cycles: bool,
    /// Some neurons linger, follow the pulse rule, or answer as soon as possible.
    pub neuron_kinds: bool,
    /// Some sensors are unknown while they are silent, and some readings are unknown. Answers that
    /// such a sensor could change are degraded.
    pub unknown_sensors: bool,
}

impl FaultProfile {
    /// All faults and all kinds of neurons.
    pub const ALL: Self = Self {
        loss: true,
        crashes: true,
        disks: true,
        partitions: true,
        clocks: true,
        slow_hosts: true,
        rewiring: true,
        cycles: true,
        neuron_kinds: true,
        unknown_sensors: true,
    };
    /// No fault but delays that are shorter than every patience; all kinds of neurons.
    pub const DELAY: Self = Self {
        loss: false,
        crashes: false,
        disks: false,
        partitions: false,
        clocks: false,
        slow_hosts: false,
        rewiring: false,
        cycles: true,
        neuron_kinds: true,
        unknown_sensors: false,
    };
}
