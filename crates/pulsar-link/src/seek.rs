//! Seeking the way to an actor: what a child asks the arbiter, and what it is told.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use pulsar_model::{Cause, SendError};
use pulsar_wire::{Aid, Codec, Frame, Incarnation, Kind};
use tokio::sync::oneshot;

use crate::payload;
use crate::{Link, Passed};

/// To what a way is sought.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Seeking {
    /// The process, thread or task of the actor in this place.
    Place(u32),
    /// Whoever has this name.
    Name(String),
}

/// The arbiter's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sought {
    /// The actor's place.
    pub place: u32,
    /// Its task number there; 0 is the actor that holds the place.
    pub task: u32,
    /// A direct link to its process came with the answer. If not, one is there already, or the
    /// actor is reached over the arbiter's link.
    pub has_descriptor: bool,
}

/// What a seeker waits for.
pub type SoughtReceiver = oneshot::Receiver<Result<Sought, SendError>>;

impl Seeking {
    /// What a frame of [`Kind::Seek`] asks. The task, if it says one, is in the frame's header.
    ///
    /// # Errors
    ///
    /// What is wrong with the frame.
    pub fn of(frame: &Frame) -> Result<Self, String> {
        if frame.request == 0 {
            return Err("it seeks and wants no answer".to_owned());
        }
        if frame.body.is_empty() {
            return Ok(Self::Place(frame.place));
        }
        match std::str::from_utf8(&frame.body) {
            Ok(name) => Ok(Self::Name(name.to_owned())),
            Err(_) => Err("it seeks a name that is no UTF-8".to_owned()),
        }
    }
}

impl Link {
    /// Asks the arbiter, at the other end, how an actor is reached. The number is for
    /// [`take_back`](Self::take_back), if the seeker gives up. The answer says the link first:
    /// whoever handles it enters the direct link that came with it, then gives the frame to
    /// [`reply_came`](Self::reply_came).
    ///
    /// # Errors
    ///
    /// If it was not sent.
    pub fn seek(&self, actor: Aid) -> Result<(u64, SoughtReceiver), SendError> {
        self.send_seek(Frame {
            place: actor.place(),
            task: actor.task(),
            ..Frame::new(Kind::Seek, Bytes::new())
        })
    }

    /// As [`seek`](Self::seek), for whoever has this name.
    ///
    /// # Errors
    ///
    /// If it was not sent; [`SendError::UnknownActor`] for an empty name.
    pub fn seek_name(&self, name: &str) -> Result<(u64, SoughtReceiver), SendError> {
        // An empty body would ask for a place.
        if name.is_empty() {
            return Err(SendError::UnknownActor {
                target: String::new(),
            });
        }
        let body = Bytes::copy_from_slice(name.as_bytes());
        self.send_seek(Frame::new(Kind::Seek, body))
    }

    /// Asks the arbiter for a name for this process's own task `actor`. The answer says who has it:
    /// that task, or somebody else, who had it before.
    ///
    /// # Errors
    ///
    /// If it was not sent.
    pub fn claim(&self, actor: Aid, name: &str) -> Result<(u64, SoughtReceiver), SendError> {
        self.send_seek(named(Kind::Claim, actor, name))
    }

    /// Tells a child that a name means nobody any more, or somebody else.
    pub fn send_name_gone(&self, name: &str) {
        let body = Bytes::copy_from_slice(name.as_bytes());
        self.send_system(Frame::new(Kind::NameGone, body));
    }

    /// Gives back a name that was claimed.
    pub fn release(&self, actor: Aid, name: &str) {
        self.send_system(named(Kind::Release, actor, name));
    }

    /// Tells a child the way to `actor`: by this descriptor, which leads to the process of its
    /// place in this life, or else as [`Kind::Peer`] says. `request` is that of the seek, or 0
    /// if the child has not asked.
    pub fn send_peer(&self, request: u64, actor: Aid, way: Option<(Incarnation, OwnedFd)>) {
        if way.is_some() {
            self.share_seats();
        }
        let (incarnation, descriptor) = way.unzip();
        let frame = Frame {
            request,
            place: actor.place(),
            task: actor.task(),
            incarnation,
            ..Frame::new(Kind::Peer, Bytes::new())
        };
        self.send_with_descriptors(frame, descriptor.into_iter().collect());
        self.answered(request);
    }

    /// Tells a child that the process of `host` has ended this life, and how.
    pub fn send_peer_ended(&self, host: Aid, incarnation: Incarnation, cause: &Cause) {
        let body = payload::encode(Codec::Postcard, cause).unwrap_or_default();
        self.send_system(Frame {
            place: host.place(),
            incarnation: Some(incarnation),
            ..Frame::new(Kind::PeerEnded, body)
        });
    }

    fn send_seek(&self, frame: Frame) -> Result<(u64, SoughtReceiver), SendError> {
        let (seeker, answer) = oneshot::channel();
        let request = self.pending.insert_seeker(seeker)?;
        let frame = Frame { request, ..frame };
        let pushed = self.outbox.push_ask(&frame, &Passed::default());
        match pushed {
            Ok(()) => Ok((request, answer)),
            Err(error) => {
                self.take_back(request);
                Err(self.refusal(error))
            }
        }
    }
}

fn named(kind: Kind, actor: Aid, name: &str) -> Frame {
    Frame {
        place: actor.place(),
        task: actor.task(),
        ..Frame::new(kind, Bytes::copy_from_slice(name.as_bytes()))
    }
}

/// Takes the entry of one who seeks out when it gives up.
#[derive(Debug)]
pub struct Entry {
    link: Arc<Link>,
    request: u64,
}

impl Entry {
    /// For the search of this number over this link.
    pub fn new(link: &Arc<Link>, request: u64) -> Self {
        let link = Arc::clone(link);
        Self { link, request }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.link.take_back(self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_is_for_a_place_or_for_a_name() {
        let frame = |request, body: &'static [u8]| Frame {
            request,
            place: 3,
            task: 8,
            ..Frame::new(Kind::Seek, Bytes::from_static(body))
        };
        assert_eq!(Seeking::of(&frame(1, b"")), Ok(Seeking::Place(3)));
        let name = Seeking::Name("luca".to_owned());
        assert_eq!(Seeking::of(&frame(1, b"luca")), Ok(name));
        Seeking::of(&frame(1, b"\xff")).unwrap_err();
        Seeking::of(&frame(0, b"luca")).unwrap_err();
    }
}
