//! The body of an ask or a tell.

use bytes::{BufMut, Bytes, BytesMut};

/// A command's name and its arguments. Whom it is for, the frame's header says.
///
/// Layout: length of the name (2 bytes, little endian), the name, then the arguments in the
/// frame's codec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandBody<'a> {
    /// The command.
    pub command: &'a str,
    /// The arguments.
    pub args: Bytes,
}

impl<'a> CommandBody<'a> {
    /// The bytes of the body.
    ///
    /// # Errors
    ///
    /// [`CommandBodyError`] if the name is over 65,535 bytes.
    pub fn encode(command: &str, args: &[u8]) -> Result<Bytes, CommandBodyError> {
        let mut out = BytesMut::with_capacity(2 + command.len() + args.len());
        put_name(&mut out, command)?;
        out.put_slice(args);
        Ok(out.freeze())
    }

    /// What stands before the arguments: the [`lead`](crate::Frame::lead) of a frame of which those are the body.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn lead(command: &str) -> Result<Bytes, CommandBodyError> {
        let mut out = BytesMut::with_capacity(2 + command.len());
        put_name(&mut out, command)?;
        Ok(out.freeze())
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`CommandBodyError`] if it ends within the name or the name is no UTF-8.
    pub fn decode(body: &'a Bytes) -> Result<Self, CommandBodyError> {
        let (command, args) = Self::split(body).ok_or(CommandBodyError)?;
        Ok(Self {
            command: str::from_utf8(command).map_err(|_| CommandBodyError)?,
            args: body.slice(body.len() - args.len()..),
        })
    }

    /// The bytes of the name and those of the arguments; `None` if the body ends within the name.
    pub fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = body.split_first_chunk()?;
        rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
    }
}

fn put_name(out: &mut BytesMut, name: &str) -> Result<(), CommandBodyError> {
    let length = u16::try_from(name.len()).map_err(|_| CommandBodyError)?;
    out.put_u16_le(length);
    out.put_slice(name.as_bytes());
    Ok(())
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
        fn a_command_survives_the_wire(command: String, args: Vec<u8>) {
            let body = CommandBody::encode(&command, &args).unwrap();
            let read = CommandBody::decode(&body).unwrap();
            prop_assert_eq!(read.command, command);
            prop_assert_eq!(read.args, args);
        }

        #[test]
        fn garbage_is_read_without_a_panic(bytes: Vec<u8>) {
            let _ = CommandBody::decode(&bytes.into());
        }
    }

    #[test]
    fn a_name_that_its_length_cannot_tell_is_refused() {
        let longest = "x".repeat(usize::from(u16::MAX));
        assert!(CommandBody::encode(&longest, b"").is_ok());
        let longer = longest + "x";
        assert_eq!(CommandBody::encode(&longer, b""), Err(CommandBodyError));
    }
}
