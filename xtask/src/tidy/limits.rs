//! How long files, functions and crates may grow.

use super::problem::Problem;
use super::source::{Source, closing_brace, is_name};
use super::tree::{RustFile, Tree, parts};

/// Lines of a file, its test module not counted. More than that holds two nouns.
const MAX_FILE_LINES: usize = 800;
/// Lines between the braces of a function. More than that does not fit on a page.
const MAX_FUNCTION_LINES: usize = 70;
/// Lines of code of a crate's `src`. More than that holds two ideas. Tests, blank lines and
/// comments are not counted, so that nobody saves on them.
const MAX_CRATE_LINES: usize = 5_000;

/// Folders whose files may be long: a list of cases is easier to read in one piece.
const LONG_FILE_FOLDERS: &[&str] = &["tests", "benches", "fuzz"];

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let files = tree.rust.iter().filter_map(long_file);
    let functions = tree.rust.iter().flat_map(long_functions);
    let crates = tree.members.iter().filter_map(|member| {
        let src = format!("{}/src/", member.dir);
        let files = tree.rust.iter().filter(|file| file.path.starts_with(&src));
        let lines: usize = files
            .filter(|file| !is_tests(&file.path))
            .map(|file| file.source.code_lines_without_tests())
            .sum();
        let message = format!(
            "{} has {lines} lines of code, {MAX_CRATE_LINES} are allowed: make its second idea a crate",
            member.name
        );
        (lines > MAX_CRATE_LINES).then(|| Problem::new(&member.manifest_path(), 1, message))
    });
    files.chain(functions).chain(crates).collect()
}

fn long_file(file: &RustFile) -> Option<Problem> {
    let lines = counted_lines(file);
    let is_exempt = is_tests(&file.path) || in_folder(&file.path, LONG_FILE_FOLDERS);
    (lines > MAX_FILE_LINES && !is_exempt).then(|| {
        let message = format!(
            "the file has {lines} lines, {MAX_FILE_LINES} are allowed: give its second noun a file"
        );
        Problem::new(&file.path, MAX_FILE_LINES + 1, message)
    })
}

fn long_functions(file: &RustFile) -> Vec<Problem> {
    if is_tests(&file.path) {
        return Vec::new();
    }
    let source = &file.source;
    let functions = source.words("fn").filter(|at| !source.is_test(*at));
    functions
        .filter_map(|at| {
            let (name, lines) = function(source, at)?;
            let message = format!(
                "function {name} has {lines} lines, {MAX_FUNCTION_LINES} are allowed: split it"
            );
            (lines > MAX_FUNCTION_LINES).then(|| Problem::new(&file.path, source.line(at), message))
        })
        .collect()
}

/// The name of the function whose `fn` stands at an offset, and the number of lines between its braces.
fn function(source: &Source, at: usize) -> Option<(&str, usize)> {
    let after = source.code[at + "fn".len()..].trim_start();
    let name = &after[..after.find(|c| !is_name(c) && c != '$')?];
    if name.is_empty() {
        return None;
    }
    let from = source.code.len() - after.len() + name.len();
    let open = from + body(&source.code[from..])?;
    let close = closing_brace(&source.code, open)?;
    let lines = (source.line(close) - source.line(open)).saturating_sub(1);
    Some((name, lines))
}

/// The offset of the brace that opens a body behind a function's name; none for a declaration.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in signature.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn counted_lines(file: &RustFile) -> usize {
    file.source.lines_without_tests()
}

/// Whether a whole file is tests.
fn is_tests(path: &str) -> bool {
    in_folder(path, &["tests"]) || parts(path).last() == Some("tests.rs")
}

fn in_folder(path: &str, folders: &[&str]) -> bool {
    parts(path).any(|part| folders.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::super::tree::Member;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Problem> {
        check(&Tree::default().with_file(path, text))
    }

    fn function_of(lines: usize) -> String {
        format!(
            "fn long() -> [u8; 2] {{\n{}}}\n",
            "    f(\"}\");\n".repeat(lines)
        )
    }

    fn tests_of(text: &str) -> String {
        format!("#[cfg(test)]\nmod tests {{\n{text}}}\n")
    }

    #[test]
    fn a_file_at_the_limit_is_fine_and_one_line_more_is_not() {
        let at_limit = "// x\n".repeat(MAX_FILE_LINES);
        assert_eq!(found("a/src/a.rs", &at_limit), []);
        let problems = found("a/src/a.rs", &format!("{at_limit}// x\n"));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("801 lines"), "{}", problems[0]);
    }

    #[test]
    fn tests_may_make_a_file_long() {
        let text = "// x\n".repeat(MAX_FILE_LINES);
        assert_eq!(
            found("a/src/a.rs", &format!("{text}{}", tests_of(&text))),
            []
        );
        for path in [
            "a/tests/a.rs",
            "benches/src/a.rs",
            "fuzz/a.rs",
            "a/src/tests.rs",
        ] {
            assert_eq!(found(path, &text.repeat(2)), [], "{path}");
        }
    }

    #[test]
    fn a_function_at_the_limit_is_fine_and_one_line_more_is_not() {
        assert_eq!(found("a/src/a.rs", &function_of(MAX_FUNCTION_LINES)), []);
        let problems = found(
            "a/src/a.rs",
            &format!("\n{}", function_of(MAX_FUNCTION_LINES + 1)),
        );
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].message.contains("function long has 71 lines"),
            "{}",
            problems[0]
        );
        assert_eq!(problems[0].line, 2);
    }

    #[test]
    fn functions_of_tests_may_be_long() {
        let long = function_of(MAX_FUNCTION_LINES + 1);
        assert_eq!(found("a/src/a.rs", &tests_of(&long)), []);
        assert_eq!(found("a/tests/a.rs", &long), []);
        assert_eq!(found("benches/a.rs", &long).len(), 1);
    }

    #[test]
    fn a_declaration_has_no_body() {
        let text = format!(
            "trait A {{ fn a(b: [u8; 2]); }}\ntype F = fn(u8) -> u8;\nmod m {{\n{}}}\n",
            "// x\n".repeat(MAX_FUNCTION_LINES + 1)
        );
        assert_eq!(found("a/src/a.rs", &text), []);
    }

    #[test]
    fn a_crate_above_the_limit_is_a_problem() {
        let tree = |lines: usize| {
            let per_file = lines / 10;
            let tree = Tree::default().with_member(Member {
                name: "big".to_owned(),
                dir: "crates/big".to_owned(),
                ..Member::default()
            });
            (0..10).fold(tree, |tree, file| {
                let text = "// x\n\nx();\n".replace("x();\n", &"x();\n".repeat(per_file))
                    + &tests_of("x();\n");
                tree.with_file(&format!("crates/big/src/f{file}.rs"), &text)
            })
        };
        assert_eq!(check(&tree(MAX_CRATE_LINES)), []);
        let problems = check(&tree(MAX_CRATE_LINES + 10));
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].message.contains("5010 lines of code"),
            "{}",
            problems[0]
        );
    }
}
