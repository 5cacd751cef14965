//! How the processes of a test are made.

use std::env;
use std::ffi::OsString;
use std::path::Path;

/// The variable that says how the processes of a program are made: `template` or `exec`.
pub const WAY_VARIABLE: &str = "PULSAR_SPAWN";

/// How the processes of this program's tests are to be made: as the environment says; else as the program's name does, where
/// that ends in `by_template` or `by_exec`; nothing else.
///
/// So one source of tests becomes two test targets of a package, of which the second runs it in the other way:
///
/// ```toml
/// [[test]]
/// name = "conformance_by_template"
/// path = "tests/conformance/main.rs"
/// ```
pub fn spawn_way() -> Option<OsString> {
    env::var_os(WAY_VARIABLE).or_else(|| {
        let program = env::current_exe().ok()?;
        way_of(&program).map(OsString::from)
    })
}

/// Cargo puts a hash behind the name, which has no dash itself.
fn way_of(program: &Path) -> Option<&'static str> {
    let stem = program.file_stem()?.to_str()?;
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let ways = [("by_template", "template"), ("by_exec", "exec")];
    let way = ways.iter().find(|(end, _)| name.ends_with(end));
    way.map(|(_, way)| *way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_the_end_of_the_programs_name() {
        let of = |program: &str| way_of(Path::new(program));
        assert_eq!(of("/a/deps/faults_by_exec-0123abcd"), Some("exec"));
        assert_eq!(of("/a/conformance_by_template"), Some("template"));
        assert_eq!(of("/a/deps/faults-0123abcd"), None);
        assert_eq!(of("/a/by_exec/faults-0123abcd"), None);
    }
}
