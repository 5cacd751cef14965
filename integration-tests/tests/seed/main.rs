//! The document that Pulsar comes from, section by section: each of its snippets and promises in its
//! Rust form, with real processes, in all placements that it applies to.
#![forbid(unsafe_code)]

mod gate;
mod seed;
