//! A server in this process, and a client that writes HTTP/1.1 by hand.

mod client;
mod server;

pub(crate) use client::Client;
pub(crate) use server::{Server, listener, within};
