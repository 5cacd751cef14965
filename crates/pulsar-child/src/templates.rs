//! The template process, from which process actors are forked, and what is done when it dies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pulsar_sys::template::{self, Answer, Answers, Template, Ticket};
use pulsar_sys::{ExecSpec, Exit, Inheritance, Pid, Signal, Survey, Surveyed, usage};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{Brood, Letter, SetAside};

/// A fork takes a fraction of a millisecond. A template that does not answer for so long is stopped, or lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long spawns wait for a new template, which may have much to preload; then they go by exec, until it serves.
const PREPARE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end a template that was killed.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// One that lived for so long was a good one: what came before it is forgotten.
const GOOD_LIFE: Duration = Duration::from_secs(10);
/// Templates that end early, one after the other: past this many there is something wrong with them.
const MOST_EARLY_ENDS: u32 = 8;
/// The first of those is replaced at once, the others after waits that double, from the first of these to the second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A fork copies the tables of all this: 512 MiB cost 10 ms, where an empty template takes 0.1 ms. Above this it is told.
const MUCH_MEMORY_BYTES: u64 = 64 << 20;

/// The arbiter's template, if it has one.
#[derive(Debug, Default)]
pub struct Templates {
    state: Mutex<State>,
    closed: Notify,
}

#[derive(Debug, Default)]
enum State {
    /// There is none, or it is being made: processes are made by exec.
    #[default]
    Absent,
    There(Arc<Desk>),
    /// The arbiter ends.
    Closed,
}

/// A process that was made, and what its maker holds of it.
pub struct Made {
    /// Its pid.
    pub pid: Pid,
    /// Resolves when it has exited.
    pub exit: oneshot::Receiver<Exit>,
    /// This process's end of its link.
    pub link: UnixStream,
    /// Where its standard error stream is read, if that is a pipe.
    pub stderr: Option<OwnedFd>,
}

/// Why the template has made no process.
pub enum Unforked {
    /// It has gone, or does not serve. Another way may do.
    Gone,
    /// The system does not give one.
    Refused(io::Error),
}

impl Templates {
    /// Orders a fork, if there is a template: before it is known whether that has what children are to inherit, so that it
    /// forks meanwhile. Say that by [`Ordered::if_inherits`] before anything is sent to the fork.
    pub fn order(&self, brood: &Brood, pipes_stderr: bool) -> Option<Ordered> {
        let desk = match &*self.state.lock() {
            State::There(desk) => Arc::clone(desk),
            State::Absent | State::Closed => return None,
        };
        let is_early = *desk.stage.borrow() == Stage::Preparing;
        let sent = match is_early {
            true => None,
            false => Some(desk.send(brood, pipes_stderr)),
        };
        Some(Ordered {
            desk,
            pipes_stderr,
            sent,
        })
    }

    /// What children are to inherit is not what this template has: it is made anew.
    fn outdated(&self, desk: &Arc<Desk>) {
        tracing::debug!(
            "what children inherit has changed since the template process was made: it is made anew"
        );
        desk.dismiss();
        let mut state = self.state.lock();
        if matches!(&*state, State::There(there) if Arc::ptr_eq(there, desk)) {
            *state = State::Absent;
        }
    }

    /// The template and the descriptor over which it is asked.
    pub fn template(&self) -> Option<(Pid, RawFd)> {
        match &*self.state.lock() {
            State::There(desk) => Some((desk.pid, desk.control.as_raw_fd())),
            State::Absent | State::Closed => None,
        }
    }

    /// The arbiter ends, and its template with it.
    pub fn close(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed);
        if let State::There(desk) = state {
            desk.dismiss();
        }
        self.closed.notify_one();
    }

    /// False if the arbiter ends.
    fn open(&self, desk: &Arc<Desk>) -> bool {
        let mut state = self.state.lock();
        let is_open = !matches!(*state, State::Closed);
        match is_open {
            true => *state = State::There(Arc::clone(desk)),
            false => desk.dismiss(),
        }
        is_open
    }

    /// The template is gone. False if the arbiter ends.
    fn lose(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = !matches!(*state, State::Closed);
        if is_open {
            *state = State::Absent;
        }
        is_open
    }
}

/// Keeps a template for as long as the arbiter lives, beginning with the one that was forked at the program's entry. If none
/// was, there will be none.
pub async fn keep(brood: &Brood, templates: &Templates, first: SetAside) {
    let first = match first {
        SetAside::Template(first) if first.is_as_made() => Ok((first.template, first.inheritance)),
        SetAside::Template(_) => {
            tracing::debug!("the program has changed its process or namespaces since its entry");
            make_another()
        }
        SetAside::None(why) => {
            tracing::debug!(why, "processes are made by exec");
            return;
        }
    };
    let (mut next, mut early_ends) = (first, 0);
    loop {
        let begun = Instant::now();
        match next {
            Ok((template, inheritance)) => live(brood, templates, template, inheritance).await,
            Err(error) => tracing::debug!(%error, "no template process could be made"),
        }
        if !templates.lose() {
            return;
        }
        early_ends = match begun.elapsed() >= GOOD_LIFE {
            true => 1,
            false => early_ends + 1,
        };
        if early_ends > MOST_EARLY_ENDS {
            tracing::warn!(
                "{MOST_EARLY_ENDS} template processes have ended early: processes are made by exec from now on"
            );
            return;
        }
        let wait = wait_before(early_ends);
        tokio::select! {
            () = sleep(wait) => {}
            () = templates.closed.notified() => return,
        }
        next = make_another();
    }
}

/// How long to wait after so many early ends.
fn wait_before(early_ends: u32) -> Duration {
    match early_ends.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_WAIT
            .saturating_mul(1 << doublings.min(16))
            .min(LONGEST_WAIT),
    }
}

/// By exec: the arbiter's process has threads by now.
fn make_another() -> io::Result<(Template, Inheritance)> {
    let Surveyed {
        inheritance, world, ..
    } = Survey::begin()?.look()?;
    let spec = ExecSpec {
        environment: world.environment,
        program_name: std::env::args_os()
            .next()
            .unwrap_or_else(|| OsString::from("pulsar")),
        arguments: vec![template::NAME.into()],
        pipes_stderr: false,
    };
    let template = template::execute(&spec).map_err(io::Error::other)?;
    Ok((template, inheritance))
}

/// The life of one template, to its end.
async fn live(brood: &Brood, templates: &Templates, template: Template, inheritance: Inheritance) {
    let pid = template.pid;
    let exit = brood.adopt(pid);
    match Desk::new(template, inheritance) {
        Ok(desk) => {
            let desk = Arc::new(desk);
            if templates.open(&desk) {
                desk.listen(brood).await;
            }
            desk.dismiss();
            end(brood, pid, exit).await;
            desk.close(brood).await;
        }
        Err(error) => {
            tracing::debug!(%error, "the template process cannot be asked");
            end(brood, pid, exit).await;
        }
    }
}

/// Ends a process that is of no more use. One that this process may not kill, as it has given up its privileges since, ends
/// by itself when nobody asks it any more.
async fn end(brood: &Brood, pid: Pid, exit: oneshot::Receiver<Exit>) {
    brood.signal(pid, Signal::Kill);
    let _ = timeout(END_PATIENCE, exit).await;
}

/// A fork that has been ordered. Dropped, it is for nobody: a process that was made for it finds the end of its link, and
/// ends.
pub struct Ordered {
    desk: Arc<Desk>,
    pipes_stderr: bool,
    /// Nothing while the template prepares.
    sent: Option<Result<Sent, Unforked>>,
}

/// An order on its way.
struct Sent {
    answer: oneshot::Receiver<Answered>,
    link: UnixStream,
    stderr: Option<OwnedFd>,
}

impl Ordered {
    /// The same if the fork inherits this; else nothing, and the template is made anew.
    pub fn if_inherits(self, templates: &Templates, inheritance: &Inheritance) -> Option<Self> {
        if self.desk.inheritance == *inheritance {
            return Some(self);
        }
        templates.outdated(&self.desk);
        None
    }

    /// Sends the letter to the fork, as far as it may be sent and has room, and waits until the fork is there.
    ///
    /// # Errors
    ///
    /// [`Unforked`].
    ///
    /// # Cancel safety
    ///
    /// A process that was made for nobody finds the end of its link, and ends.
    pub async fn made(self, brood: &Brood, letter: &mut Letter) -> Result<Made, Unforked> {
        let desk = &self.desk;
        let sent = match self.sent {
            Some(sent) => sent?,
            None if desk.serves().await => desk.send(brood, self.pipes_stderr)?,
            None => return Err(Unforked::Gone),
        };
        // While the template forks. A failure is seen again by who sends the rest.
        let _ = letter.send(&sent.link);
        match timeout(ANSWER_TIMEOUT, sent.answer).await {
            Ok(Ok(Ok((pid, exit)))) => Ok(Made {
                pid,
                exit,
                link: sent.link,
                stderr: sent.stderr,
            }),
            Ok(Ok(Err(error))) => Err(Unforked::Refused(error)),
            Ok(Err(_)) => Err(Unforked::Gone),
            Err(_) => {
                tracing::warn!(pid = %desk.pid, "the template process does not answer: it is made anew");
                desk.dismiss();
                Err(Unforked::Gone)
            }
        }
    }
}

/// Where one template is asked, and answers.
#[derive(Debug)]
struct Desk {
    pid: Pid,
    /// Only what can be read wakes its reader: requests are sent whether there is room or not.
    control: AsyncFd<UnixStream>,
    /// What its forks inherit.
    inheritance: Inheritance,
    made: Instant,
    stage: watch::Sender<Stage>,
    /// Who waits for an answer, in the order of their requests.
    waiting: Mutex<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Preparing,
    Serves,
    Gone,
}

#[derive(Debug, Default)]
struct Waiting {
    is_over: bool,
    senders: VecDeque<oneshot::Sender<Answered>>,
}

type Answered = Result<(Pid, oneshot::Receiver<Exit>), io::Error>;

impl Desk {
    #[expect(
        deprecated,
        reason = "its successor is `unsafe` and asks for what `UnixStream` promises: it stays open"
    )]
    fn new(template: Template, inheritance: Inheritance) -> io::Result<Self> {
        Ok(Self {
            pid: template.pid,
            control: AsyncFd::with_interest(template.control, Interest::READABLE)?,
            inheritance,
            made: Instant::now(),
            stage: watch::Sender::new(Stage::Preparing),
            waiting: Mutex::default(),
        })
    }

    /// Waits until the template serves. False if it has gone, or takes too long.
    async fn serves(&self) -> bool {
        if *self.stage.borrow() == Stage::Serves {
            return true;
        }
        let mut stage = self.stage.subscribe();
        let deadline = self.made + PREPARE_PATIENCE;
        let stage = timeout_at(deadline, stage.wait_for(|stage| *stage != Stage::Preparing)).await;
        stage.is_ok_and(|stage| stage.is_ok_and(|stage| *stage == Stage::Serves))
    }

    /// Orders a fork of a template that serves.
    fn send(&self, brood: &Brood, pipes_stderr: bool) -> Result<Sent, Unforked> {
        let ticket = Ticket::new(pipes_stderr).map_err(Unforked::Refused)?;
        let answer = self.ask(brood, &ticket).ok_or(Unforked::Gone)?;
        // The child's ends are closed here, so that the link ends with the child.
        let (link, stderr) = ticket.into_ends();
        Ok(Sent {
            answer,
            link,
            stderr,
        })
    }

    /// Sends a request. Under the lock, so that requests and those who wait are in the same order.
    fn ask(&self, brood: &Brood, ticket: &Ticket) -> Option<oneshot::Receiver<Answered>> {
        let mut waiting = self.waiting.lock();
        if waiting.is_over {
            return None;
        }
        // No room is as good as no template: there never are more requests than processes that may boot.
        ticket.send(self.control.get_ref()).ok()?;
        brood.expect();
        let (sender, answer) = oneshot::channel();
        waiting.senders.push_back(sender);
        Some(answer)
    }

    /// Takes answers until the template has gone.
    async fn listen(&self, brood: &Brood) {
        let (mut answers, mut came) = (Answers::default(), Vec::new());
        let mut is_there = true;
        while is_there {
            let read = self.control.async_io(Interest::READABLE, |control| {
                answers.read(control, &mut came)
            });
            is_there = read.await.unwrap_or(false);
            for answer in came.drain(..) {
                self.answered(brood, answer);
            }
        }
    }

    fn answered(&self, brood: &Brood, answer: Answer) {
        let told = match answer {
            Answer::Serves => return self.begin_to_serve(),
            // Adopted here, whoever still waits: it is ours.
            Answer::Made(pid) => Ok((pid, brood.adopt_expected(pid))),
            Answer::Failed(errno) => {
                brood.expect_less();
                Err(io::Error::from_raw_os_error(errno))
            }
        };
        let sender = self.waiting.lock().senders.pop_front();
        if let Some(sender) = sender {
            // One that waits no more has dropped the link, and the child ends.
            let _ = sender.send(told);
        }
    }

    fn begin_to_serve(&self) {
        self.stage.send_replace(Stage::Serves);
        let memory = usage::anonymous_bytes_of(self.pid).unwrap_or(0);
        if memory > MUCH_MEMORY_BYTES {
            let mib = memory >> 20;
            tracing::warn!(
                mib,
                "the template process has much memory of its own, which makes each fork slow: keep large data in `SharedBytes`"
            );
        }
    }

    /// The template ends, by itself.
    fn dismiss(&self) {
        // It may have gone.
        let _ = template::dismiss(self.control.get_ref());
    }

    /// The template has ended, and makes nothing more: who waits is told, and what it has made without telling is ended.
    async fn close(&self, brood: &Brood) {
        self.stage.send_replace(Stage::Gone);
        let senders = {
            let mut waiting = self.waiting.lock();
            waiting.is_over = true;
            std::mem::take(&mut waiting.senders)
        };
        if senders.is_empty() {
            return;
        }
        let strays = brood.adopt_strays();
        for _ in &senders {
            brood.expect_less();
        }
        drop(senders);
        for (pid, exit) in strays {
            end(brood, pid, exit).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_between_templates_double_up_to_a_bound() {
        let waits: Vec<_> = (1..=5).map(wait_before).collect();
        let expected = [0, 100, 200, 400, 800].map(Duration::from_millis);
        assert_eq!(waits, expected);
        assert_eq!(wait_before(u32::MAX), LONGEST_WAIT);
    }
}
