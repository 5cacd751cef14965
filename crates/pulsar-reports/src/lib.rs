//! What an actor tells its manager: hello, notifies, and its last word.
//!
//! # Layout
//!
//! * [`Reports`]: where it is told; [`Pulse`]: when it was, and is due to be.
//!
//! # Example
//!
//! ```
//! use pulsar_policy::ChildEvent;
//! use pulsar_reports::Reports;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let (events, mut manager) = tokio::sync::mpsc::channel(8);
//! Reports::Local(events).ended(&pulsar_model::Cause::Stopped).await;
//! assert!(matches!(manager.recv().await, Some(ChildEvent::EndSaid(_))));
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

mod pulse;

use std::sync::Arc;

use bytes::Bytes;
use pulsar_link::{Link, payload};
use pulsar_loop::runtime::Wanted;
use pulsar_model::{Cause, Info};
use pulsar_policy::ChildEvent;
use pulsar_sys::Build;
use pulsar_wire::{Aid, Codec, Frame, Hello, Incarnation, Kind, PROTOCOL_VERSION};
use tokio::sync::mpsc;

pub use pulse::Pulse;

/// Where an actor's hello, notifies and last word go.
#[derive(Clone, Debug)]
pub enum Reports {
    /// The arbiter itself has none.
    None,
    /// In this very task, which looks at the actor itself and need not be told.
    Here,
    /// In this process.
    Local(mpsc::Sender<ChildEvent>),
    /// At the other end of the link on which this process was born; a notify when one is wanted there.
    Link(Arc<Link>, Arc<Wanted>),
}

impl Reports {
    /// The actor is there, in this life; says so, and what it was built from.
    pub fn hello(&self, aid: Aid, incarnation: Incarnation) {
        match self {
            Self::None | Self::Here => {}
            // In one process there is nothing to compare: only the news counts.
            Self::Local(events) => drop(events.try_send(ChildEvent::HelloCame)),
            Self::Link(link, _) => {
                let hello = Hello {
                    version: PROTOCOL_VERSION,
                    build: build(),
                    aid,
                    incarnation,
                    pid: std::process::id(),
                };
                link.send_system(Frame::new(Kind::Hello, hello.encode()));
            }
        }
    }

    /// The actor is alive, and this is its info, made where it is told. The first one says that it is ready.
    pub fn notify(&self, info: impl FnOnce() -> Info) {
        match self {
            Self::None | Self::Here => {}
            Self::Local(events) => offer_notify(events, info()),
            Self::Link(link, _) => match payload::encode(Codec::Postcard, &info()) {
                Ok(info) => link.send_system(Frame::new(Kind::Notify, info)),
                Err(error) => tracing::error!(%error, "info cannot be encoded"),
            },
        }
    }

    /// Who says when a notify is due; none where that is a matter of time.
    pub fn wanted(&self) -> Option<&Arc<Wanted>> {
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
