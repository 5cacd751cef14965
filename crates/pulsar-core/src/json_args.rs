//! Arguments that a tool gave as JSON: checked against the command's signature, so that what is
//! wrong is said by the argument's name.

use pulsar_link::payload::{self, Payload};
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::SendError;
use crate::command::CommandDef;

/// The arguments as the wire has them: an array, one element each.
///
/// # Errors
///
/// [`SendError::Codec`] if their number is not the command's.
pub(crate) fn json_args(command: &CommandDef, args: Vec<Value>) -> Result<Payload, SendError> {
    let (given, taken) = (args.len(), command.args.len());
    if given != taken {
        let signature = command.info();
        return Err(SendError::codec(format!(
            "{signature} takes {taken} arguments, and {given} were given"
        )));
    }
    let args = match args.is_empty() {
        // serde writes `()` as null, not as an empty array.
        true => Value::Null,
        false => Value::Array(args),
    };
    let bytes = payload::encode(Codec::Json, &args)?;
    Ok(Payload::Wire(Codec::Json, bytes))
}

/// Reads the arguments of `command`.
///
/// # Errors
///
/// [`SendError::Codec`] that names the argument, its type, and what is wrong with its value.
pub(crate) fn read_json_args<T: DeserializeOwned>(
    command: &CommandDef,
    bytes: &[u8],
) -> Result<T, SendError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
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
fn argument_at(command: &CommandDef, path: &Path) -> Option<(&'static str, &'static str)> {
    match path.iter().next()? {
        Segment::Seq { index } => command.args.get(*index).copied(),
        _ => None,
    }
}
