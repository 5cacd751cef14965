//! Deliberate faults.

use std::fmt;
use std::str::FromStr;

use pulsar_sys::fault;

/// Memory that an out-of-memory fault may still take before it dies: enough to be a real
/// exhaustion, little enough for any machine.
const OOM_LIMIT_BYTES: u64 = 64 << 20;
/// The exit code of [`Fault::Exit`].
const EXIT_CODE: i32 = 3;

/// A way to fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault {
    /// `abort`: signal 6.
    Abort,
    /// An access to memory that may not be accessed: signal 11.
    Segv,
    /// A recursion without end: signal 6 or 11.
    Overflow,
    /// A panic of the calling thread.
    Panic,
    /// The process exits with code 3, without a word.
    Exit,
    /// An allocation fails, under a memory limit that is set first: signal 6.
    Oom,
    /// A loop without end that holds the calling thread.
    Loop,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Abort,
        Self::Segv,
        Self::Overflow,
        Self::Panic,
        Self::Exit,
        Self::Oom,
        Self::Loop,
    ];

    /// Fails so.
    ///
    /// # Panics
    ///
    /// [`Fault::Panic`] does.
    pub fn commit(self) -> ! {
        match self {
            Self::Abort => fault::abort(),
            Self::Segv => fault::segv(),
            Self::Overflow => fault::stack_overflow(),
            Self::Panic => panic!("a deliberate panic"),
            Self::Exit => fault::exit(EXIT_CODE),
            Self::Oom => fault::out_of_memory(OOM_LIMIT_BYTES),
            Self::Loop => fault::spin(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abort => "abort",
            Self::Segv => "segv",
            Self::Overflow => "overflow",
            Self::Panic => "panic",
            Self::Exit => "exit",
            Self::Oom => "oom",
            Self::Loop => "loop",
        })
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let fault = Self::ALL
            .into_iter()
            .find(|fault| fault.to_string() == name);
        fault.ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

/// A name of no fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no fault: expected abort, segv, overflow, panic, exit, oom or loop")]
pub struct UnknownFault(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert!("meltdown".parse::<Fault>().is_err());
    }
}
