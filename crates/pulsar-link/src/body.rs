//! What a message says, as it travels between processes.

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::Codec;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Passed;
use crate::payload::{from_bytes, to_bytes};
use crate::side_table::{part, pass, reading, refuse, writing};

/// A value that was written for another process: its bytes, and what is shared with that process beside them.
#[derive(Clone, Default, Debug)]
pub struct Body {
    /// The value in its codec.
    pub bytes: Bytes,
    /// The descriptors of its [`SharedBytes`](crate::SharedBytes).
    pub passed: Passed,
}

impl Body {
    /// Writes a value.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if the codec cannot.
    pub fn of<T: Serialize>(codec: Codec, value: &T) -> Result<Self, SendError> {
        let (bytes, descriptors) = writing(|| to_bytes(codec, value))?;
        Ok(Self {
            bytes,
            passed: Passed::new(descriptors),
        })
    }

    /// The same body, kept for as long as this process likes: see [`Passed::taken_over`].
    #[must_use]
    pub fn taken_over(self) -> Self {
        Self {
            passed: self.passed.taken_over(),
            ..self
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if this is no `T`, or what is shared is not what it should be.
    pub fn read<T: DeserializeOwned>(&self, codec: Codec) -> Result<T, SendError> {
        self.view().read(codec)
    }

    /// The body where it lies.
    pub fn view(&self) -> BodyView<'_> {
        BodyView {
            bytes: &self.bytes,
            passed: Some(&self.passed),
        }
    }
}

/// A [`Body`] where it lies.
#[derive(Clone, Copy, Debug)]
pub struct BodyView<'a> {
    bytes: &'a [u8],
    passed: Option<&'a Passed>,
}

impl<'a> BodyView<'a> {
    /// One with which nothing has come.
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        let passed = None;
        Self { bytes, passed }
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// As [`Body::read`].
    ///
    /// # Errors
    ///
    /// As that.
    pub fn read<T: DeserializeOwned>(self, codec: Codec) -> Result<T, SendError> {
        reading(self.passed, || from_bytes(codec, self.bytes))
    }
}

/// How a body stands in another one, as the arguments of a hook do in a spawn: its bytes, and the places of its
/// descriptors among those of the whole.
type Nested = (Vec<u8>, Vec<u8>);

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = self.passed.all().iter().map(pass);
        let places = places.collect::<Result<Vec<u8>, _>>();
        let places = places.map_err(|problem| refuse(problem, S::Error::custom))?;
        (&self.bytes[..], places).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (bytes, places) = Nested::deserialize(deserializer)?;
        let passed = part(&places).map_err(|problem| refuse(problem, D::Error::custom))?;
        let bytes = bytes.into();
        Ok(Self { bytes, passed })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            passed: Passed::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{SharedBytes, payload};

    fn shared(bytes: &[u8]) -> SharedBytes {
        SharedBytes::copy_from(bytes).unwrap()
    }

    #[test]
    fn shared_bytes_stand_anywhere_in_a_value_and_not_in_its_bytes() {
        let long = shared(&vec![7; 1 << 20]);
        let value = (
            vec![Some(long.clone()), None, Some(SharedBytes::default())],
            BTreeMap::from([
                ("short".to_owned(), shared(b"short")),
                ("long".to_owned(), long),
            ]),
        );
        let body = Body::of(Codec::Postcard, &value).unwrap();
        assert!(body.bytes.len() < 64, "{body:?}");
        assert_eq!(body.passed.count(), 2);
        let read: (Vec<Option<SharedBytes>>, BTreeMap<String, SharedBytes>) =
            body.read(Codec::Postcard).unwrap();
        assert_eq!(read, value);
        assert_eq!(
            read.0[0].as_ref().unwrap().as_ptr(),
            read.1["long"].as_ptr()
        );
    }

    #[test]
    fn shared_bytes_outside_of_a_frame_and_as_text_are_errors_that_say_so() {
        let value = shared(b"x");
        let error = payload::encode(Codec::Postcard, &value).unwrap_err();
        assert!(
            error.to_string().contains("a command's arguments"),
            "{error}"
        );
        let error = Body::of(Codec::Json, &value).unwrap_err();
        assert!(error.to_string().contains("as text"), "{error}");
        let body = Body::of(Codec::Postcard, &value).unwrap();
        let read = payload::decode::<SharedBytes>(Codec::Postcard, &body.bytes);
        assert!(matches!(read, Err(SendError::Codec { .. })), "{read:?}");
        let read = Body::from(Bytes::from_static(b"[0,5]")).read::<SharedBytes>(Codec::Json);
        let error = read.unwrap_err();
        assert!(error.to_string().contains("as text"), "{error}");
    }

    #[test]
    fn a_body_within_another_keeps_its_shared_bytes() {
        let (one, other) = (shared(b"one"), shared(b"other"));
        let inner = Body::of(Codec::Postcard, &(other.clone(), one.clone())).unwrap();
        let outer = Body::of(Codec::Postcard, &(one.clone(), inner, Body::default())).unwrap();
        assert_eq!(outer.passed.count(), 2);
        let (first, inner, empty): (SharedBytes, Body, Body) = outer.read(Codec::Postcard).unwrap();
        assert_eq!(first, one);
        assert!(empty.bytes.is_empty() && empty.passed.is_empty());
        let read: (SharedBytes, SharedBytes) = inner.read(Codec::Postcard).unwrap();
        assert_eq!(read, (other, one));
        payload::encode(Codec::Postcard, &inner).unwrap_err();
        payload::encode(Codec::Postcard, &empty).unwrap();
    }

    #[test]
    fn what_a_value_of_another_type_does_not_take_is_closed() {
        let value = shared(b"closed");
        let body = Body::of(Codec::Postcard, &(3_u8, value.clone())).unwrap();
        assert_eq!(body.read::<u8>(Codec::Postcard).unwrap(), 3);
        let descriptor = std::sync::Arc::downgrade(&body.passed.all()[0]);
        drop((body, value));
        assert!(descriptor.upgrade().is_none());
    }
}
