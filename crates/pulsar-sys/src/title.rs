//! What tools show as a process's arguments.

use std::{ffi::OsStr, fs, io, os::unix::ffi::OsStrExt, sync::OnceLock};

use crate::platform;

/// Where the kernel says that this process's code, data, heap and stack begin, and end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryParts {
    pub(crate) code: [u64; 2],
    pub(crate) data: [u64; 2],
    pub(crate) heap_start: u64,
    pub(crate) stack_start: u64,
}

/// They never change for a process, nor for what is cloned from it.
static PARTS: OnceLock<Option<MemoryParts>> = OnceLock::new();

/// Has the kernel show these as the arguments and the environment of this process: in a clone, both are the template's
/// until then. The program's own view of them stays as it is.
///
/// # Errors
///
/// If the kernel can't; then they stay.
pub fn retitle(arguments: &[&OsStr], environment: &[&OsStr]) -> io::Result<()> {
    let Some(parts) = *PARTS.get_or_init(parts) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    // Never freed: the kernel reads them whenever somebody asks.
    let [arguments, environment] = [arguments, environment].map(|all| -> &'static [u8] {
        let mut block = Vec::with_capacity(all.iter().map(|one| one.len() + 1).sum());
        for one in all {
            block.extend_from_slice(one.as_bytes());
            block.push(0);
        }
        if block.is_empty() {
            // The kernel takes only addresses of the process's own.
            block.push(0);
        }
        block.leak()
    });
    platform::show_arguments(&parts, arguments, environment)
}

/// Learns what [`retitle`] needs, so that all clones know it.
pub(crate) fn prepare() {
    PARTS.get_or_init(parts);
}

fn parts() -> Option<MemoryParts> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The kernel counts the fields from one; the first behind the name is the third.
fn parse(stat: &str) -> Option<MemoryParts> {
    let (_, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(MemoryParts {
        code: [field(26)?, field(27)?],
        data: [field(45)?, field(46)?],
        heap_start: field(47)?,
        stack_start: field(28)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_memory_are_where_the_kernel_says() {
        let fields: Vec<String> = (3..=52).map(|number: u64| number.to_string()).collect();
        let stat = format!("7 (a) b) {}", fields.join(" "));
        let parts = parse(&stat).unwrap();
        assert_eq!((parts.code, parts.data), ([26, 27], [45, 46]));
        assert_eq!((parts.heap_start, parts.stack_start), (47, 28));
        assert!(parse("7 (a) S 1").is_none());
        assert!(prepare_is_known());
    }

    fn prepare_is_known() -> bool {
        prepare();
        PARTS.get().is_some()
    }
}
