//! What a process reads from the link that it is born on, before there is a loop.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pulsar_sys::descriptors::recv_with_descriptors;
use pulsar_wire::{
    BootRecord, FieldsError, Frame, FrameDecoder, FrameError, Kind, MAX_FRAME_BYTES,
};

use crate::Begun;

/// The boot record is there before the child is, and the word to go on soon after: what takes longer than this never comes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The room for one read of the boot record.
const PIECE_BYTES: usize = 4 << 10;
/// The room for a read of what follows it.
const NEXT_BYTES: usize = 512;

/// The boot record, and what came with it and behind it.
#[derive(Debug)]
pub struct Opening {
    /// The record.
    pub record: BootRecord,
    /// The descriptors that it names.
    pub named: Vec<OwnedFd>,
    /// Those of what is shared with the behaviour.
    pub shared: Vec<OwnedFd>,
    /// The beginning of what follows: the arbiter may already send to this actor.
    pub rest: Begun,
}

/// Why a process cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The link ended early.
    #[error("the arbiter has gone before this process could begin")]
    Ended,
    /// The system's.
    #[error("failed to read the boot record")]
    Io(#[from] io::Error),
    /// What came is no frame.
    #[error("the boot record is no frame")]
    Frame(#[from] FrameError),
    /// The first frame is another one.
    #[error("the first frame is no boot record")]
    Other,
    /// The record cannot be read.
    #[error("the boot record cannot be read")]
    Record(#[from] FieldsError),
    /// It names more than came.
    #[error("the boot record came without its descriptors")]
    Descriptors,
}

impl Opening {
    /// Reads the boot record and the descriptors that come with it, over a stream that blocks: for 30 s at most for each read,
    /// here and later. `None` if the link ends before: the process was made for a spawn that has come to nothing.
    ///
    /// # Errors
    ///
    /// [`OpeningError`].
    pub fn receive(link: &UnixStream) -> Result<Option<Self>, OpeningError> {
        link.set_read_timeout(Some(TIMEOUT))?;
        let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let mut rest = Begun::default();
        let frame = loop {
            // Most records fit at once. Of a larger one each piece costs a call; more room would cost each child its pages.
            let read = read(link, PIECE_BYTES, &mut rest)?;
            if rest.bytes.is_empty() {
                return Ok(None);
            }
            if read == 0 {
                return Err(OpeningError::Ended);
            }
            if let Some(frame) = decoder.decode(&mut rest.bytes)? {
                break frame;
            }
        };
        Self::by(frame, rest).map(Some)
    }

    fn by(frame: Frame, mut rest: Begun) -> Result<Self, OpeningError> {
        if frame.kind != Kind::Boot {
            return Err(OpeningError::Other);
        }
        let record = BootRecord::decode(frame.body)?;
        let (all, count) = (usize::from(frame.descriptors), record.descriptors.len());
        if all > rest.descriptors.len() || count > all {
            return Err(OpeningError::Descriptors);
        }
        // The others belong to frames behind it.
        let behind = rest.descriptors.split_off(all);
        let shared = rest.descriptors.split_off(count);
        let named = std::mem::replace(&mut rest.descriptors, behind);
        Ok(Self {
            record,
            named,
            shared,
            rest,
        })
    }

    /// Takes the byte behind the boot record, and waits for it.
    ///
    /// # Errors
    ///
    /// [`OpeningError`].
    pub fn next_byte(&mut self, link: &UnixStream) -> Result<u8, OpeningError> {
        if self.rest.bytes.is_empty() && read(link, NEXT_BYTES, &mut self.rest)? == 0 {
            return Err(OpeningError::Ended);
        }
        Ok(self.rest.bytes.get_u8())
    }
}

/// Reads some bytes, none at the end, and the descriptors that come with them; counts reads that have lost some.
fn read(link: &UnixStream, room: usize, into: &mut Begun) -> io::Result<usize> {
    let bytes: &mut BytesMut = &mut into.bytes;
    let begun = bytes.len();
    bytes.resize(begun + room, 0);
    let received = recv_with_descriptors(link, &mut bytes[begun..], &mut into.descriptors);
    let read = received.as_ref().map_or(0, |received| received.bytes);
    bytes.truncate(begun + read);
    into.lost += usize::from(received?.lost_descriptors);
    Ok(read)
}
