//! The whole of tidy: load, check, print.

use anyhow::bail;

use super::problem::Problem;
use super::tree::Tree;
use super::{
    file_names, layering, leftovers, licences, limits, links, manifests, promises, unsafe_code,
};

type Check = fn(&Tree) -> Vec<Problem>;

const CHECKS: &[Check] = &[
    layering::check,
    limits::check,
    unsafe_code::check,
    leftovers::check,
    file_names::check,
    links::check,
    promises::check,
    licences::check,
    manifests::check,
];

/// Checks the workspace of the current folder and prints each problem; answers whether there is none.
///
/// # Errors
/// When there are arguments, or the workspace cannot be read.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    if let Some(argument) = arguments.first() {
        bail!("unknown argument {argument}: tidy takes none");
    }
    let tree = Tree::load()?;
    let problems = problems(&tree);
    for problem in &problems {
        println!("{problem}");
    }
    println!("{}", verdict(&tree, problems.len()));
    Ok(problems.is_empty())
}

fn problems(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    problems.sort();
    problems
}

fn verdict(tree: &Tree, problems: usize) -> String {
    match problems {
        0 => format!(
            "tidy: ok ({} files, {} crates)",
            tree.rust.len() + tree.prose.len(),
            tree.members.len()
        ),
        1 => "tidy: 1 problem".to_owned(),
        many => format!("tidy: {many} problems"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_is_ok() {
        let tree = Tree::default();
        assert_eq!(problems(&tree), []);
        assert_eq!(verdict(&tree, 0), "tidy: ok (0 files, 0 crates)");
    }

    #[test]
    fn problems_of_all_checks_are_counted_and_sorted() {
        let tree = Tree::default()
            .with_file("b/utils.rs", "fn f() { todo!() }\n")
            .with_file("a.md", "[gone](gone.md)\n");
        let found = problems(&tree);
        let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["a.md", "b/utils.rs", "b/utils.rs"]);
        assert_eq!(verdict(&tree, found.len()), "tidy: 3 problems");
    }

    #[test]
    fn an_argument_is_refused() {
        let error = run(&["--fix".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("--fix"), "{error}");
    }
}
