//! Two links joined by a real socket pair, each with its own pump.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod credit;
mod death;
mod descriptors;
mod retirement;
mod support;

/// The links of these tests stay on their sockets.
const RINGS: bool = false;
