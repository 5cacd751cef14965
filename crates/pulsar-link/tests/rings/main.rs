//! Two links joined by a real socket pair, which go on through rings: all that is true of links on
//! sockets, and what is true of rings alone.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../pair/credit.rs"]
mod credit;
#[path = "../pair/death.rs"]
mod death;
#[path = "../pair/descriptors.rs"]
mod descriptors;
mod hostile;
mod looking;
#[path = "../pair/retirement.rs"]
mod retirement;
mod switching;

#[path = "../pair/support.rs"]
mod support;

/// The links of these tests are offered rings at once.
const RINGS: bool = true;
