//! Relative links in the documentation lead somewhere.
//!
//! Markdown under a `src` folder is left to rustdoc, whose links name items.

use std::collections::BTreeMap;

use super::problem::Problem;
use super::tree::{TextFile, Tree, parts};

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let pages = tree.prose.iter();
    for page in pages.filter(|page| !parts(&page.path).any(|part| part == "src")) {
        for (line, text) in prose_lines(&page.text) {
            for target in targets(&without_code(text)) {
                if let Some(message) = wrong_link(tree, page, &target) {
                    problems.push(Problem::new(&page.path, line, message));
                }
            }
        }
    }
    problems
}

fn wrong_link(tree: &Tree, page: &TextFile, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = resolved(&page.path, &path.replace("%20", " ")) else {
        return Some(format!(
            "the link {target} leaves the repository: link to a file in it"
        ));
    };
    if !path.is_empty() && !tree.paths.contains(&path) {
        return Some(format!(
            "the link {target} leads to no file: correct it, or write {path}"
        ));
    }
    let linked = tree.prose.iter().find(|other| other.path == path)?;
    let is_missing = !anchor.is_empty() && !anchors(&linked.text).contains(&anchor.to_owned());
    is_missing
        .then(|| format!("the link {target} names no heading of {path}: correct the part behind #"))
}

/// The path that a link on a page means, from the root of the repository; none when it leads out of it.
fn resolved(page: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(page.to_owned());
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut resolved: Vec<&str> = match link.starts_with('/') {
        true => Vec::new(),
        false => parts(folder).collect(),
    };
    for part in parts(link) {
        match part {
            "." => {}
            ".." => drop(resolved.pop()?),
            name => resolved.push(name),
        }
    }
    Some(resolved.join("/"))
}

/// The lines outside fenced code, with their numbers from 1.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let marker = ["```", "~~~"]
            .into_iter()
            .find(|marker| line.trim_start().starts_with(marker));
        match (fence, marker) {
            (None, None) => return Some((number, line)),
            (None, Some(_)) => fence = marker,
            (Some(_), marker) if marker == fence => fence = None,
            (Some(_), _) => {}
        }
        None
    })
}

/// A line with its inline code blanked.
fn without_code(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('`') {
        kept.push_str(&rest[..open]);
        let inside = rest[open..].trim_start_matches('`');
        let ticks = &rest[open..rest.len() - inside.len()];
        rest = inside
            .find(ticks)
            .map_or(inside, |close| &inside[close + ticks.len()..]);
    }
    kept + rest
}

/// The targets of the links of a line: `[text](target "title")` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).map(|rest| {
        let mut depth = 0_usize;
        let end = rest.find(|character| match character {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth == 0 => true,
            ')' => {
                depth -= 1;
                false
            }
            _ => false,
        });
        &rest[..end.unwrap_or(rest.len())]
    });
    let is_definition = line.trim_start().starts_with('[') && !line.trim_start().starts_with("[^");
    let definition = line
        .split_once("]: ")
        .filter(|_| is_definition)
        .map(|(_, target)| target);
    let written = inline.chain(definition);
    let bare = written.filter_map(|target| target.split_whitespace().next());
    bare.map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect()
}

/// The anchors that GitHub gives to the headings of a page, and those that it sets itself.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = Vec::new();
    for (_, line) in prose_lines(text) {
        let set = line
            .split("<a id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        anchors.extend(set.map(str::to_owned));
        let title = line.trim_start_matches('#');
        if title.len() < line.len() && title.starts_with(' ') {
            let slug = slug(title.trim());
            let count = seen.entry(slug.clone()).or_default();
            anchors.push(match *count {
                0 => slug,
                again => format!("{slug}-{again}"),
            });
            *count += 1;
        }
    }
    anchors
}

/// GitHub's rule: small letters, no punctuation but `-` and `_`, a hyphen for each space; of a link, its text.
fn slug(title: &str) -> String {
    let mut text = String::new();
    for (index, part) in title.split("](").enumerate() {
        let behind_target = part.split_once(')').filter(|_| index > 0);
        text.push_str(behind_target.map_or(part, |(_, rest)| rest));
    }
    text.to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str =
        "# The guide\n## Run `hello`, twice!\n## Same\n## Same\n```\n# no heading\n```\n";

    fn found(link: &str) -> Vec<Problem> {
        let tree = Tree::default()
            .with_file("docs/guide/start.md", GUIDE)
            .with_file("src/lib.rs", "")
            .with_file("docs/index.md", &format!("# Index\n\n{link}\n"));
        check(&tree)
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for link in [
            "[a](guide/start.md)",
            "[a](guide/start.md#the-guide \"title\")",
            "[a](guide/start.md#run-hello-twice) and [b](./guide/start.md#same-1)",
            "[a](../src/lib.rs#L1)",
            "[a](/docs/guide/start.md)",
            "[a](#index)",
            "[a](https://example.com/x(y).md)",
            "[name]: <guide/start.md>",
            "[^1]: a note",
            "`[a](gone.md)`",
            "```\n[a](gone.md)\n```",
        ] {
            assert_eq!(found(link), [], "{link}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_problems() {
        for (link, says) in [
            ("[a](gone.md)", "no file"),
            ("text [a](guide/start.md) and ![b](gone.png)", "no file"),
            ("`code` [a](gone(1).md)", "gone(1).md leads to no file"),
            ("[name]: gone.md", "no file"),
            ("[a](../../x.md)", "leaves"),
            ("[a](#gone)", "no heading"),
            ("[a](guide/start.md#no-heading)", "no heading"),
            ("[a](guide/start.md#same-2)", "no heading"),
        ] {
            let problems = found(link);
            assert_eq!(problems.len(), 1, "{link}: {problems:?}");
            assert_eq!(problems[0].line, 3, "{link}");
            assert!(problems[0].message.contains(says), "{}", problems[0]);
        }
    }

    #[test]
    fn a_slug_follows_the_rule_of_github() {
        for (title, expected) in [
            ("What it is", "what-it-is"),
            ("4.3 Process placement", "43-process-placement"),
            ("A `b_c`: d & e", "a-b_c-d--e"),
            ("See [the guide](guide.md) first", "see-the-guide-first"),
        ] {
            assert_eq!(slug(title), expected);
        }
    }

    #[test]
    fn pages_of_rustdoc_are_left_to_rustdoc() {
        let tree = Tree::default().with_file("crates/a/src/docs/b.md", "[a](crate::Gone)\n");
        assert_eq!(check(&tree), []);
    }
}
