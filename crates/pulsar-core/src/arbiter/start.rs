//! The start of the arbiter by a `main` without `async`, and what is said before it.

use std::future::Future;
use std::io;
use std::pin::Pin;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Arbiter, Ended, program};
use crate::node::Node;
use crate::{Context, HookOutput, Result, entry};
use pulsar_actor::runtime::duplicates;
use pulsar_child::LogConfig;

/// Functions that a program may say before the start. A program has a few; more are a mistake, such as
/// a loop that does not end.
const MOST_STARTS: usize = 256;

impl Arbiter {
    /// Has a function run once the arbiter runs: on its loop, as a part of it. For a `main` without
    /// `async`, before [`start`](Self::start). It may be called several times; the functions run in that
    /// order, each when the one before has ended. What is to go on for longer belongs into
    /// [`cx.spawn`](Context::spawn).
    ///
    /// If one returns an error or panics, those behind it do not run, the actors are stopped in order,
    /// and the program ends with the exit code that such a `main` has: 1, or 101 after a panic. Once
    /// the arbiter is asked to stop, no further one begins.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Context, Ended, Result, arbiter, halt};
    ///
    /// async fn check(_cx: Context) -> Result<()> {
    ///     Ok(halt(0)?)
    /// }
    ///
    /// #[pulsar::main]
    /// fn main() -> Result<Ended> {
    ///     arbiter().at_start(|cx| async move { println!("{} runs", cx.aid()) })?;
    ///     arbiter().at_start(check)?;
    ///     Ok(arbiter().start()?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::Begun`] once the arbiter has been started; [`StartError::TooMany`].
    pub fn at_start<F, Fut>(&self, start: F) -> Result<(), StartError>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output: HookOutput> + Send + 'static,
    {
        let mut before = BEFORE.lock();
        if before.stage != Stage::Before || Node::current().is_some() {
            return Err(StartError::Begun);
        }
        if before.starts.len() >= MOST_STARTS {
            return Err(StartError::TooMany { limit: MOST_STARTS });
        }
        before.starts.push(Box::new(|cx| {
            Box::pin(async move { start(cx).await.into_result() })
        }));
        Ok(())
    }

    /// Starts the arbiter on this thread, the program's main thread, and blocks it until the arbiter is
    /// asked to stop: by [`stop`](Self::stop) from any thread or actor, or by [`halt`](crate::halt).
    /// Then it stops all actors in order, and gives what `main` is to return.
    ///
    /// It is for a `main` without `async`: that of an `async fn main` runs with the arbiter.
    ///
    /// ```no_run
    /// # use pulsar_core as pulsar;
    /// use pulsar::{Context, Ended, Result, arbiter, spawn};
    ///
    /// async fn begin(_cx: Context) -> Result<()> {
    ///     spawn().name("worker").await?;
    ///     Ok(())
    /// }
    ///
    /// #[pulsar::main]
    /// fn main() -> Result<Ended> {
    ///     let arbiter = arbiter();
    ///     assert!(!arbiter.is_running());
    ///     arbiter.at_start(begin)?;
    ///     Ok(arbiter.start()?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing has been started then.
    pub fn start(&self) -> Result<Ended, StartError> {
        if Node::current().is_some() || BEFORE.lock().stage != Stage::Before {
            return Err(StartError::Begun);
        }
        if !entry::is_marked() {
            return Err(StartError::NoEntry);
        }
        if !pulsar_sys::on_main_thread() {
            return Err(StartError::NotOnMainThread);
        }
        if Handle::try_current().is_ok() {
            return Err(StartError::OnALoop);
        }
        program::run(live).map(Ended)
    }
}

/// The arbiter's work where `main` has no `async`: what was said before, then whatever comes.
async fn live(cx: Context, starts: Vec<Start>) -> Result<()> {
    for start in starts {
        // What it would spawn is refused, and its error for that would be no failure.
        if cx.stop_token().is_cancelled() {
            break;
        }
        start(cx.clone()).await?;
    }
    cx.stop_asked().await;
    Ok(())
}

/// Why the arbiter does not start.
///
/// ```
/// # use pulsar_core as pulsar;
/// use pulsar::{StartError, arbiter};
///
/// // This program's `main` is not marked with `#[pulsar::main]`.
/// let refused = arbiter().start();
/// assert!(matches!(refused, Err(StartError::NoEntry)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It has been started, perhaps by an `async fn main`, and may have ended since.
    #[error("the arbiter has been started before: a process has one, and starts it once")]
    Begun,
    /// The program has no entry for children: they would run its `main` again.
    #[error("this program has no entry for child processes: mark main with #[pulsar::main]")]
    NoEntry,
    /// The calling thread is not the program's main thread.
    #[error("the arbiter runs on the program's main thread, and this is another: start it in main")]
    NotOnMainThread,
    /// The calling thread runs an event loop, which would be blocked.
    #[error(
        "an event loop runs on this thread, which the arbiter would block: start it in a main \
             without async"
    )]
    OnALoop,
    /// Several commands have the same name.
    #[error("more than one command or remote function is named {}: each needs a name of its own", names.join(", "))]
    DuplicateCommands {
        /// The names.
        names: Vec<String>,
    },
    /// More functions are to run at the start than may.
    #[error("over the limit of {limit} functions that run at the start: do more in each")]
    TooMany {
        /// How many may.
        limit: usize,
    },
    /// The system refuses what the arbiter needs.
    #[error("the system refuses what the arbiter needs")]
    System(#[from] io::Error),
}

/// What runs at the start.
pub(super) type Start = Box<dyn FnOnce(Context) -> Starting + Send>;
type Starting = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What is said to the arbiter before it runs. A child process says nothing: it never runs `main`.
struct Before {
    stage: Stage,
    starts: Vec<Start>,
    log: Option<LogConfig>,
    is_stop_asked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    /// Begun, but not yet there: what is said now still counts, but for what is to run at the start.
    Starting,
    /// The arbiter is there, or has been.
    There,
}

static BEFORE: Mutex<Before> = Mutex::new(Before {
    stage: Stage::Before,
    starts: Vec::new(),
    log: None,
    is_stop_asked: false,
});

/// The arbiter begins: what is to run at its start.
///
/// # Errors
///
/// [`StartError::Begun`]; [`StartError::DuplicateCommands`].
pub(super) fn begin() -> Result<Vec<Start>, StartError> {
    let names: Vec<_> = duplicates().into_iter().map(str::to_owned).collect();
    if !names.is_empty() {
        return Err(StartError::DuplicateCommands { names });
    }
    let mut before = BEFORE.lock();
    if before.stage != Stage::Before {
        return Err(StartError::Begun);
    }
    before.stage = Stage::Starting;
    Ok(std::mem::take(&mut before.starts))
}

/// The arbiter is there, and does what was said before. Under the lock, so that nothing is lost: what
/// is said before this is done here, and what is said after it finds the arbiter.
pub(super) fn is_there(node: &Node, cx: &Context) {
    let mut before = BEFORE.lock();
    before.stage = Stage::There;
    if let Some(log) = before.log.take() {
        let _ = node.log.set(log);
    }
    if before.is_stop_asked {
        cx.stop();
    }
}

/// Keeps a stop for an arbiter that is not there yet; false if it is, or has been.
pub(super) fn stop_before() -> bool {
    let mut before = BEFORE.lock();
    let is_early = before.stage != Stage::There;
    before.is_stop_asked |= is_early;
    is_early
}

/// Keeps what the processes are to log for an arbiter that is not there yet: the first that was said.
/// Gives it back if it is there, or has been.
pub(super) fn log_before(config: LogConfig) -> Option<LogConfig> {
    let mut before = BEFORE.lock();
    if before.stage == Stage::There {
        return Some(config);
    }
    before.log.get_or_insert(config);
    None
}
