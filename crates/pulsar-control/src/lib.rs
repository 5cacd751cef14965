//! The control socket of an arbiter: where it lives, what is said on it, and both of its ends.
//!
//! Each running arbiter claims a name and serves one Unix socket under it. Tools of the same user find the
//! socket by that name, and see and steer the arbiter through it. This crate knows nothing of actors: whoever
//! runs them implements [`Backend`] and hands it to a [`Server`].
//!
//! # Layout
//!
//! | file | holds |
//! |---|---|
//! | `name` | [`InstanceName`]: what an arbiter is called |
//! | `folder` | the check that a folder is one's own and closed to others |
//! | `directory` | [`ControlDirectory`]: where the sockets of a user are |
//! | `claim` | [`Claim`]: a name that is ours, its lock and its bound socket |
//! | `protocol` | the lines on the wire: [`Greeting`], [`Request`], [`Response`], [`Failure`] |
//! | `row` | [`ActorRow`]: one line of `ps` |
//! | `line` | reads lines of a bounded length |
//! | `peer` | who is on the other end |
//! | `backend`, `server`, `connection` | the arbiter's end |
//! | `client` | the tool's end |
//! | `printable` | text made safe for a terminal |
//!
//! # Example
//!
//! ```no_run
//! use pulsar_control::{Client, ControlDirectory};
//!
//! # async fn show() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect(&ControlDirectory::for_current_user(), Some("hello")).await?;
//! for row in client.ps().await? {
//!     println!("{} {}", row.aid, row.state);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod backend;
mod claim;
mod client;
mod connection;
mod directory;
mod folder;
mod line;
mod name;
mod peer;
mod printable;
pub mod protocol;
mod row;
mod server;

pub use backend::Backend;
pub use claim::{Claim, ClaimError};
pub use client::{Client, ClientError, STOP_LIMIT};
pub use directory::{ControlDirectory, Instance};
pub use folder::DirectoryError;
pub use name::{InstanceName, NameError};
pub use peer::PeerError;
pub use printable::printable;
pub use protocol::{Failure, Greeting, Outcome, Request, Response};
pub use row::{ActorRow, LastExit, Placement, Role, State};
pub use server::Server;
