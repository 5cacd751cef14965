//! Each crate takes its lints, edition, Rust version and licence from the workspace.

use super::manifest::{has_section, value};
use super::problem::Problem;
use super::tree::{Member, Tree};

const INHERITED: &[&str] = &["edition", "rust-version", "license"];
/// The crate with lints of its own: it allows unsafe code.
const OWN_LINTS: &str = "pulsar-sys";
/// What its own lints must hold: the proof of each unsafe block.
const PROOF_LINT: &str = "undocumented_unsafe_blocks";

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let crates = tree
        .members
        .iter()
        .filter(|member| member.dir.starts_with("crates/"));
    crates.flat_map(wrong_manifest).collect()
}

fn wrong_manifest(member: &Member) -> Vec<Problem> {
    let mut messages: Vec<String> = INHERITED
        .iter()
        .filter(|key| !inherits(&member.manifest, key))
        .map(|key| format!("{key} is not the workspace's: write {key}.workspace = true"))
        .collect();
    messages.extend(wrong_lints(member));
    messages
        .into_iter()
        .map(|message| Problem::new(&member.manifest_path(), 1, message))
        .collect()
}

fn inherits(manifest: &str, key: &str) -> bool {
    value(manifest, "package", &format!("{key}.workspace")) == Some("true")
}

fn wrong_lints(member: &Member) -> Option<String> {
    let manifest = &member.manifest;
    if member.name != OWN_LINTS {
        let is_inherited = value(manifest, "lints", "workspace") == Some("true");
        return (!is_inherited).then(|| {
            "the lints are not the workspace's: write [lints] workspace = true".to_owned()
        });
    }
    let denies = value(manifest, "lints.clippy", PROOF_LINT) == Some("\"deny\"");
    let is_own = has_section(manifest, "lints.rust") && denies;
    (!is_own).then(|| {
        format!("{OWN_LINTS} needs lints of its own: write [lints.rust], and deny {PROOF_LINT} in [lints.clippy]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = "[package]\nedition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n";
    const LINTS: &str = "[lints]\nworkspace = true\n";
    const OWN: &str =
        "[lints.rust]\na = \"warn\"\n[lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n";

    fn found(name: &str, manifest: &str) -> Vec<Problem> {
        check(&Tree::default().with_member(Member {
            name: name.to_owned(),
            dir: format!("crates/{name}"),
            manifest: manifest.to_owned(),
            ..Member::default()
        }))
    }

    #[test]
    fn a_crate_that_takes_all_from_the_workspace_is_fine() {
        assert_eq!(found("pulsar-core", &format!("{PACKAGE}{LINTS}")), []);
        assert_eq!(found(OWN_LINTS, &format!("{PACKAGE}{OWN}")), []);
    }

    #[test]
    fn an_edition_or_licence_of_its_own_is_a_problem() {
        for key in INHERITED {
            let package = PACKAGE.replace(
                &format!("{key}.workspace = true"),
                &format!("{key} = \"x\""),
            );
            let problems = found("pulsar-core", &format!("{package}{LINTS}"));
            assert_eq!(problems.len(), 1, "{key}");
            assert!(problems[0].message.starts_with(key), "{}", problems[0]);
        }
    }

    #[test]
    fn missing_lints_are_a_problem() {
        assert_eq!(found("pulsar-core", PACKAGE).len(), 1);
        assert_eq!(found("pulsar-core", &format!("{PACKAGE}{OWN}")).len(), 1);
        assert_eq!(found(OWN_LINTS, &format!("{PACKAGE}{LINTS}")).len(), 1);
        let weak = OWN.replace("deny", "warn");
        assert_eq!(found(OWN_LINTS, &format!("{PACKAGE}{weak}")).len(), 1);
    }
}
