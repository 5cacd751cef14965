//! Frames that are put together where their values are written.

use std::cell::Cell;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use pulsar_model::SendError;
use pulsar_wire::{Codec, FrameError, HEADER_BYTES, Header, MAX_FRAME_BYTES};
use serde::Serialize;

use crate::payload::append;
use crate::side_table::writing;
use crate::{Body, Passed};

/// A thread's room for drafts is given back if one has made it larger than this.
const KEEP_BYTES: usize = 4 << 10;

thread_local! {
    /// What the last draft of this thread was written into.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The body of a frame that is being written, behind the room for its header: so that it can leave as it stands. In the
/// steady state it takes no allocation.
#[derive(Debug)]
pub struct Draft {
    codec: Codec,
    /// A header of zeros, and the body.
    bytes: Vec<u8>,
    /// Where the values begin: behind the header, or the name.
    values_at: usize,
    passed: Vec<Arc<OwnedFd>>,
}

impl Draft {
    /// An empty body, whose values are written in `codec`.
    #[inline]
    pub fn new(codec: Codec) -> Self {
        // Taken out meanwhile: a value that is written may write others.
        let mut bytes = ROOM.try_with(Cell::take).unwrap_or_default();
        bytes.clear();
        bytes.resize(HEADER_BYTES, 0);
        Self {
            codec,
            bytes,
            values_at: HEADER_BYTES,
            passed: Vec::new(),
        }
    }

    /// The same behind a command's [name](pulsar_wire::CommandBody::lead).
    #[inline]
    pub fn of_command(lead: &[u8], codec: Codec) -> Self {
        let mut draft = Self::new(codec);
        draft.bytes.extend_from_slice(lead);
        draft.values_at += lead.len();
        draft
    }

    /// Writes a value behind what is there. After an error what is there is good for nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`] if it cannot be written.
    pub fn write<T: Serialize>(&mut self, value: &T) -> Result<(), SendError> {
        let (codec, bytes) = (self.codec, &mut self.bytes);
        let ((), descriptors) = writing(|| append(codec, value, bytes))?;
        self.passed.extend(descriptors);
        Ok(())
    }

    /// What has been written.
    pub fn into_body(self) -> Body {
        self.into_body_from(HEADER_BYTES)
    }

    /// The same without the command's name.
    pub fn into_args(self) -> Body {
        let values_at = self.values_at;
        self.into_body_from(values_at)
    }

    fn into_body_from(mut self, at: usize) -> Body {
        let bytes = Bytes::from(mem::take(&mut self.bytes));
        Body {
            bytes: bytes.slice(at..),
            passed: Passed::new(mem::take(&mut self.passed)),
        }
    }

    /// How its values are written.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// True if nothing goes with it but its bytes.
    pub(crate) fn is_plain(&self) -> bool {
        self.passed.is_empty()
    }

    /// The frame, with this header.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLarge`].
    #[inline]
    pub(crate) fn frame(&mut self, header: &Header) -> Result<&[u8], FrameError> {
        let header = header.encode(0, self.bytes.len(), MAX_FRAME_BYTES)?;
        if let Some(room) = self.bytes.first_chunk_mut() {
            *room = header;
        }
        Ok(&self.bytes)
    }
}

impl Drop for Draft {
    #[inline]
    fn drop(&mut self) {
        if self.bytes.capacity() <= KEEP_BYTES {
            // Not at the end of the thread.
            let _ = ROOM.try_with(|room| room.set(mem::take(&mut self.bytes)));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use pulsar_wire::{FrameDecoder, Kind};

    use super::*;
    use crate::SharedBytes;

    #[test]
    fn a_draft_is_the_frame_that_its_parts_are() {
        let header = Header {
            kind: Kind::Ask,
            request: 7,
            place: 8,
            task: 9,
            ..Header::new(Kind::Ask)
        };
        for len in [0_usize, 1, 100, 10_000] {
            let mut draft = Draft::of_command(b"\x02\0go", Codec::Postcard);
            draft.write(&vec![5_u8; len]).unwrap();
            // One within the other has room of its own.
            let mut other = Draft::new(Codec::Json);
            other.write(&"other").unwrap();
            assert_eq!(other.into_body().bytes, "\"other\"");
            let mut bytes = BytesMut::from(draft.frame(&header).unwrap());
            let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
            let frame = decoder.decode(&mut bytes).unwrap().unwrap();
            assert!(bytes.is_empty());
            assert_eq!(Header::of(&frame), header);
            assert_eq!(&frame.body[..4], b"\x02\0go");
            let read: Vec<u8> = postcard::from_bytes(&frame.body[4..]).unwrap();
            assert_eq!(read, vec![5; len]);
            assert_eq!(draft.into_body().bytes, frame.body);
        }
    }

    #[test]
    fn one_that_is_too_large_is_no_frame() {
        let mut draft = Draft::new(Codec::Postcard);
        draft.write(&vec![0_u8; MAX_FRAME_BYTES]).unwrap();
        let refused = draft.frame(&Header::new(Kind::Reply)).unwrap_err();
        assert!(matches!(refused, FrameError::TooLarge { .. }));
    }

    #[test]
    fn what_is_passed_goes_with_the_body() {
        let mut draft = Draft::new(Codec::Postcard);
        draft.write(&1_u8).unwrap();
        assert!(draft.is_plain());
        let mut named = Draft::of_command(b"\x02\0go", Codec::Postcard);
        named.write(&7_u8).unwrap();
        assert_eq!(named.into_args().bytes[..], [7]);
        let shared = SharedBytes::copy_from(b"shared").unwrap();
        draft.write(&shared).unwrap();
        assert!(!draft.is_plain());
        let (one, read): (u8, SharedBytes) = draft.into_body().read(Codec::Postcard).unwrap();
        assert_eq!((one, read), (1, shared));
    }
}
