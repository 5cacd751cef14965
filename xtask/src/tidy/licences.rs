//! What we link is licensed as we allow, and needs no more than a Rust toolchain and a C compiler.
//!
//! `cargo deny` checks the same lists of `deny.toml`; this check runs where it is not installed.

use super::manifest;
use super::problem::Problem;
use super::tree::{ThirdParty, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let allowed = manifest::array(&tree.deny, "licenses", "allow");
    let banned = manifest::array(&tree.deny, "bans", "deny");
    let mut problems: Vec<Problem> = tree
        .graph_error
        .iter()
        .map(|error| unknown(error))
        .collect();
    for package in &tree.third_party {
        let wrong = [wrong_licence(package, &allowed), ban(package, &banned)];
        for message in wrong.into_iter().flatten() {
            problems.push(Problem::new("Cargo.lock", tree.lock_line(package), message));
        }
    }
    problems
}

fn unknown(error: &str) -> Problem {
    let reason = error.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let message = format!(
        "cargo metadata --locked failed, so no licence was checked: update the lock file, or go online ({reason})"
    );
    Problem::new("Cargo.lock", 1, message)
}

fn wrong_licence(package: &ThirdParty, allowed: &[String]) -> Option<String> {
    let ThirdParty { name, version, .. } = package;
    let Some(licence) = &package.licence else {
        return Some(format!("{name} {version} names no licence: replace it"));
    };
    match is_satisfied(licence, allowed) {
        Some(true) => None,
        Some(false) => Some(format!(
            "{name} {version} is licensed {licence}: replace it, or allow the licence in deny.toml"
        )),
        None => Some(format!(
            "{name} {version} has the licence expression {licence}, which is not SPDX: replace it"
        )),
    }
}

fn ban(package: &ThirdParty, banned: &[String]) -> Option<String> {
    let ThirdParty { name, version, .. } = package;
    banned.contains(name).then(|| {
        format!(
            "{name} {version} is banned by deny.toml: choose features that need only Rust and C"
        )
    })
}

/// Whether an SPDX expression can be met with the allowed licences; none when it is no such expression.
fn is_satisfied(expression: &str, allowed: &[String]) -> Option<bool> {
    // Old manifests write a slash where they mean OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut expression = Expression {
        words: spaced.split_whitespace().collect(),
        at: 0,
        allowed,
    };
    let satisfied = expression.any()?;
    (expression.at == expression.words.len()).then_some(satisfied)
}

/// A parser by descent: OR binds weakest, then AND, then WITH.
struct Expression<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a [String],
}

impl<'a> Expression<'a> {
    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.all()?;
        while self.takes("OR") {
            satisfied |= self.all()?;
        }
        Some(satisfied)
    }

    fn all(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.takes("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let satisfied = self.any()?;
            return self.takes(")").then_some(satisfied);
        }
        let mut licence = self.word()?.to_owned();
        if self.takes("WITH") {
            licence = format!("{licence} WITH {}", self.word()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn word(&mut self) -> Option<&'a str> {
        let word = *self.words.get(self.at)?;
        let is_operator = matches!(word, "OR" | "AND" | "WITH" | "(" | ")");
        self.at += 1;
        (!is_operator).then_some(word)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[licenses]\nallow = [\"MIT\", \"Unicode-3.0\", \"Apache-2.0\"]\n[bans]\ndeny = [\"cmake\"]\n";

    fn found(name: &str, licence: Option<&str>) -> Vec<Problem> {
        check(&Tree {
            deny: DENY.to_owned(),
            third_party: vec![ThirdParty {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                licence: licence.map(str::to_owned),
            }],
            ..Tree::default()
        })
    }

    #[test]
    fn an_expression_that_can_be_met_is_fine() {
        for licence in [
            "MIT",
            "MIT OR GPL-3.0",
            "LGPL-2.1-or-later/MIT",
            "(GPL-3.0 OR MIT) AND Unicode-3.0",
            "GPL-3.0 AND Zlib OR MIT",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
        ] {
            assert_eq!(found("a", Some(licence)), [], "{licence}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_met_is_a_problem() {
        for licence in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0 OR Zlib)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            let problems = found("a", Some(licence));
            assert_eq!(problems.len(), 1, "{licence}");
            assert!(
                problems[0].message.contains("is licensed"),
                "{}",
                problems[0]
            );
        }
    }

    #[test]
    fn no_licence_or_no_expression_is_a_problem() {
        for licence in [
            None,
            Some(""),
            Some("MIT OR"),
            Some("(MIT"),
            Some("MIT MIT"),
            Some("AND MIT"),
        ] {
            assert_eq!(found("a", licence).len(), 1, "{licence:?}");
        }
    }

    #[test]
    fn a_banned_package_is_a_problem() {
        let problems = found("cmake", Some("MIT"));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("banned"), "{}", problems[0]);
    }

    #[test]
    fn a_graph_that_cargo_does_not_tell_is_a_problem() {
        let tree = Tree {
            graph_error: Some("the lock file\nneeds an update".to_owned()),
            ..Tree::default()
        };
        let problems = check(&tree);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .message
                .ends_with("(the lock file needs an update)"),
            "{}",
            problems[0]
        );
    }
}
