//! Writes to stdout. Failures are returned, so that a closed pipe does not panic.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::Value;

/// Writes `text` and a newline.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Writes `value` in one line.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    text(&safe(&value.to_string()))
}

/// Writes `value` in as many lines as it needs.
pub(crate) fn pretty(value: &Value) -> io::Result<()> {
    text(&safe(&format!("{value:#}")))
}

/// JSON text without raw control characters beyond ASCII's first 32, which JSON itself escapes. Such a
/// character can only be within a string, where its escape means the same.
pub(crate) fn safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, '\u{7f}'..='\u{9f}') {
            // Writing to a string does not fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn safe_json_means_the_same_and_has_no_control_characters() {
        let value = json!({"a\u{9b}": "\u{1b}[2J\u{7f}é✓\n"});
        let text = safe(&value.to_string());
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
