//! What a program knows of a command of its own, and what a tool gives for its arguments: checked against that, so that
//! what is wrong is said by the argument's name.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::{ArgInfo, CommandInfo, SendError};

/// A command's name and types, as they are written in its program.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The function's name.
    pub name: &'static str,
    /// The function's documentation.
    pub doc: &'static str,
    /// Name and type of each argument, as written.
    pub args: &'static [(&'static str, &'static str)],
    /// The type of the reply, as written.
    pub reply: &'static str,
}

impl Signature {
    /// What tools show of it.
    pub fn info(&self) -> CommandInfo {
        let arg = |(name, type_name): &(&str, &str)| ArgInfo {
            name: (*name).to_owned(),
            type_name: (*type_name).to_owned(),
        };
        CommandInfo {
            name: self.name.to_owned(),
            args: self.args.iter().map(arg).collect(),
            reply: self.reply.to_owned(),
            doc: self.doc.to_owned(),
        }
    }

    /// Reads the arguments from a JSON array with one element for each.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] that names the argument, its type, and what is wrong with its value; or
    /// says that their number is not the command's.
    pub fn read_json<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, SendError> {
        let args: Vec<Value> = serde_json::from_slice(bytes).map_err(SendError::codec)?;
        let (given, taken) = (args.len(), self.args.len());
        if given != taken {
            let signature = self.info();
            return Err(SendError::codec(format!(
                "{signature} takes {taken} arguments, and {given} were given"
            )));
        }
        let args = match args.is_empty() {
            // serde reads `()` from null, not from an empty array.
            true => Value::Null,
            false => Value::Array(args),
        };
        serde_path_to_error::deserialize(args).map_err(|error| {
            let problem = error.inner();
            SendError::codec(match self.argument_at(error.path()) {
                Some((name, type_name)) => {
                    format!("argument `{name}: {type_name}` of {}: {problem}", self.name)
                }
                None => format!("arguments of {}: {problem}", self.info()),
            })
        })
    }

    /// The argument in which a problem lies: the first step of the path is its place.
    fn argument_at(&self, path: &Path) -> Option<(&'static str, &'static str)> {
        match path.iter().next()? {
            Segment::Seq { index } => self.args.get(*index).copied(),
            _ => None,
        }
    }
}
