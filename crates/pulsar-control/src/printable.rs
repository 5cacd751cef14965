//! Text that a terminal shows and does not obey.

use std::borrow::Cow;

/// `text` with each control character (C0, DEL, C1) replaced by a visible escape such as `\u{1b}` or `\n`.
///
/// Names and messages come from other processes; on a terminal they must not move the cursor, change colours
/// or break a line. Text without control characters is borrowed.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(
            printable("a\u{1b}[31mb\n\u{7f}\u{9b}2J"),
            "a\\u{1b}[31mb\\n\\u{7f}\\u{9b}2J"
        );
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(printable("héllo ✓"), Cow::Borrowed("héllo ✓")));
    }
}
