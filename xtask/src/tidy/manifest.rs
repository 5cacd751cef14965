//! The little of TOML that the checks read: one value, or one array of strings.

/// The value of a key in a section, as it is written. A dotted key (`edition.workspace`) is asked for as such.
pub(crate) fn value<'a>(toml: &'a str, section: &str, key: &str) -> Option<&'a str> {
    lines_of(toml, section).find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// The strings of an array, over however many lines; empty when the array is not there.
pub(crate) fn array(toml: &str, section: &str, key: &str) -> Vec<String> {
    let opens = |line: &&str| {
        line.split_once('=')
            .is_some_and(|(name, _)| name.trim() == key)
    };
    let mut lines = lines_of(toml, section).skip_while(|line| !opens(line));
    let first = lines.next().and_then(|line| line.split_once('='));
    let mut text = first.map_or_else(String::new, |(_, value)| value.to_owned());
    for line in lines {
        if text.contains(']') {
            break;
        }
        text.push_str(line);
    }
    let inside = text.split(']').next().unwrap_or_default();
    let quoted = inside.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// Whether a section is there.
pub(crate) fn has_section(toml: &str, section: &str) -> bool {
    toml.lines().any(|line| header(line) == Some(section))
}

/// The lines between a section's header and the next, without their comments.
fn lines_of<'a>(toml: &'a str, section: &str) -> impl Iterator<Item = &'a str> {
    toml.lines()
        .skip_while(move |line| header(line) != Some(section))
        .skip(1)
        .take_while(|line| header(line).is_none())
        .map(without_comment)
}

fn header(line: &str) -> Option<&str> {
    without_comment(line)
        .trim()
        .strip_prefix('[')?
        .strip_suffix(']')
        .filter(|name| !name.contains(['"', ',']))
}

fn without_comment(line: &str) -> &str {
    let mut quotes = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => quotes = !quotes,
            '#' if !quotes => return &line[..at],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "\
[package] # the package
name = \"a#b\" # its name
edition.workspace = true

[licenses]
allow = [
    \"MIT\", # \"GPL-3.0\"
    \"Apache-2.0\",
]
empty = []

[bans]
deny = [\"one\", \"two\"]
";

    #[test]
    fn a_value_is_found_in_its_section_only() {
        assert_eq!(value(TOML, "package", "name"), Some("\"a#b\""));
        assert_eq!(value(TOML, "package", "edition.workspace"), Some("true"));
        assert_eq!(value(TOML, "bans", "name"), None);
        assert_eq!(value(TOML, "missing", "name"), None);
    }

    #[test]
    fn an_array_gives_its_strings_and_not_those_of_comments() {
        assert_eq!(array(TOML, "licenses", "allow"), ["MIT", "Apache-2.0"]);
        assert_eq!(array(TOML, "bans", "deny"), ["one", "two"]);
        assert!(array(TOML, "licenses", "empty").is_empty());
        assert!(array(TOML, "bans", "allow").is_empty());
    }

    #[test]
    fn a_section_is_there_or_not() {
        assert!(has_section(TOML, "bans"));
        assert!(!has_section(TOML, "lints"));
    }
}
