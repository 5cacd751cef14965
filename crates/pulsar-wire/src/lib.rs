//! What Pulsar processes say to each other, as bytes: frames, the hello, the boot record and
//! the identities that they carry.
//!
//! Nothing here does I/O and nothing here waits: bytes go in, values come out, and input from
//! a hostile peer is an error, never a panic.
//!
//! # Layout
//!
//! * [`Frame`]: the unit of traffic on a link: a fixed header, room for a trace, a body.
//! * [`Aid`]: the identity of an actor: a place, not a life.
//! * [`CommandBody`]: the body of an ask: the command and its arguments.
//! * [`Hello`]: what a new process says first: version, build, identity.
//! * [`BootRecord`]: everything that a child is told about the world it lives in.
//! * [`fields`]: the tagged encoding of the last two, to which fields can be added.
//!
//! # Example
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use pulsar_wire::{Frame, FrameDecoder, Kind, MAX_FRAME_BYTES};
//!
//! let mut stream = BytesMut::new();
//! Frame::new(Kind::Ask, Bytes::from_static(b"ping")).encode(&mut stream, MAX_FRAME_BYTES)?;
//! let frame = FrameDecoder::new(MAX_FRAME_BYTES).decode(&mut stream)?.expect("a whole frame");
//! assert_eq!(frame.body, "ping");
//! # Ok::<(), pulsar_wire::FrameError>(())
//! ```
#![forbid(unsafe_code)]

mod aid;
mod boot;
mod command;
pub mod fields;
mod frame;
mod hello;

pub use aid::{Aid, ArbiterId, Incarnation, ParseAidError};
pub use boot::{BootRecord, DescriptorName};
pub use command::{CommandBody, CommandBodyError};
pub use fields::FieldsError;
pub use frame::{
    Codec, DESCRIPTORS_AT, DESCRIPTORS_LOST, Frame, FrameDecoder, FrameError, FrameView,
    HEADER_BYTES, Header, Kind, MAX_FRAME_BYTES,
};
pub use hello::{Hello, HelloError, PROTOCOL_VERSION};
