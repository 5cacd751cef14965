//! What an actor tells its manager: hello, notifies, and its last word.

use std::sync::Arc;

use bytes::Bytes;
use pulsar_sys::Build;
use pulsar_wire::{Codec, Frame, Hello, Kind, PROTOCOL_VERSION};
use tokio::sync::mpsc;

use crate::{Cause, Context, Info};
use pulsar_link::{Link, payload};
use pulsar_loop::runtime::Wanted;
use pulsar_policy::ChildEvent;

/// Where an actor's hello, notifies and last word go.
#[derive(Clone, Debug)]
pub enum Reports {
    /// The arbiter itself has none.
    None,
    /// In this very task, which looks at the actor itself.
    Here,
    /// In this process.
    Local(mpsc::Sender<ChildEvent>),
    /// At the other end of the link on which this process was born; a notify when one is wanted there.
    Link(Arc<Link>, Arc<Wanted>),
}

impl Reports {
    /// The actor is there; says who it is and what it was built from.
    pub fn hello(&self, cx: &Context) {
        match self {
            Self::None | Self::Here => {}
            // In one process there is nothing to compare: only the news counts.
            Self::Local(events) => drop(events.try_send(ChildEvent::HelloCame)),
            Self::Link(link, _) => {
                let hello = Hello {
                    version: PROTOCOL_VERSION,
                    build: build(),
                    aid: cx.aid(),
                    incarnation: cx.incarnation(),
                    pid: std::process::id(),
                };
                link.send_system(Frame::new(Kind::Hello, hello.encode()));
            }
        }
    }

    /// The actor is alive, and this is its info. The first one says that it is ready.
    pub fn notify(&self, cx: &Context) {
        match self {
            Self::None => {}
            Self::Here => cx.cell().notified(),
            Self::Local(events) => offer_notify(events, cx.info()),
            Self::Link(link, _) => match payload::encode(Codec::Postcard, &cx.info()) {
                Ok(info) => link.send_system(Frame::new(Kind::Notify, info)),
                Err(error) => tracing::error!(%error, "info cannot be encoded"),
            },
        }
    }

    /// Who says when a notify is due; none where that is a matter of time.
    pub(crate) fn wanted(&self) -> Option<&Arc<Wanted>> {
        match self {
            Self::Link(_, wanted) => Some(wanted),
            Self::None | Self::Here | Self::Local(_) => None,
        }
    }

    /// The actor has ended, and knows why. Nothing follows.
    pub async fn ended(&self, cause: &Cause) {
        match self {
            Self::None | Self::Here => {}
            Self::Local(events) => {
                let said = events.send(ChildEvent::EndSaid(cause.clone())).await;
                if said.is_err() {
                    tracing::debug!("the manager has already let go of this actor");
                }
            }
            Self::Link(link, _) => {
                let body = payload::encode(Codec::Postcard, cause).unwrap_or_default();
                link.send_system(Frame::new(Kind::Ended, body));
            }
        }
    }
}

/// Gives a manager a notify if its channel is not half full: what must not be lost has the other
/// half. A manager that is so far behind gets the next one.
pub fn offer_notify(manager: &mpsc::Sender<ChildEvent>, info: Info) {
    if manager.capacity() > manager.max_capacity() / 2 {
        drop(manager.try_send(ChildEvent::Notified(Box::new(info))));
    }
}

/// The identity of this executable; empty, and so refused, if it cannot be told.
fn build() -> Bytes {
    match Build::current() {
        Ok(build) => payload::encode(Codec::Postcard, &build).unwrap_or_default(),
        Err(error) => {
            tracing::error!(%error, "the program's own file cannot be read");
            Bytes::new()
        }
    }
}
