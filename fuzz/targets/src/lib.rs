//! What the fuzzer calls, one function for each thing that strangers' bytes meet.
//!
//! Each takes any bytes, and checks what must be true of them: that a decoder gives the same whether it is fed at
//! once or byte by byte, that what was read is written again as it was, that nothing reserves more than its input
//! is worth. The fuzzer (`fuzz/`, a workspace of its own) calls them with input of its own making. The tests of
//! this crate, which need no nightly compiler, replay `fuzz/corpus` and some thousand mutations of it.
//!
//! # Layout
//!
//! * [`TARGETS`]: all of them, each with its seeds.
//! * `frame`, `hello`, `boot_record`, `command`, `report`: what links carry, from the outside in.
//! * `link`: the same bytes on a real socket, read by a pump.
//! * `ring`: what a peer may do to the memory of a link's rings, and to its socket then.
//! * `control_line`: what a client writes to the control socket, to a real server.
//! * `corpus`: the files below `fuzz/corpus`: where they are, what stands in them at first.
//! * `mutation`: changes an input a little, by a seed.
//!
//! `cargo run -p fuzz-targets` writes the seeds anew.
#![forbid(unsafe_code)]

mod boot_record;
mod command;
mod control_line;
pub mod corpus;
mod frame;
mod hello;
mod link;
pub mod mutation;
mod report;
mod ring;
mod target;

pub use boot_record::boot_record;
pub use command::command;
pub use control_line::control_line;
pub use frame::frame;
pub use hello::hello;
pub use link::link;
pub use report::report;
pub use ring::ring;
pub use target::{Seed, TARGETS, Target};
