//! Values on their way between actors: as they are inside one process, as bytes between two.

use std::any::Any;
use std::cell::RefCell;

use bytes::{BufMut, Bytes, BytesMut};
use postcard::ser_flavors::Flavor;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use pulsar_model::SendError;

use crate::side_table::outside;
use crate::{Body, ShortBody};

/// The codec between processes of one build.
pub const NATIVE: Codec = Codec::Postcard;

/// Arguments, a reply or a command's own error.
pub enum Payload {
    /// In this process: the value itself, moved.
    Local(Box<dyn Any + Send>),
    /// From or for another process, or from a tool.
    Wire(Codec, Body),
    /// The same where it is short.
    Short(ShortBody),
}

impl Payload {
    /// A value of this process.
    pub fn local<T: Send + 'static>(value: T) -> Self {
        Self::Local(Box::new(value))
    }

    /// The value, whichever way it came.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if it is no `T`.
    pub fn take<T: DeserializeOwned + 'static>(self) -> Result<T, SendError> {
        match self {
            Self::Local(value) => match value.downcast::<T>() {
                Ok(value) => Ok(*value),
                Err(_) => Err(SendError::codec("the value has another type than expected")),
            },
            Self::Wire(codec, body) => body.read(codec),
            Self::Short(body) => body.read(),
        }
    }

    /// The value as it travels, by its type `T` where it is still a value.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if it is no `T`, or cannot be written.
    pub fn written<T: Serialize + 'static>(&self, codec: Codec) -> Result<Body, SendError> {
        match self {
            Self::Local(value) => match value.downcast_ref::<T>() {
                Some(value) => Body::of(codec, value),
                None => Err(SendError::codec("the value has another type than expected")),
            },
            Self::Wire(_, body) => Ok(body.clone()),
            Self::Short(body) => Ok(body.to_bytes().into()),
        }
    }

    /// The value as it has been written.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if it has not.
    pub fn into_written(self) -> Result<Body, SendError> {
        match self {
            Self::Wire(_, body) => Ok(body),
            Self::Short(body) => Ok(body.to_bytes().into()),
            Self::Local(_) => Err(SendError::codec("the value was not written")),
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local(..)"),
            Self::Wire(codec, body) => write!(f, "Wire({codec:?}, {} bytes)", body.bytes.len()),
            Self::Short(body) => write!(f, "Short({} bytes)", body.bytes().len()),
        }
    }
}

/// Writes a value that is no command's, and so has nothing that is shared.
///
/// # Errors
///
/// [`SendError::Codec`] if the codec cannot.
pub fn encode<T: Serialize>(codec: Codec, value: &T) -> Result<Bytes, SendError> {
    outside(|| to_bytes(codec, value))
}

/// Reads such a value.
///
/// # Errors
///
/// [`SendError::Codec`] if the bytes are no `T`.
pub fn decode<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T, SendError> {
    outside(|| from_bytes(codec, bytes))
}

/// Writes a value behind what is there.
pub(crate) fn append<T: Serialize>(
    codec: Codec,
    value: &T,
    to: &mut Vec<u8>,
) -> Result<(), SendError> {
    match codec {
        Codec::Json => serde_json::to_writer(to, value).map_err(SendError::codec),
        _ => postcard::serialize_with_flavor(value, Appended(to)).map_err(SendError::codec),
    }
}

pub(crate) fn to_bytes<T: Serialize>(codec: Codec, value: &T) -> Result<Bytes, SendError> {
    match codec {
        Codec::Json => serde_json::to_vec(value)
            .map(Bytes::from)
            .map_err(SendError::codec),
        _ => in_chunk(value).map_err(SendError::codec),
    }
}

/// Room for some small bodies.
const CHUNK_BYTES: usize = 2 << 10;
/// A body of more has memory of its own: what keeps one that is small shall keep little else.
const SMALL_BYTES: usize = CHUNK_BYTES / 4;

thread_local! {
    /// What bodies are written into: the room behind the last of them. It is used again once they are gone, so that a small
    /// body takes no allocation.
    static CHUNK: RefCell<Option<BytesMut>> = const { RefCell::new(None) };
}

/// Writes a value behind those that this thread has written before.
fn in_chunk<T: Serialize>(value: &T) -> postcard::Result<Bytes> {
    let mut chunk = chunk();
    postcard::serialize_with_flavor(value, Appended(&mut chunk))?;
    Ok(last_of(chunk))
}

/// A copy of a small body behind those that this thread has written before; none of one that is not small.
pub(crate) fn copy_of_small(body: &[u8]) -> Option<Bytes> {
    let is_small = body.len() <= SMALL_BYTES;
    is_small.then(|| {
        let mut chunk = chunk();
        chunk.extend_from_slice(body);
        last_of(chunk)
    })
}

/// This thread's chunk, with some room. It is taken out meanwhile: a value may write others.
fn chunk() -> BytesMut {
    let chunk = CHUNK.try_with(RefCell::take).ok().flatten();
    let mut chunk = chunk.unwrap_or_else(|| BytesMut::with_capacity(CHUNK_BYTES));
    chunk.reserve(SMALL_BYTES);
    chunk
}

/// What has been written behind the others; the chunk is this thread's again.
fn last_of(mut chunk: BytesMut) -> Bytes {
    let body = chunk.split().freeze();
    if body.len() <= SMALL_BYTES {
        // Not at the end of the thread.
        drop(CHUNK.try_with(|room| room.replace(Some(chunk))));
    }
    body
}

/// Has postcard append what it writes.
struct Appended<'a, B>(&'a mut B);

impl<B: BufMut> Flavor for Appended<'_, B> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.put_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.put_u8(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

pub(crate) fn from_bytes<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T, SendError> {
    match codec {
        Codec::Json => serde_json::from_slice(bytes).map_err(SendError::codec),
        _ => postcard::from_bytes(bytes).map_err(SendError::codec),
    }
}

/// How a command went, before it is put on its way back.
#[derive(Debug)]
pub enum Outcome {
    /// It returned.
    Reply(Payload),
    /// It returned its own error.
    Failure(Payload),
    /// It did not run to its end.
    Undelivered(SendError),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes two others while it is written.
    struct Nesting(u32);

    impl Serialize for Nesting {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = [self.0, self.0 + 1].map(|number| in_chunk(&number).unwrap());
            (&inner[0][..], self.0, &inner[1][..]).serialize(serializer)
        }
    }

    #[test]
    fn bodies_that_are_written_one_after_the_other_and_within_each_other_do_not_mix() {
        let mut kept = Vec::new();
        for number in 0..1000_u32 {
            // Some are larger than the room that is left, some than all that there is.
            let text = "x".repeat(number as usize * 7 % 3000);
            kept.push((number, text.clone(), in_chunk(&(number, text)).unwrap()));
            let nested = in_chunk(&Nesting(number)).unwrap();
            let (first, own, last): (Vec<u8>, u32, Vec<u8>) =
                postcard::from_bytes(&nested).unwrap();
            let inner = [first, last].map(|inner| postcard::from_bytes::<u32>(&inner).unwrap());
            assert_eq!((inner, own), ([number, number + 1], number));
        }
        for (number, text, body) in kept {
            let read: (u32, String) = postcard::from_bytes(&body).unwrap();
            assert_eq!(read, (number, text));
        }
    }

    #[test]
    fn a_value_that_cannot_be_written_costs_the_next_nothing() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("broken"))
            }
        }
        assert!(in_chunk(&(7_u8, Broken)).is_err());
        assert_eq!(in_chunk(&(7_u8, 8_u8)).unwrap()[..], [7, 8]);
    }
}
