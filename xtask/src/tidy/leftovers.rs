//! What was meant for a moment must not stay: unfinished code, debug prints, silenced tests and lints.

use super::problem::Problem;
use super::tree::{RustFile, Tree};

/// What must not be in the code, and what to do about it.
const LEFTOVERS: &[(&str, &str)] = &[
    ("todo!(", "write the code"),
    (
        "unimplemented!(",
        "write the code, or make the case impossible",
    ),
    ("dbg!(", "remove it, or trace"),
    (
        "#[ignore",
        "let the test say on stderr why it skips, or remove it",
    ),
    ("#[allow(", "use #[expect(…, reason = \"…\")]"),
    ("#![allow(", "use #![expect(…, reason = \"…\")]"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    tree.rust.iter().flat_map(leftovers).collect()
}

fn leftovers(file: &RustFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (text, remedy) in LEFTOVERS {
        for (at, _) in file.source.code.match_indices(text) {
            let message = format!("{text} is left in the code: {remedy}");
            problems.push(Problem::new(&file.path, file.source.line(at), message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leftover_is_found() {
        for (text, _) in LEFTOVERS {
            let tree = Tree::default().with_file("a.rs", &format!("\n  {text}x)\n"));
            let problems = check(&tree);
            assert_eq!(problems.len(), 1, "{text}");
            assert_eq!(problems[0].line, 2, "{text}");
            assert!(problems[0].message.starts_with(text), "{text}");
        }
    }

    #[test]
    fn finished_code_and_words_in_comments_are_fine() {
        let text = "// todo!()\n#[expect(a, reason = \"b\")]\nconst A: &str = \"dbg!(1)\";\n";
        assert_eq!(check(&Tree::default().with_file("a.rs", text)), []);
    }
}
