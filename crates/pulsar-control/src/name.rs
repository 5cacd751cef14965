//! The name of an instance.

use std::fmt;
use std::str::FromStr;

use crate::printable;

/// What a running arbiter is called among those of its user.
///
/// 1 to 64 characters of `A-Z a-z 0-9 . _ -`, the first not a dot: always one plain component of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

impl InstanceName {
    /// The most characters a name may have. It leaves room for the folder in the path of a socket.
    pub const MAX_LENGTH: usize = 64;

    /// Checks `name`.
    ///
    /// # Errors
    ///
    /// [`NameError`] if it is empty, too long, begins with a dot or holds another character.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        let length = name.chars().count();
        if !(1..=Self::MAX_LENGTH).contains(&length) {
            return Err(NameError::Length {
                name: shown(&name),
                length,
            });
        }
        if name.starts_with('.') {
            return Err(NameError::LeadingDot { name });
        }
        match name.chars().find(|&character| !is_allowed(character)) {
            Some(character) => Err(NameError::Character {
                name: shown(&name),
                character,
            }),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for InstanceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be the name of an instance. The message is one line and begins with `--name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty or too long.
    #[error(
        "--name {name}: a name has 1 to {} characters, this one has {length}",
        InstanceName::MAX_LENGTH
    )]
    Length {
        /// The beginning of the text.
        name: String,
        /// Its length, in characters.
        length: usize,
    },
    /// It begins with a dot.
    #[error("--name {}: a name may not begin with a dot", printable(.name))]
    LeadingDot {
        /// The text.
        name: String,
    },
    /// It holds a character that is not allowed.
    #[error(
        "--name {name}: {character:?} may not be in a name, only letters, digits, dot, underscore and hyphen"
    )]
    Character {
        /// The text, made safe for a terminal.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

const fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// As much of a refused name as a message needs.
fn shown(name: &str) -> String {
    let start: String = name.chars().take(InstanceName::MAX_LENGTH).collect();
    printable(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_of_up_to_64_characters_are_taken() {
        for name in ["a", "hello", "my-app_2.1", "-", &"x".repeat(64)] {
            assert_eq!(InstanceName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "a b",
            "a\0b",
            "é",
            &"x".repeat(65),
        ] {
            assert!(InstanceName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_message_is_one_line_that_begins_with_the_setting() {
        for name in ["", ".x\n", "a\nb\u{1b}[2J", &"\n".repeat(100)] {
            let message = InstanceName::new(name).unwrap_err().to_string();
            assert!(message.starts_with("--name "), "{message}");
            assert!(!message.chars().any(char::is_control), "{message:?}");
        }
    }
}
