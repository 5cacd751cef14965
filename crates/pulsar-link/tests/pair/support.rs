//! Two ends of a link, and what comes out of them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use pulsar_link::{AskBody, Begun, CloseReason, Link, LinkHandler, RingSettings, open_seats, pump};
use pulsar_wire::{Aid, ArbiterId, Codec, CommandBody, Frame, Incarnation, Kind};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) fn host(place: u32) -> Aid {
    Aid::new(ArbiterId::from_entropy(1), place)
}

/// A command for the actor in `place`; its argument is `number`.
pub(crate) fn message(place: u32, number: u32) -> AskBody {
    let args = number.to_le_bytes();
    AskBody::new(host(place), "count", Codec::Postcard, &args, None).unwrap()
}

/// The argument of [`message`].
pub(crate) fn number(frame: &Frame) -> u32 {
    let body = CommandBody::decode(&frame.body).unwrap();
    u32::from_le_bytes(body.args[..].try_into().unwrap())
}

/// A command that came, on which link, and with which descriptors.
pub(crate) struct Came {
    pub(crate) link: Arc<Link>,
    pub(crate) frame: Frame,
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl Came {
    /// Answers an ask with its own argument.
    pub(crate) fn echo(&self) {
        let answer = Ok((Kind::Reply, self.frame.body.clone().into()));
        self.link
            .answer(self.frame.request, Codec::Postcard, answer);
    }

    /// Takes in what cost a credit.
    pub(crate) fn take_in(&self) {
        self.link.took_in(self.frame.place, self.frame.task, 1);
    }
}

/// A process's handler in small: hands commands on and does the link's own work.
pub(crate) struct Handler {
    pub(crate) commands: mpsc::UnboundedSender<Came>,
    pub(crate) takes_descriptors: bool,
}

impl LinkHandler for Handler {
    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        match frame.kind {
            Kind::Credit => return link.credit_came(&frame),
            Kind::Retire => {
                link.retire_came()?;
                link.answer_retire();
            }
            Kind::Retired => return link.retired_came(),
            Kind::Reply | Kind::Failure | Kind::Undelivered => link.reply_came(frame, descriptors),
            _ => {
                let link = Arc::clone(link);
                // A test that has seen enough does not listen any more.
                let _ = self.commands.send(Came {
                    link,
                    frame,
                    descriptors,
                });
            }
        }
        Ok(())
    }

    fn takes_descriptors(&self, _kind: Kind) -> bool {
        self.takes_descriptors
    }
}

/// One end: its link, what comes over it, and its pump.
pub(crate) struct End {
    pub(crate) link: Arc<Link>,
    pub(crate) commands: mpsc::UnboundedReceiver<Came>,
    pub(crate) pump: JoinHandle<CloseReason>,
}

impl End {
    /// The end whose peer is in `place`, over `stream`.
    pub(crate) fn new(place: u32, stream: UnixStream, takes_descriptors: bool) -> Self {
        let (sender, commands) = mpsc::unbounded_channel();
        let handler = Handler {
            commands: sender,
            takes_descriptors,
        };
        let link = Arc::new(direct(place));
        let pump = start(&link, stream, handler);
        Self {
            link,
            commands,
            pump,
        }
    }

    /// The next command that comes.
    pub(crate) async fn next(&mut self) -> Came {
        self.commands.recv().await.expect("the pump runs")
    }
}

/// A direct link to the process in `place`, 1 or 2, which goes on through rings where these tests are
/// about them.
pub(crate) fn direct(place: u32) -> Link {
    let link = Link::direct(host(place), Incarnation::FIRST);
    let settings = RingSettings {
        makes: place == 2,
        after: 0,
        poll: RingSettings::POLL,
    };
    match crate::RINGS {
        true => {
            // Readers on two threads poll.
            open_seats();
            link.with_rings(settings)
        }
        false => link,
    }
}

/// Runs a pump; the stream is closed at its end.
pub(crate) fn start(
    link: &Arc<Link>,
    stream: UnixStream,
    handler: Handler,
) -> JoinHandle<CloseReason> {
    let (link, stream) = (Arc::clone(link), stream.into_std().unwrap());
    tokio::spawn(async move { pump(&link, stream, Begun::default(), &handler).await })
}

/// The processes in places 1 and 2: each end's peer is the other.
pub(crate) fn pair() -> (End, End) {
    let (one, two) = UnixStream::pair().unwrap();
    (End::new(2, one, true), End::new(1, two, true))
}

/// A frame as bytes.
pub(crate) fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = bytes::BytesMut::new();
    frame
        .encode(&mut bytes, pulsar_wire::MAX_FRAME_BYTES)
        .unwrap();
    bytes.freeze()
}
