//! Listening sockets that supervised workers share.
//!
//! One process binds a listener; the workers inherit it as a file descriptor and all accept from the same queue. The queue
//! belongs to the socket, not to a worker, so a worker that ends loses no connection that waits in it.
//!
//! # Layout
//!
//! - [`Bind`], [`BindList`]: what the user writes after `--bind`
//! - [`Listener`]: the bound socket; [`ListenAddress`]: where it is bound
//! - [`UnixSocketFile`]: the duty to remove the file of a Unix socket
//! - [`accept`]: takes connections until told to stop; [`Stream`], [`Peer`]: one connection
//!
//! # Example
//!
//! ```
//! use pulsar_net::{Bind, DEFAULT_BACKLOG, Listener};
//!
//! let bind: Bind = "127.0.0.1:0".parse()?;
//! let listener = Listener::bind(&bind, DEFAULT_BACKLOG)?;
//! assert!(listener.address().url("http").starts_with("http://127.0.0.1:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod accept;
mod address;
mod backoff;
mod bind;
mod bind_list;
mod listener;
mod socket_file;
mod socket_settings;
mod stream;

pub use accept::accept;
pub use address::ListenAddress;
pub use bind::{Bind, BindParseError};
pub use bind_list::{BindList, MAX_BINDS};
pub use listener::{DEFAULT_BACKLOG, ListenError, Listener};
pub use socket_file::UnixSocketFile;
pub use socket_settings::{SocketSettings, inherited};
pub use stream::{Peer, Stream};
