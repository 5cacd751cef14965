//! A process from which children are forked: small, with one thread, and older than any runtime.
//!
//! The program forks it while it has one thread, by [`fork`], or executes its own file for it, by [`execute`]; the side
//! that asks is a [`Template`], the process itself a [`Seat`]. Asked by a [`Ticket`], it clones itself. The clone's parent is
//! the template's own, so that whoever asks waits for its children by itself, they die with *it*, and the template
//! may die and be made anew without touching them.
//!
//! What a clone inherits is the template's: see [`Inheritance`](crate::inheritance::Inheritance) for how a change is seen.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::io::{Errno, FdFlags};

use crate::{
    boot::{self, BootSocket},
    children::Children,
    descriptors::{open_descriptors, read_now, recv_with_descriptors, send_with_descriptors},
    entry,
    exec::{self, ExecSpec, SpawnFailure, above_standard},
    gaps,
    own_pair::OwnPair,
    pid::Pid,
    platform,
    single_thread::{NotSingleThread, SingleThread},
    title, usage,
};

/// What tools show of it. Of this the kernel keeps [`SHORT_NAME`].
pub const NAME: &str = "[pulsar template]";
/// The first 15 bytes of the name, which the kernel keeps. A clone has it until it names itself.
pub const SHORT_NAME: &str = "[pulsar templat";

/// The descriptors of a request: the child's end of its link, its output stream and its error stream.
const DESCRIPTORS: usize = 3;
/// A request is one byte, which carries the descriptors.
const REQUEST: [u8; 1] = [1];
/// An answer is a number: a pid, or an error below zero, or zero for the first, which says that it serves.
const ANSWER_BYTES: usize = size_of::<i32>();
/// Answers that are read at once: a burst; more are read by the next call.
const ANSWERS_AT_ONCE: usize = 64;

/// A template process, as the process that asks it holds it. Dropped, its socket is closed, and the template ends.
#[derive(Debug)]
pub struct Template {
    /// Its pid. Nobody waits for it yet: give it to [`Children`].
    pub pid: Pid,
    /// The process that made it, and whose children its clones are.
    pub parent: Pid,
    /// Where it is asked, and answers: non-blocking, closed by `exec`.
    pub control: UnixStream,
}

/// The side that [`fork`] returns on.
#[derive(Debug)]
pub enum Side {
    /// The process that called it.
    Parent(Template),
    /// The template.
    Template(Seat),
}

/// Forks a template process from this one.
///
/// It returns on both sides. The template's side should do nothing but [`Seat::serve`]; what it does before, all of its
/// clones have.
///
/// # Errors
///
/// See [`TemplateError`]; then there is none.
pub fn fork() -> Result<Side, TemplateError> {
    let alone = SingleThread::prove()?;
    let (control, other) = UnixStream::pair().map_err(TemplateError::at("make a socket pair"))?;
    control
        .set_nonblocking(true)
        .map_err(TemplateError::at("make the control socket non-blocking"))?;
    let other = above_standard(other.into())
        .map_err(TemplateError::at("move the template's control socket"))?;
    let parent = Pid::current();
    // SAFETY: this process has one thread, so the new one begins with everything in order: no lock is held by a thread that
    // is not there. It is the C library's own call, which keeps its records right on both sides.
    match unsafe { libc::fork() } {
        -1 => Err(TemplateError::at("fork")(io::Error::last_os_error())),
        0 => {
            drop(control);
            platform::forget_ignored_signals();
            exec::empty_signal_mask().map_err(TemplateError::at("empty the signal mask"))?;
            close_inherited(other.as_raw_fd());
            Seat::take(other.into(), parent, alone).map(Side::Template)
        }
        raw => Ok(Side::Parent(Template {
            pid: Pid::new(raw).expect("the system gives pids above zero"),
            parent,
            control,
        })),
    }
}

/// Executes the program's own file for a template: also where this process has threads. Its side enters by
/// [`boot::take`], with [`Errand::Template`](boot::Errand::Template), and goes on by [`Seat::of`].
///
/// # Errors
///
/// As [`exec::spawn`].
pub fn execute(spec: &ExecSpec) -> Result<Template, SpawnFailure> {
    let spawned = exec::start(spec, boot::Errand::Template)?;
    Ok(Template {
        pid: spawned.pid,
        parent: Pid::current(),
        control: spawned.link,
    })
}

/// Closes what the program was started with beside the standard streams, such as a service manager's listeners: they
/// would stay open for as long as this process lives. It is known by not being marked to be closed by `exec`; what the
/// program has opened since is, and belongs to whoever opened it.
fn close_inherited(control: i32) {
    // Without the list they stay open, which is what a fork does anyway.
    for number in open_descriptors().unwrap_or_default() {
        if number < boot::FIRST_DESCRIPTOR || number == control {
            continue;
        }
        // SAFETY: the number was listed just now, and no other thread can have closed it since.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let is_inherited = rustix::io::fcntl_getfd(descriptor)
            .is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC));
        if is_inherited {
            // SAFETY: it is open. Nothing in this process has opened it, see above, so nothing owns it.
            unsafe { libc::close(number) };
        }
    }
}

/// The place of a template process, which it serves.
#[derive(Debug)]
pub struct Seat {
    control: UnixStream,
    parent: Pid,
    /// What each clone has anew.
    own: Option<OwnPair>,
}

/// How [`Seat::serve`] returns.
#[derive(Debug)]
pub enum Served {
    /// In a clone: it is a child, with one thread.
    Child(BootSocket, SingleThread),
    /// In the template: nobody asks any more. It should end.
    Over,
}

impl Seat {
    /// The seat of a process that was executed for it.
    ///
    /// # Errors
    ///
    /// See [`TemplateError`]. The process should leave.
    pub fn of(socket: BootSocket) -> Result<Self, TemplateError> {
        let alone = SingleThread::prove()?;
        Self::take(socket.link, socket.parent, alone)
    }

    fn take(control: UnixStream, parent: Pid, _alone: SingleThread) -> Result<Self, TemplateError> {
        platform::arm_parent_death().map_err(TemplateError::at("arm the parent-death signal"))?;
        // If the parent died before the signal was armed, none comes: so look after it.
        if Pid::parent() != Some(parent) {
            return Err(TemplateError::ParentGone { expected: parent });
        }
        title::prepare();
        // They are only names.
        let _ = boot::name_process(SHORT_NAME.as_ref());
        let program = entry::arguments().into_iter().next().unwrap_or_default();
        let _ = boot::retitle(&[&program, NAME.as_ref()], &[]);
        Ok(Self {
            control,
            parent,
            own: None,
        })
    }

    /// Does here what each clone would do anew otherwise, where that opens a pair of Unix sockets that stays open: an event
    /// loop, which has one for signals. What `begin` gives is dropped, and each clone has a pair of its own, of the same
    /// numbers. Once for a seat.
    ///
    /// # Errors
    ///
    /// See [`TemplateError`]; among them is that something else stays open. Then this process may not serve: its clones would
    /// have that in common.
    pub fn begin_for_clones<T>(
        &mut self,
        begin: impl FnOnce() -> io::Result<T>,
    ) -> Result<(), TemplateError> {
        let alone = SingleThread::prove()?;
        let own = OwnPair::left_by(&alone, begin);
        self.own = Some(own.map_err(TemplateError::at("begin what each clone has anew"))?);
        Ok(())
    }

    /// Answers requests until nobody asks any more; returns in each clone too.
    ///
    /// The standard streams are replaced: a clone gets its own with the request. Handlers that libraries have registered
    /// for forks (`pthread_atfork`) don't run for clones.
    ///
    /// # Errors
    ///
    /// See [`TemplateError`]: something has started a thread, or the control socket fails.
    pub fn serve(mut self) -> Result<Served, TemplateError> {
        let alone = SingleThread::prove()?;
        silence_streams().map_err(TemplateError::at("replace the standard streams"))?;
        self.answer(0)?;
        let (mut byte, mut descriptors) = (REQUEST, Vec::with_capacity(DESCRIPTORS));
        gaps::fill();
        loop {
            descriptors.clear();
            let received = recv_with_descriptors(&self.control, &mut byte, &mut descriptors)
                .map_err(TemplateError::at("receive a request"))?;
            if received.bytes == 0 {
                return Ok(Served::Over);
            }
            if received.lost_descriptors || descriptors.len() != DESCRIPTORS {
                self.answer(-Errno::MFILE.raw_os_error())?;
                continue;
            }
            // SAFETY: this process has one thread, see `alone`: the clone begins with everything in order. That it is
            // no call of the C library's leaves the thread id there the template's, which only locks that are shared
            // between processes use, and there are none; handlers that others have for forks are left out, which
            // `Seat::serve` says of itself.
            match unsafe { platform::clone_beside() } {
                Ok(None) => return self.become_child(descriptors, alone),
                Ok(Some(pid)) => self.answer(pid.as_raw())?,
                Err(error) => self.answer(-error.raw_os_error().unwrap_or(libc::EAGAIN))?,
            }
        }
    }

    fn answer(&mut self, number: i32) -> Result<(), TemplateError> {
        let sent = self.control.write_all(&number.to_ne_bytes());
        sent.map_err(TemplateError::at("answer a request"))
    }

    /// The clone's first steps.
    fn become_child(
        self,
        descriptors: Vec<OwnedFd>,
        alone: SingleThread,
    ) -> Result<Served, TemplateError> {
        platform::arm_parent_death().map_err(TemplateError::at("arm the parent-death signal"))?;
        // As in `take`.
        if Pid::parent() != Some(self.parent) {
            return Err(TemplateError::ParentGone {
                expected: self.parent,
            });
        }
        let [link, stdout, stderr] = <[OwnedFd; DESCRIPTORS]>::try_from(descriptors)
            .expect("a request of another number is refused");
        rustix::stdio::dup2_stdout(&stdout)
            .and_then(|()| rustix::stdio::dup2_stderr(&stderr))
            .map_err(|errno| TemplateError::at("take over the streams")(errno.into()))?;
        if let Some(own) = &self.own {
            let renewed = own.renew(&alone);
            renewed.map_err(TemplateError::at("make a pair of sockets anew"))?;
        }
        boot::become_child();
        let socket = BootSocket {
            link: link.into(),
            parent: self.parent,
            errand: boot::Errand::Actor,
        };
        Ok(Served::Child(socket, alone))
    }
}

/// A template holds nobody's streams open: whoever reads them waits for their end.
fn silence_streams() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    Ok(rustix::stdio::dup2_stderr(&nothing)?)
}

/// A request that is ready to be sent, and what stays of it with the sender.
#[derive(Debug)]
pub struct Ticket {
    inherited: OwnedFd,
    to_stderr: Option<OwnedFd>,
    /// The sender's end of the child's link: non-blocking, closed by `exec`. It ends when the child does.
    pub link: UnixStream,
    /// Where the child's standard error stream is read, if that is to be a pipe: blocking, closed by `exec`.
    pub stderr: Option<OwnedFd>,
}

impl Ticket {
    /// Makes the child's link, and a pipe for its standard error stream if that is not to be this process's own.
    ///
    /// # Errors
    ///
    /// The system's, such as too many open files.
    pub fn new(pipes_stderr: bool) -> io::Result<Self> {
        let (link, inherited) = UnixStream::pair()?;
        link.set_nonblocking(true)?;
        let (stderr, to_stderr) = match pipes_stderr {
            true => {
                let (reader, writer) = io::pipe()?;
                (Some(reader.into()), Some(writer.into()))
            }
            false => (None, None),
        };
        Ok(Self {
            inherited: inherited.into(),
            to_stderr,
            link,
            stderr,
        })
    }

    /// Sends the request over the control socket. The child's ends are closed here only with the ticket.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if more requests wait than the socket holds; others if the template has gone, or one of this
    /// process's streams is closed. Nothing was sent then.
    pub fn send(&self, control: impl AsFd) -> io::Result<()> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let to_stderr = self.to_stderr.as_ref();
        let descriptors = [
            self.inherited.as_fd(),
            stdout.as_fd(),
            to_stderr.map_or(stderr.as_fd(), AsFd::as_fd),
        ];
        send_with_descriptors(control, &REQUEST, &descriptors).map(drop)
    }

    /// The sender's ends; the child's are closed.
    pub fn into_ends(self) -> (UnixStream, Option<OwnedFd>) {
        (self.link, self.stderr)
    }
}

/// What a template says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It serves: its first word.
    Serves,
    /// A child was made.
    Made(Pid),
    /// None was, for this error number.
    Failed(i32),
}

/// Reads what a template says; there is one answer for each request, in their order.
#[derive(Debug, Default)]
pub struct Answers {
    /// The beginning of an answer that has not come whole.
    begun: Vec<u8>,
}

impl Answers {
    /// Reads what there is, and adds it to `answers`. False at the end: the template has gone.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing.
    pub fn read(&mut self, control: impl AsFd, answers: &mut Vec<Answer>) -> io::Result<bool> {
        let mut bytes = [0; ANSWERS_AT_ONCE * ANSWER_BYTES];
        let read = read_now(control, &mut bytes)?;
        self.begun.extend_from_slice(&bytes[..read]);
        let whole = self.begun.len() - self.begun.len() % ANSWER_BYTES;
        let numbers = self.begun.drain(..whole).collect::<Vec<_>>();
        answers.extend(numbers.chunks_exact(ANSWER_BYTES).map(|number| {
            let number = i32::from_ne_bytes(number.try_into().expect("a chunk is an answer"));
            match Pid::new(number) {
                Some(pid) => Answer::Made(pid),
                None if number == 0 => Answer::Serves,
                None => Answer::Failed(number.saturating_neg()),
            }
        }));
        Ok(read > 0)
    }
}

/// Has the template end: it reads the end of what it is asked.
///
/// # Errors
///
/// If the socket is no socket any more.
pub fn dismiss(control: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(control, rustix::net::Shutdown::Both)?)
}

/// Children of this process that a template has made and of which it could not tell any more, because it died: those that
/// are not known, and have not named themselves.
///
/// To be asked once the template has closed its control socket: from then on it makes none.
pub fn strays(known: &Children) -> Vec<Pid> {
    let own = Pid::current();
    let children = usage::processes_below(own).into_iter();
    let children = children.filter(|process| process.parent == own && process.name == SHORT_NAME);
    let pids = children.map(|process| process.pid);
    pids.filter(|pid| !known.contains(*pid)).collect()
}

/// Why there is no template process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A fork would leave the other threads out, with whatever they hold.
    #[error("a template process needs a process of one thread")]
    Threads(#[from] NotSingleThread),
    /// The parent ended meanwhile.
    #[error("process {expected}, which is to ask the template, is no longer its parent")]
    ParentGone {
        /// Its pid.
        expected: Pid,
    },
    /// A call of the system failed.
    #[error("failed to {step}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl TemplateError {
    fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { step, source }
    }
}
