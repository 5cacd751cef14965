//! Monitors of trees: order, strategies, nesting, escalation, scale, and what operators say.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod causes;
mod escalation;
mod ledger;
mod nesting;
mod order;
mod scale;
mod strategies;
