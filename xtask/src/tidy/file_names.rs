//! A file is named for its noun; names that say nothing attract everything.

use super::problem::Problem;
use super::tree::{Tree, parts};

const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "manager", "types"];

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let files = tree.rust.iter();
    files
        .filter_map(|file| {
            let name = parts(&file.path)
                .map(|part| part.strip_suffix(".rs").unwrap_or(part))
                .find(|name| EMPTY_NAMES.contains(name))?;
            let message =
                format!("the name {name} says nothing: name the file or folder for its one noun");
            Some(Problem::new(&file.path, 1, message))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Vec<Problem> {
        check(&Tree::default().with_file(path, ""))
    }

    #[test]
    fn a_name_that_says_nothing_is_a_problem() {
        for name in EMPTY_NAMES {
            assert_eq!(found(&format!("a/src/{name}.rs")).len(), 1, "{name}");
            assert_eq!(found(&format!("a/tests/{name}/mod.rs")).len(), 1, "{name}");
        }
    }

    #[test]
    fn a_noun_is_fine() {
        for path in ["a/src/mailbox.rs", "a/src/uncommon.rs", "a/src/link/mod.rs"] {
            assert_eq!(found(path), [], "{path}");
        }
    }
}
