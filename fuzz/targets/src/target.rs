//! All there is to fuzz.

use crate::{boot_record, command, control_line, frame, hello, link, report, ring};

/// An input to begin with: what it shows, which is the name of its file, and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// One thing to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its program in `fuzz/fuzz_targets`, and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Takes any input. It panics where something is not as it must be.
    pub check: fn(&[u8]),
    /// What it begins with.
    pub seeds: fn() -> Vec<Seed>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frame",
        check: frame,
        seeds: frame::seeds,
    },
    Target {
        name: "hello",
        check: hello,
        seeds: hello::seeds,
    },
    Target {
        name: "boot_record",
        check: boot_record,
        seeds: boot_record::seeds,
    },
    Target {
        name: "command",
        check: command,
        seeds: command::seeds,
    },
    Target {
        name: "report",
        check: report,
        seeds: report::seeds,
    },
    Target {
        name: "link",
        check: link,
        seeds: link::seeds,
    },
    Target {
        name: "ring",
        check: ring,
        seeds: ring::seeds,
    },
    Target {
        name: "control_line",
        check: control_line,
        seeds: control_line::seeds,
    },
];
