//! Descriptors on an event loop: awaited, or watched with a callback.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pulsar_model::panic_message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::EventLoop;

/// A descriptor that is registered on an event loop, which tells when it is readable or writable.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use pulsar_loop::{EventLoop, Interest};
///
/// let event_loop = EventLoop::new()?;
/// let (mut ours, theirs) = UnixStream::pair()?;
/// theirs.set_nonblocking(true)?;
/// let theirs = event_loop.register(theirs, Interest::READABLE)?;
/// ours.write_all(b"hello")?;
/// let read = event_loop.run_until(async move {
///     let mut bytes = [0; 5];
///     theirs.read_with(|mut stream| stream.read_exact(&mut bytes)).await?;
///     std::io::Result::Ok(bytes)
/// })??;
/// assert_eq!(&read, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Registered<F: AsFd>(AsyncFd<Held<F>>);

/// A descriptor as tokio wants it.
#[derive(Debug)]
struct Held<F>(F);

impl<F: AsFd> AsRawFd for Held<F> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<F: AsFd> Registered<F> {
    /// Waits until it is readable; at once if it is.
    ///
    /// # Errors
    ///
    /// If its event loop has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE, PollFlags::IN).await
    }

    /// Waits until it is writable; at once if it is.
    ///
    /// # Errors
    ///
    /// If its event loop has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE, PollFlags::OUT).await
    }

    async fn ready(&self, interest: Interest, flag: PollFlags) -> io::Result<()> {
        loop {
            let mut told = self.0.ready(interest).await?;
            // The kernel tells of changes only: what it told may have been used up since. What comes
            // after this look is a change that `told` does not know, so it cannot clear that away.
            if is_ready(self.get_ref(), flag) {
                return Ok(());
            }
            told.clear_ready();
        }
    }

    /// Reads with `read`, which does not block, as soon as that has something to read.
    ///
    /// # Errors
    ///
    /// Those of `read`, except [`WouldBlock`](io::ErrorKind::WouldBlock), and that the loop has ended.
    pub async fn read_with<R>(&self, mut read: impl FnMut(&F) -> io::Result<R>) -> io::Result<R> {
        self.0
            .async_io(Interest::READABLE, |held| read(&held.0))
            .await
    }

    /// Writes with `write`, which does not block, as soon as that has room.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    pub async fn write_with<R>(&self, mut write: impl FnMut(&F) -> io::Result<R>) -> io::Result<R> {
        self.0
            .async_io(Interest::WRITABLE, |held| write(&held.0))
            .await
    }

    /// The descriptor.
    pub fn get_ref(&self) -> &F {
        &self.0.get_ref().0
    }

    /// The descriptor, registered no longer.
    pub fn into_inner(self) -> F {
        self.0.into_inner().0
    }
}

/// Whether a handler of a descriptor is to be called again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watching {
    /// Whenever the descriptor is ready, also if it still is.
    Continue,
    /// No more; the descriptor is dropped.
    Stop,
}

/// A descriptor that is watched. Dropping it ends that, and closes the descriptor.
#[must_use = "the descriptor is watched until this is dropped"]
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Watch {
    /// Ends it. A call that runs is not cut; the descriptor is dropped on its loop.
    pub fn cancel(self) {}

    /// Waits until the handler is not called any more: it has said [`Watching::Stop`], failed or
    /// panicked, or its loop has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the watch goes on.
    pub async fn ended(&mut self) {
        if !self.0.is_finished() {
            // How it ended has been logged.
            let _ = (&mut self.0).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl EventLoop {
    /// Registers a descriptor on this loop. It may be called on any thread; the descriptor is
    /// awaited wherever one likes. A descriptor can be registered once at a time.
    ///
    /// # Errors
    ///
    /// The system's: the descriptor is of no kind that can be waited for, as regular files are, or
    /// is registered already; or the loop has ended.
    ///
    /// # Panics
    ///
    /// If the loop is a tokio runtime that was made without I/O.
    #[expect(
        deprecated,
        reason = "its successor is `unsafe` and asks for what `AsFd` promises: it stays open"
    )]
    pub fn register<F: AsFd>(&self, fd: F, interest: Interest) -> io::Result<Registered<F>> {
        let _entered = self.handle().enter();
        AsyncFd::with_interest(Held(fd), interest).map(Registered)
    }

    /// Calls `handler` on this loop each time the descriptor is readable, and again while it still
    /// is. What it would have to wait for it gives as [`WouldBlock`](io::ErrorKind::WouldBlock) and
    /// is called again; any other error, or a panic, is logged and ends the watch, never the loop.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    ///
    /// # Panics
    ///
    /// As [`register`](Self::register).
    pub fn on_readable<F, H>(&self, fd: F, handler: H) -> io::Result<Watch>
    where
        F: AsFd + Send + Sync + 'static,
        H: FnMut(&F) -> io::Result<Watching> + Send + 'static,
    {
        self.on_ready(fd, Interest::READABLE, PollFlags::IN, handler)
    }

    /// Calls `handler` on this loop while the descriptor is writable. Otherwise as
    /// [`on_readable`](Self::on_readable).
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    ///
    /// # Panics
    ///
    /// As [`register`](Self::register).
    pub fn on_writable<F, H>(&self, fd: F, handler: H) -> io::Result<Watch>
    where
        F: AsFd + Send + Sync + 'static,
        H: FnMut(&F) -> io::Result<Watching> + Send + 'static,
    {
        self.on_ready(fd, Interest::WRITABLE, PollFlags::OUT, handler)
    }

    fn on_ready<F, H>(
        &self,
        fd: F,
        interest: Interest,
        flag: PollFlags,
        mut handler: H,
    ) -> io::Result<Watch>
    where
        F: AsFd + Send + Sync + 'static,
        H: FnMut(&F) -> io::Result<Watching> + Send + 'static,
    {
        let fd = self.register(fd, interest)?;
        Ok(Watch(self.spawn(async move {
            if let Err(error) = watch(&fd, interest, flag, &mut handler).await {
                let fd = fd.0.as_raw_fd();
                tracing::error!(%error, fd, "descriptor is not watched any more");
            }
        })))
    }
}

async fn watch<F, H>(
    fd: &Registered<F>,
    interest: Interest,
    flag: PollFlags,
    handler: &mut H,
) -> io::Result<()>
where
    F: AsFd,
    H: FnMut(&F) -> io::Result<Watching>,
{
    loop {
        fd.ready(interest, flag).await?;
        match call(handler, fd.get_ref()) {
            Ok(Watching::Stop) => return Ok(()),
            Ok(Watching::Continue) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        tokio::task::yield_now().await;
    }
}

fn call<F, H>(handler: &mut H, fd: &F) -> io::Result<Watching>
where
    H: FnMut(&F) -> io::Result<Watching>,
{
    // Unwind safe: after a panic the handler is only dropped.
    catch_unwind(AssertUnwindSafe(|| handler(fd))).unwrap_or_else(|panic| {
        let message = panic_message(&*panic);
        Err(io::Error::other(format!("its handler panicked: {message}")))
    })
}

/// Whether it is ready now; errors and the end count, so that the handler learns of them.
fn is_ready(fd: &impl AsFd, flag: PollFlags) -> bool {
    let mut fds = [PollFd::new(fd, flag)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        (ours, theirs)
    }

    fn end(event_loop: &EventLoop, mut watch: Watch) {
        event_loop
            .run_until(async move { watch.ended().await })
            .unwrap();
    }

    #[test]
    fn a_handler_is_called_while_there_is_something_to_read_and_until_it_stops() {
        let event_loop = EventLoop::new().unwrap();
        let (mut ours, theirs) = pair();
        let (tell, told) = mpsc::channel();
        ours.write_all(b"abc").unwrap();
        let watch = event_loop.on_readable(theirs, move |mut stream| {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            tell.send(byte[0]).unwrap();
            Ok(match byte[0] {
                b'c' => Watching::Stop,
                _ => Watching::Continue,
            })
        });
        end(&event_loop, watch.unwrap());
        assert_eq!(told.iter().collect::<Vec<_>>(), b"abc");
    }

    #[test]
    fn a_handler_that_panics_or_fails_ends_its_watch_and_not_the_loop() {
        let event_loop = EventLoop::new().unwrap();
        let (_ours, first) = pair();
        let (_others, second) = pair();
        let panics = event_loop.on_writable(first, |_| panic!("as it is meant to"));
        let fails = event_loop.on_writable(second, |_| Err(io::Error::other("no more")));
        for watch in [panics, fails] {
            end(&event_loop, watch.unwrap());
        }
        assert_eq!(event_loop.run_until(async { 1 }), Ok(1));
    }

    #[test]
    fn a_cancelled_watch_closes_its_descriptor() {
        let event_loop = EventLoop::new().unwrap();
        let (mut ours, theirs) = pair();
        let watch = event_loop.on_readable(theirs, |_| Ok(Watching::Continue));
        watch.unwrap().cancel();
        // The turn in which the loop drops it.
        event_loop.run_until(tokio::task::yield_now()).unwrap();
        assert_eq!(ours.read(&mut [0]).unwrap(), 0, "the end of the stream");
    }

    #[test]
    fn a_file_of_a_kind_that_is_always_ready_is_refused() {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let event_loop = EventLoop::new().unwrap();
        assert!(event_loop.register(file, Interest::READABLE).is_err());
    }
}
