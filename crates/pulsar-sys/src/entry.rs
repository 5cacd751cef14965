//! Code that runs before `main`, and the program's arguments there.

use std::{env, ffi::OsString, fs, os::unix::ffi::OsStringExt};

/// A function that [`before_main!`](crate::before_main) takes. It must not panic: a panic there aborts.
pub type BeforeMain = extern "C" fn();

/// Has the loader call a function of type [`BeforeMain`](crate::entry::BeforeMain) before `main`.
///
/// Use it in the crate that is the program or the test: from a library's file that nothing else refers to, the linker may
/// leave it out. It works in crates that forbid `unsafe` code. The function runs on the main thread, usually the only one. The
/// standard library isn't fully set up: its handler for stack overflows isn't there, `SIGPIPE` isn't ignored, and
/// missing standard streams aren't replaced. Its environment, files, processes and threads work; so do its arguments on
/// glibc, see [`arguments`](crate::entry::arguments).
///
/// ```
/// #![forbid(unsafe_code)]
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static EARLY: AtomicBool = AtomicBool::new(false);
/// extern "C" fn early() {
///     EARLY.store(true, Ordering::Relaxed);
/// }
/// pulsar_sys::before_main!(early);
///
/// fn main() {
///     assert!(EARLY.load(Ordering::Relaxed));
/// }
/// ```
#[cfg(not(target_vendor = "apple"))]
#[macro_export]
macro_rules! before_main {
    ($function:path) => {
        const _: () = {
            // SAFETY: the section is the loader's table of functions to call before `main`, without arguments that
            // matter to us; the static is one such pointer, and its type is checked.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: $crate::entry::BeforeMain = $function;
        };
    };
}

/// Has the loader call a function of type [`BeforeMain`](crate::entry::BeforeMain) before `main`.
///
/// It works in crates that forbid `unsafe` code. The function runs on the main thread, before the standard library is
/// fully set up.
#[cfg(target_vendor = "apple")]
#[macro_export]
macro_rules! before_main {
    ($function:path) => {
        const _: () = {
            // SAFETY: as on other systems; the section has another name.
            #[used]
            #[unsafe(link_section = "__DATA,__mod_init_func")]
            static BEFORE_MAIN: $crate::entry::BeforeMain = $function;
        };
    };
}

/// The program's arguments, with its name first; also before `main`.
///
/// The standard library knows them before `main` on glibc. With other C libraries on Linux they are read from `/proc`.
pub fn arguments() -> Vec<OsString> {
    let known: Vec<OsString> = env::args_os().collect();
    if !known.is_empty() {
        return known;
    }
    let line = fs::read("/proc/self/cmdline").unwrap_or_default();
    split(&line)
}

/// Each argument ends with a zero byte.
fn split(line: &[u8]) -> Vec<OsString> {
    let Some(line) = line.strip_suffix(&[0]) else {
        return Vec::new();
    };
    let arguments = line.split(|byte| *byte == 0);
    arguments
        .map(|bytes| OsString::from_vec(bytes.to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_form_of_the_arguments_is_split() {
        assert_eq!(split(b"a\0\0c\0"), ["a", "", "c"].map(OsString::from));
        assert_eq!(split(b""), Vec::<OsString>::new());
        let line = fs::read("/proc/self/cmdline").unwrap();
        assert_eq!(split(&line), arguments());
    }
}
