//! Arguments that a tool gave as JSON: checked against the command's signature, so that what is
//! wrong is said by the argument's name.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::SendError;
use crate::command::Signature;

/// Reads the arguments of a command from an array with one element for each.
///
/// # Errors
///
/// [`SendError::Codec`] that names the argument, its type, and what is wrong with its value; or
/// says that their number is not the command's.
pub(crate) fn read_json_args<T: DeserializeOwned>(
    command: &Signature,
    bytes: &[u8],
) -> Result<T, SendError> {
    let args: Vec<Value> = serde_json::from_slice(bytes).map_err(SendError::codec)?;
    let (given, taken) = (args.len(), command.args.len());
    if given != taken {
        let signature = command.info();
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
        SendError::codec(match argument_at(command, error.path()) {
            Some((name, type_name)) => {
                format!(
                    "argument `{name}: {type_name}` of {}: {problem}",
                    command.name
                )
            }
            None => format!("arguments of {}: {problem}", command.info()),
        })
    })
}

/// The argument in which a problem lies: the first step of the path is its place.
fn argument_at(command: &Signature, path: &Path) -> Option<(&'static str, &'static str)> {
    match path.iter().next()? {
        Segment::Seq { index } => command.args.get(*index).copied(),
        _ => None,
    }
}
