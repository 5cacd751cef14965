//! Short bodies, as most replies have.

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;

use crate::BodyView;

/// The longest. With its codec and its length it has the size of a body that is elsewhere.
const MOST_BYTES: usize = 38;

/// A body without descriptors that is moved as it is, and takes no memory of its own.
#[derive(Clone, Copy)]
// The bytes first and aligned, so that they are moved in as few pieces as can be, each within one of those that were stored.
#[repr(C, align(8))]
pub struct ShortBody {
    bytes: [u8; MOST_BYTES],
    codec: Codec,
    len: u8,
}

impl ShortBody {
    /// A copy of these bytes, if they are few.
    pub(crate) fn of(codec: Codec, body: &[u8]) -> Option<Self> {
        let mut bytes = [0; MOST_BYTES];
        bytes.get_mut(..body.len())?.copy_from_slice(body);
        let len = u8::try_from(body.len()).ok()?;
        Some(Self { bytes, codec, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The same, in memory of their own.
    pub(crate) fn to_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self.bytes())
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, SendError> {
        BodyView::of_bytes(self.bytes()).read(self.codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_kept_and_nothing_else() {
        let body = [7; MOST_BYTES + 1];
        for len in [0, 1, MOST_BYTES] {
            let short = ShortBody::of(Codec::Postcard, &body[..len]).unwrap();
            assert_eq!(short.bytes(), &body[..len]);
            assert_eq!(short.to_bytes(), &body[..len]);
        }
        assert!(ShortBody::of(Codec::Postcard, &body).is_none());
        let text = ShortBody::of(Codec::Json, b"\"text\"").unwrap();
        assert_eq!(text.read::<String>().unwrap(), "text");
        assert!(text.read::<u8>().is_err());
    }
}
