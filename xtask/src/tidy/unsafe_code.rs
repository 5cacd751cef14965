//! Unsafe code stands in one crate, and in one of the benchmark's; each piece with its proof.

use super::problem::Problem;
use super::tree::{RustFile, Tree};

/// The only folders with unsafe code: what we ship needs of the system, and what the benchmark's raw code does, which
/// is to have nothing of ours around it.
const UNSAFE_FOLDERS: &[&str] = &["crates/pulsar-sys/", "benches/raw/"];
/// How far above an unsafe block its proof may begin. A longer proof is a sign that the block does too much.
const MAX_LINES_TO_PROOF: usize = 12;

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = open_roots(tree);
    for file in &tree.rust {
        if may_be_unsafe(&file.path) {
            problems.extend(unproven(file));
        } else {
            problems.extend(misplaced(file));
        }
    }
    problems
}

/// Crate roots that do not forbid unsafe code.
fn open_roots(tree: &Tree) -> Vec<Problem> {
    let roots = tree.members.iter().flat_map(|member| &member.roots);
    let outside = roots.filter(|root| !may_be_unsafe(root));
    let files = outside.filter_map(|root| tree.rust.iter().find(|file| file.path == *root));
    files
        .filter(|file| !forbids_unsafe(&file.source.code))
        .map(|file| {
            let message = "the crate root allows unsafe code: add #![forbid(unsafe_code)]";
            Problem::new(&file.path, 1, message)
        })
        .collect()
}

fn may_be_unsafe(path: &str) -> bool {
    UNSAFE_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

fn forbids_unsafe(code: &str) -> bool {
    let mut lists = code.split("#![forbid(").skip(1);
    lists.any(|list| {
        let lints = list.split(')').next().unwrap_or_default();
        lints.split(',').any(|lint| lint.trim() == "unsafe_code")
    })
}

fn misplaced(file: &RustFile) -> Vec<Problem> {
    let source = &file.source;
    source
        .words("unsafe")
        .map(|at| {
            let message = "unsafe code outside pulsar-sys: use or widen a safe function there";
            Problem::new(&file.path, source.line(at), message)
        })
        .collect()
}

fn unproven(file: &RustFile) -> Vec<Problem> {
    let source = &file.source;
    let needs_proof = |at: &usize| {
        let next = source.code[at + "unsafe".len()..].trim_start();
        next.starts_with('{') || next.starts_with("impl")
    };
    let lacks_proof = |at: &usize| {
        let line = source.line(*at);
        let from = line.saturating_sub(MAX_LINES_TO_PROOF).max(1);
        !source.comment_lines(from, line).contains("SAFETY:")
    };
    source
        .words("unsafe")
        .filter(needs_proof)
        .filter(lacks_proof)
        .map(|at| {
            let message = format!(
                "unsafe code without its proof: write a // SAFETY: comment at most {MAX_LINES_TO_PROOF} lines above it"
            );
            Problem::new(&file.path, source.line(at), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::Member;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Problem> {
        check(&Tree::default().with_file(path, text))
    }

    fn found_in_root(path: &str, text: &str) -> Vec<Problem> {
        let member = Member {
            roots: vec![path.to_owned()],
            ..Member::default()
        };
        check(&Tree::default().with_member(member).with_file(path, text))
    }

    #[test]
    fn unsafe_code_outside_its_crate_is_a_problem() {
        for code in [
            "fn f() { unsafe { g() } }",
            "unsafe fn f() {}",
            "unsafe impl Send for A {}",
            "unsafe extern \"C\" {}",
            "#[unsafe(no_mangle)] fn f() {}",
        ] {
            let problems = found("crates/pulsar-core/src/a.rs", &format!("\n{code}\n"));
            assert_eq!(problems.len(), 1, "{code}");
            assert_eq!(problems[0].line, 2);
        }
    }

    #[test]
    fn the_word_in_comments_strings_and_names_is_fine() {
        let text = "// unsafe {\nconst A: &str = \"unsafe {\";\nfn unsafe_code() {}\n";
        assert_eq!(found("crates/pulsar-core/src/a.rs", text), []);
    }

    #[test]
    fn a_root_must_forbid_unsafe_code() {
        for text in [
            "#![forbid(unsafe_code)]\n",
            "//! A.\n#![forbid(missing_docs, unsafe_code)]\n",
        ] {
            assert_eq!(found_in_root("xtask/src/main.rs", text), [], "{text}");
        }
        for text in [
            "",
            "// #![forbid(unsafe_code)]\n",
            "#![deny(unsafe_code)]\n",
        ] {
            assert_eq!(found_in_root("xtask/src/main.rs", text).len(), 1, "{text}");
        }
        assert_eq!(found_in_root("crates/pulsar-sys/src/lib.rs", ""), []);
    }

    #[test]
    fn unsafe_code_in_its_crate_needs_a_proof_nearby() {
        let proof = "// SAFETY: the pointer is ours.\n";
        let near = "\n".repeat(MAX_LINES_TO_PROOF - 1);
        let path = "crates/pulsar-sys/src/a.rs";
        for code in ["fn f() { unsafe { g() } }\n", "unsafe impl Send for A {}\n"] {
            assert_eq!(found(path, &format!("{proof}{near}{code}")), [], "{code}");
            assert_eq!(
                found(path, &format!("{proof}{near}\n{code}")).len(),
                1,
                "{code}"
            );
            let text = format!("const A: &str = \"SAFETY: no\";\n{code}");
            assert_eq!(found(path, &text).len(), 1, "{code}");
        }
        assert_eq!(
            found(path, "pub unsafe fn f() {}\nunsafe extern \"C\" {}\n"),
            []
        );
    }

    #[test]
    fn the_benchmarks_raw_code_may_be_unsafe_and_its_program_may_not() {
        let code = "// SAFETY: g has no conditions.\nfn f() { unsafe { g() } }\n";
        assert_eq!(found("benches/raw/src/a.rs", code), []);
        assert_eq!(found("benches/src/a.rs", code).len(), 1);
    }
}
