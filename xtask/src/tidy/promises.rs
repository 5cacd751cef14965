//! The guide's promises name tests that exist.
//!
//! In a table whose last column is headed `held by`, each word in backticks is a test's name.

use std::collections::BTreeSet;

use super::problem::Problem;
use super::tree::{TextFile, Tree};

const HEADING: &str = "held by";

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let tests: BTreeSet<&str> = tree
        .rust
        .iter()
        .flat_map(|file| functions(&file.source.code))
        .collect();
    let pages = tree.prose.iter().filter(|page| page.text.contains(HEADING));
    pages.flat_map(|page| unknown(page, &tests)).collect()
}

fn unknown(page: &TextFile, tests: &BTreeSet<&str>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut within = false;
    for (text, line) in page.text.lines().zip(1..) {
        let Some(last) = last_cell(text) else {
            within = false;
            continue;
        };
        if last == HEADING {
            within = true;
            continue;
        }
        let names = last.split('`').skip(1).step_by(2);
        for name in names.filter(|name| within && !tests.contains(name)) {
            let message = format!("no test is named {name}: name the one that holds the promise");
            problems.push(Problem::new(&page.path, line, message));
        }
        let is_rule = last.bytes().all(|byte| byte == b'-');
        if within && !is_rule && !last.contains('`') {
            let message = "the promise names no test that holds it".to_owned();
            problems.push(Problem::new(&page.path, line, message));
        }
    }
    problems
}

fn last_cell(line: &str) -> Option<&str> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    row.rsplit('|').next().map(str::trim)
}

/// The names of the functions in code without its comments.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let (_, name) = line.split_once("fn ")?;
        let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
        Some(&name[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(page: &str) -> usize {
        let page = TextFile {
            path: "docs/guide/page.md".to_owned(),
            text: page.to_owned(),
        };
        let tests = functions("#[test]\nfn it_holds() {}\n").collect();
        unknown(&page, &tests).len()
    }

    #[test]
    fn a_promise_is_held_by_a_test_that_exists() {
        let head = "| promise | held by |\n|---|---|\n";
        assert_eq!(problems(&format!("{head}| it does | `it_holds` |\n")), 0);
        assert_eq!(
            problems(&format!("{head}| it does | `it_holds`, `not_this` |\n")),
            1
        );
        assert_eq!(problems(&format!("{head}| it does | nobody |\n")), 1);
        assert_eq!(
            problems("| what | how |\n|---|---|\n| it does | `not_this` |\n"),
            0
        );
    }
}
