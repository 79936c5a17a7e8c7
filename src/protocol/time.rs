//! How the protocol counts time: it is told what a clock of its bank says.

/// Milliseconds of a clock that only goes forward; its zero means nothing.
pub type Millis = u64;
