//! The limits of frames and bundles.

/// The largest frame, in bytes: 1 MiB.
///
/// A signal has 62 bytes and the names of what is missing. The largest message is the configuration
/// of a neuron; this limit leaves room for 6,000 inputs with names of full length. Redis and NATS
/// both carry it with their default settings (NATS allows 1 MiB by default).
pub const MAX_FRAME: usize = 1 << 20;

/// The largest bundle, in bytes: 64 KiB. A frame that does not fit travels alone.
pub const MAX_BUNDLE: usize = 1 << 16;

/// The most frames in a bundle. The cost of a message is then shared by so many frames that more of
/// them would save nothing.
pub const MAX_FRAMES: usize = 256;
