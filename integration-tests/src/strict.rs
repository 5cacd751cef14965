//! Actors as a library offers them, under the strictest lints: what the macros add must not warn.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    unused_qualifications,
    unused_results,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop,
    explicit_outlives_requirements,
    unnameable_types,
    redundant_lifetimes,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason
)]

use pulsar::{Context, Proxy, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Hands out tickets, in their order.
#[derive(Debug)]
pub struct Tickets {
    next: u64,
    secrets: Vec<Secret>,
}

/// A place in the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ticket(u64);

impl Ticket {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// There are no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[error("sold out")]
pub struct SoldOut;

/// Not for others: only commands that nobody else sees have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Secret(String);

#[pulsar::actor]
impl Tickets {
    /// Begins with this ticket.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub async fn start(_cx: Context, first: u64) -> Result<Self, SoldOut> {
        tokio::task::yield_now().await;
        match first {
            u64::MAX => Err(SoldOut),
            next => Ok(Self {
                next,
                secrets: Vec::new(),
            }),
        }
    }

    /// Draws the next ticket.
    ///
    /// # Errors
    ///
    /// If there are no more.
    #[command]
    pub fn draw(&mut self) -> Result<Ticket, SoldOut> {
        let next = self.next.checked_add(1).ok_or(SoldOut)?;
        Ok(Ticket(std::mem::replace(&mut self.next, next)))
    }

    /// Lets some tickets go.
    #[command(no_ack)]
    pub(crate) fn skip(&mut self, count: u64) {
        self.next = self.next.saturating_add(count);
    }

    /// The ticket that is next.
    #[command(concurrent)]
    #[must_use]
    pub fn upcoming(&self) -> Ticket {
        Ticket(self.next)
    }

    /// Keeps a secret, and tells those that were kept before.
    #[command]
    fn keep(&mut self, secret: Secret) -> Vec<Secret> {
        let before = self.secrets.clone();
        self.secrets.push(secret);
        before
    }

    #[command]
    async fn undocumented(&mut self, _cx: Context) {
        tokio::task::yield_now().await;
    }

    async fn stopping(&mut self, _cx: Context) {
        tokio::task::yield_now().await;
        self.secrets.clear();
    }
}

/// Skips tickets, keeps a secret, and tells how many secrets there were and what is next.
///
/// # Errors
///
/// If the actor does not answer.
pub async fn skip_in_secret(tickets: &Proxy<Tickets>, count: u64) -> Result<(usize, Ticket)> {
    tickets.skip(count).await?;
    tickets.undocumented().await?;
    let before = tickets.keep(Secret("hush".to_owned())).await?;
    Ok((before.len(), tickets.upcoming().await?))
}

/// Keeps one thing of any type.
#[derive(Debug)]
pub struct Drawer<T> {
    thing: Option<T>,
}

#[pulsar::actor]
impl<T: Serialize + DeserializeOwned + Send + 'static> Drawer<T> {
    /// Begins empty.
    #[must_use]
    pub fn start(_cx: Context) -> Self {
        Self { thing: None }
    }

    /// Puts a thing in, and gives the one that was there.
    #[command]
    pub fn put(&mut self, thing: T) -> Option<T> {
        self.thing.replace(thing)
    }
}

/// Hears what cannot travel.
#[derive(Debug)]
pub struct Listener {
    heard: std::sync::mpsc::Receiver<u64>,
}

#[pulsar::actor(local)]
impl Listener {
    /// Begins with what it listens to.
    #[must_use]
    pub fn start(_cx: Context, heard: std::sync::mpsc::Receiver<u64>) -> Self {
        Self { heard }
    }

    /// What has come.
    #[command]
    pub fn heard(&mut self) -> Vec<u64> {
        self.heard.try_iter().collect()
    }
}
