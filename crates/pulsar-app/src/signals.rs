//! What operators send.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How an application is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// What is in flight is finished: TERM.
    Graceful,
    /// Now, as soon as it can be done in order: INT, QUIT, or a second TERM.
    Fast,
}

/// The signals that end an application.
#[derive(Debug)]
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    quit: Signal,
}

impl Signals {
    /// Takes the signals over from their default, which is to kill the process.
    ///
    /// # Errors
    ///
    /// The system's, if a handler cannot be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.term.recv() => Ending::Graceful,
            _ = self.int.recv() => Ending::Fast,
            _ = self.quit.recv() => Ending::Fast,
        }
    }
}
