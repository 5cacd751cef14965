//! Values on their way between actors: as they are inside one process, as bytes between two.

use std::any::Any;

use bytes::Bytes;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use pulsar_model::SendError;

use crate::Body;
use crate::side_table::outside;

/// The codec between processes of one build.
pub const NATIVE: Codec = Codec::Postcard;

/// Arguments, a reply or a command's own error.
pub enum Payload {
    /// In this process: the value itself, moved.
    Local(Box<dyn Any + Send>),
    /// From or for another process, or from a tool.
    Wire(Codec, Body),
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
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local(..)"),
            Self::Wire(codec, body) => write!(f, "Wire({codec:?}, {} bytes)", body.bytes.len()),
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

pub(crate) fn to_bytes<T: Serialize>(codec: Codec, value: &T) -> Result<Bytes, SendError> {
    match codec {
        Codec::Json => serde_json::to_vec(value).map_err(SendError::codec),
        _ => postcard::to_stdvec(value).map_err(SendError::codec),
    }
    .map(Bytes::from)
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
