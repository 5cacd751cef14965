//! The body of an ask or a tell.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A command's name and arguments, and the name of its target where the sender knows no place.
///
/// Layout: length of the command's name (2 bytes, little endian), the name, length of the
/// target's name (2 bytes), that name, then the arguments in the frame's codec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandBody {
    /// The command.
    pub command: String,
    /// The target's name; empty where the frame's header says the target.
    pub target: String,
    /// The arguments.
    pub args: Bytes,
}

impl CommandBody {
    /// The bytes of the body.
    ///
    /// # Errors
    ///
    /// [`CommandBodyError`] if a name is over 65,535 bytes.
    pub fn encode(command: &str, target: &str, args: &[u8]) -> Result<Bytes, CommandBodyError> {
        let mut out = BytesMut::with_capacity(4 + command.len() + target.len() + args.len());
        for name in [command, target] {
            out.put_u16_le(u16::try_from(name.len()).map_err(|_| CommandBodyError)?);
            out.put_slice(name.as_bytes());
        }
        out.put_slice(args);
        Ok(out.freeze())
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`CommandBodyError`] if it ends within a name or a name is no UTF-8.
    pub fn decode(mut body: Bytes) -> Result<Self, CommandBodyError> {
        let command = take_name(&mut body)?;
        let target = take_name(&mut body)?;
        Ok(Self {
            command,
            target,
            args: body,
        })
    }
}

fn take_name(body: &mut Bytes) -> Result<String, CommandBodyError> {
    if body.remaining() < 2 {
        return Err(CommandBodyError);
    }
    let length = usize::from(body.get_u16_le());
    if body.remaining() < length {
        return Err(CommandBodyError);
    }
    let name = body.split_to(length);
    String::from_utf8(name.into()).map_err(|_| CommandBodyError)
}

/// Bytes that are no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("command's body is malformed")]
pub struct CommandBodyError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_command_survives_the_wire(command: String, target: String, args: Vec<u8>) {
            let body = CommandBody::encode(&command, &target, &args).unwrap();
            let expected = CommandBody { command, target, args: args.into() };
            prop_assert_eq!(CommandBody::decode(body), Ok(expected));
        }

        #[test]
        fn garbage_is_read_without_a_panic(bytes: Vec<u8>) {
            let _ = CommandBody::decode(bytes.into());
        }
    }
}
