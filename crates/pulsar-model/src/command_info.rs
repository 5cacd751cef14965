//! A command, as tools show it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A command of an actor: its name, what it takes, what it gives, and its documentation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CommandInfo {
    /// Its name.
    pub name: String,
    /// Its arguments, in their order.
    pub args: Vec<ArgInfo>,
    /// The type of its reply, as written in the program.
    pub reply: String,
    /// Its documentation; empty if it has none.
    pub doc: String,
}

/// An argument of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArgInfo {
    /// Its name.
    pub name: String,
    /// Its type, as written in the program.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// The signature: `add(a: u64, b: u64) -> u64`.
impl fmt::Display for CommandInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args.iter().map(ToString::to_string);
        let args = args.collect::<Vec<_>>().join(", ");
        write!(f, "{}({args}) -> {}", self.name, self.reply)
    }
}

/// `a: u64`.
impl fmt::Display for ArgInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.type_name)
    }
}
