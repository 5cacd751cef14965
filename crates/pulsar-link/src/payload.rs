//! Values on their way between actors: as they are inside one process, as bytes between two.

use std::any::Any;

use bytes::Bytes;
use pulsar_wire::Codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use pulsar_model::SendError;

/// The codec between processes of one build.
pub const NATIVE: Codec = Codec::Postcard;

/// Arguments, a reply or a command's own error.
pub enum Payload {
    /// In this process: the value itself, moved.
    Local(Box<dyn Any + Send>),
    /// From or for another process, or from a tool.
    Wire(Codec, Bytes),
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
            Self::Wire(codec, bytes) => decode(codec, &bytes),
        }
    }

    /// The value's bytes, by its type `T` where it is still a value.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if it is no `T`, or cannot be written.
    pub fn written<T: Serialize + 'static>(&self, codec: Codec) -> Result<Bytes, SendError> {
        match self {
            Self::Local(value) => match value.downcast_ref::<T>() {
                Some(value) => encode(codec, value),
                None => Err(SendError::codec("the value has another type than expected")),
            },
            Self::Wire(_, bytes) => Ok(bytes.clone()),
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local(..)"),
            Self::Wire(codec, bytes) => write!(f, "Wire({codec:?}, {} bytes)", bytes.len()),
        }
    }
}

/// Writes a value.
///
/// # Errors
///
/// [`SendError::Codec`] if the codec cannot.
pub fn encode<T: Serialize>(codec: Codec, value: &T) -> Result<Bytes, SendError> {
    match codec {
        Codec::Json => serde_json::to_vec(value).map_err(SendError::codec),
        _ => postcard::to_stdvec(value).map_err(SendError::codec),
    }
    .map(Bytes::from)
}

/// Reads a value.
///
/// # Errors
///
/// [`SendError::Codec`] if the bytes are no `T`.
pub fn decode<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T, SendError> {
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
