//! Where a child process enters the program, instead of running `main` again.

use std::collections::HashMap;
use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pulsar_sys::boot::{Errand, SingleThread};
use pulsar_sys::template::{Seat, Served};
use pulsar_sys::{BootSocket, Build, CodeOffset, boot, occupation, trusting};
use pulsar_wire::{Aid, BootRecord, Frame, FrameView, Incarnation, Kind};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arbiter::orphans;
use crate::delivery::Held;
use crate::hosting::host;
use crate::last_word::tell_before_abort;
use crate::node::{Node, Timing, Upward};
use crate::placement::ChildIdentity;
use crate::ways::Ways;
use crate::{Cause, Context, Error, EventLoop, Result, Role, SpawnError};
use pulsar_actor::runtime::{
    Behaviour, Hooks, Identity, Life, Mailbox, Wanted, drives, own_thread, patrol,
};
use pulsar_child::LogConfig;
use pulsar_child::{Letter, MARK, SetAside, Surroundings, Way, settle};
use pulsar_link::LinkPolicy;
use pulsar_link::payload::{NATIVE, decode, encode};
use pulsar_link::{Arrivals, Begun, Body, Intake, Link, LinkHandler, Opening, pump};
use pulsar_reports::Reports;

/// How long the last word may take to leave, at most, and as a part of the exit timeout: what is
/// left of that when the drain timeout is over has room for it.
const LAST_WORD_TIMEOUT: Duration = Duration::from_millis(300);
const LAST_WORD_SHARE: f64 = 0.03;
/// An actor is easier for the kernel to kill than the arbiter, by this much of 1,000.
const OOM_SCORE_ABOVE_ARBITER: i32 = 300;
/// The exit code of a process that has no part in a system: `EX_SOFTWARE` of sysexits.
const EXIT_NO_PART: i32 = 70;
/// The exit code after a panic, as Rust has it.
const EXIT_PANIC: i32 = 101;

/// What runs in a process before it may be forked from, or before it becomes an actor.
pub type Preload = fn() -> Result<()>;

static MARKED: AtomicBool = AtomicBool::new(false);
static SET_ASIDE: Mutex<SetAside> = Mutex::new(SetAside::None("the program has not been entered"));

/// The entry of a program. In a child it runs the actor, in a template process the forks of it, and never returns; elsewhere
/// it makes the template process, and marks the program as one whose children enter here.
pub fn enter(preload: Option<Preload>) {
    enter_child(preload);
    mark(Some(Way::Template), preload);
}

/// The part of the entry that is for children: elsewhere it does nothing.
pub fn enter_child(preload: Option<Preload>) {
    if let Some(socket) = boot::take() {
        end(socket
            .map_err(Error::from)
            .and_then(|socket| match socket.errand {
                Errand::Actor => load(preload).and_then(|()| run(socket, None)),
                Errand::Template => {
                    let seat = Seat::of(socket).map_err(Error::from);
                    leave(seat.and_then(|seat| serve(seat, preload)))
                }
            }));
    }
}

/// The part of the entry that is for the arbiter's process, once. Without a way no template is made, whatever the
/// environment says.
pub fn mark(by_default: Option<Way>, preload: Option<Preload>) {
    if MARKED.swap(true, Ordering::AcqRel) {
        return;
    }
    let set_aside = match by_default.map(Way::or_as_said) {
        Some(Way::Template) => set_aside(preload),
        Some(Way::Exec) | None => SetAside::None("so the program or its environment says"),
    };
    *SET_ASIDE.lock() = set_aside;
}

/// Forks the template process. In the template it does not return.
fn set_aside(preload: Option<Preload>) -> SetAside {
    SetAside::fork().unwrap_or_else(|seat| leave(serve(seat, preload)))
}

/// What the entry has set aside, for the arbiter: once.
pub(crate) fn take_set_aside() -> SetAside {
    let taken = SetAside::None("it was taken before");
    std::mem::replace(&mut *SET_ASIDE.lock(), taken)
}

/// True if children of this program enter by [`enter`].
pub(crate) fn is_marked() -> bool {
    MARKED.load(Ordering::Acquire)
}

/// The end of a process that is not the arbiter's.
#[expect(
    clippy::exit,
    reason = "a child ends here: it must not reach the user's main"
)]
fn end(lived: Result<i32>) -> ! {
    std::process::exit(exit_code(lived))
}

/// The end of a template, and of each process that was forked from it. What they have of functions that are to run at an
/// exit are the template's; and to run those, and to tear down what the kernel takes back at once, would be a good part of
/// what the end of a process costs.
fn leave(lived: Result<i32>) -> ! {
    boot::leave(exit_code(lived))
}

/// The exit code; says on stderr why a process has not become an actor.
fn exit_code(lived: Result<i32>) -> i32 {
    lived.unwrap_or_else(|error| {
        let why = error.one_line();
        // Nobody may be reading: the exit code says it too.
        let _ = writeln!(
            io::stderr(),
            "pulsar: this process cannot become an actor: {why}"
        );
        EXIT_NO_PART
    })
}

/// The life of a template, and of each process that is forked from it; its exit code.
fn serve(mut seat: Seat, preload: Option<Preload>) -> Result<i32> {
    // What a loop has of signals takes six pages of memory: so forks have it in common until they write to it. Before what
    // is preloaded, which may have a loop for a while as well.
    seat.begin_for_clones(new_loop)?;
    load(preload)?;
    // Here, so that its forks need not.
    raise_oom_score();
    boot::ignore_terminal_signals();
    if let Err(error) = boot::raise_open_files() {
        tracing::debug!(%error, "limit of open files stays as it is");
    }
    settle();
    warm_up();
    match seat.serve()? {
        Served::Child(socket, alone) => run(socket, Some(alone)),
        Served::Over => Ok(0),
    }
}

/// Does once what each fork would do anew: symbols are looked up by the loader when they are first used, and the program's
/// image is looked for.
fn warm_up() {
    let written = encode(NATIVE, &LinkPolicy::default()).unwrap_or_default();
    let _ = decode::<LinkPolicy>(NATIVE, &written);
    let _ = CodeOffset::of(warm_up as fn());
    Build::settle();
    // A fork that says nothing on it has only to see that.
    let _ = io::stdout().flush();
}

fn load(preload: Option<Preload>) -> Result<()> {
    preload.map_or(Ok(()), |preload| preload())
}

/// While it sleeps, the arbiter sees that, and need not wake it to hear that it lives.
fn new_loop() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .on_thread_park(occupation::fall_asleep)
        .on_thread_unpark(occupation::wake_up)
        .build()
}

fn raise_oom_score() {
    if let Err(error) = boot::raise_oom_score(OOM_SCORE_ABOVE_ARBITER) {
        tracing::debug!(%error, "oom_score_adj stays as it is");
    }
}

/// A child's whole life; its exit code. A fork of a template comes with the proof that it has one thread.
fn run(socket: BootSocket, forked: Option<SingleThread>) -> Result<i32> {
    // All that is not the user's, while the arbiter does its part. First what needs no word of it.
    if forked.is_none() {
        raise_oom_score();
        boot::ignore_terminal_signals();
    }
    let runtime = new_loop()?;
    let event_loop = EventLoop::from(runtime.handle().clone());
    let (_seat, _patrolled) = (drives(&event_loop), patrol(&event_loop));
    let Some(told) = listen(&socket, forked.as_ref())? else {
        // Nobody wants this process any more.
        return Ok(0);
    };
    // Boxed, here and below: the loop moves what it is given from frame to frame, and each would have pages of the stack.
    let cause = runtime.block_on(Box::pin(live(socket, told)))?;
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(code_of(&cause))
}

/// What a child was told before its loop ran.
struct Told {
    opening: Opening,
    identity: ChildIdentity,
    log: Option<LogConfig>,
}

/// Reads what the arbiter has to tell, makes this process what it is to be, and waits for the word to go on. `None` if nobody
/// wants it any more.
// What it has on the stack is no more when the loop runs: each page below that would be one that the process goes on having.
#[inline(never)]
fn listen(socket: &BootSocket, forked: Option<&SingleThread>) -> Result<Option<Box<Told>>> {
    let Some(mut opening) = Opening::receive(&socket.link)? else {
        return Ok(None);
    };
    let identity: ChildIdentity = decode(NATIVE, &opening.record.identity)?;
    let surroundings = Surroundings::read(&opening.record.world).map_err(Error::from)?;
    let warnings = surroundings.apply(&orphans::mark(&identity.birth), forked)?;
    let log: Option<LogConfig> = decode(NATIVE, &opening.record.log)?;
    if let Some(log) = &log {
        log.init();
    }
    for warning in warnings {
        tracing::warn!(warning, "the world of this process is not as it should be");
    }
    // Its limits are set then. What follows that word stays.
    if opening.next_byte(&socket.link)? != Letter::GO {
        return Err(Error::msg(
            "what follows the boot record is not the word to go on",
        ));
    }
    // From here on it is no fork that nobody knows of: who looks for those, or for orphans, sees that.
    show(&identity.birth, forked.is_some());
    // To the limit that it is to have.
    if let Err(error) = boot::raise_open_files() {
        tracing::debug!(%error, "limit of open files stays as it is");
    }
    Ok(Some(Box::new(Told {
        opening,
        identity,
        log,
    })))
}

/// Has tools show the process by the name of its actor; a fork, as they show one that was executed: by its arguments and its
/// mark too.
fn show(birth: &Identity, is_forked: bool) {
    let name = birth.process_name();
    if let Err(error) = boot::name_process(name.as_ref()) {
        tracing::debug!(%error, "the process keeps its name");
    }
    if !is_forked {
        return;
    }
    let program = std::env::args_os().next().unwrap_or_default();
    let name: OsString = format!("[{name}]").into();
    let mark: OsString = format!("{MARK}={}", orphans::mark(birth)).into();
    if let Err(error) = boot::retitle(&[&program, &name], &[&mark]) {
        tracing::debug!(%error, "tools show this process as its template");
    }
}

fn code_of(cause: &Cause) -> i32 {
    match cause {
        Cause::Normal | Cause::Stopped => 0,
        Cause::Panic(_) => EXIT_PANIC,
        _ => 1,
    }
}

async fn live(socket: BootSocket, told: Box<Told>) -> Result<Cause> {
    let Alive {
        cx,
        link,
        reports,
        pump,
        life,
    } = come_alive(socket, told)?;
    let cause = match life {
        Ok(life) => life.await,
        Err(mistake) => Cause::Failed(mistake.to_string()),
    };
    say_end(&cx, &link, &reports, &cause).await;
    let _ = timeout(last_word(&cx), pump).await;
    Ok(cause)
}

/// An actor whose process has begun.
struct Alive {
    cx: Context,
    link: Arc<Link>,
    reports: Reports,
    pump: JoinHandle<()>,
    /// Its whole life; or why it cannot be what it was to be.
    life: Result<Pin<Box<dyn Future<Output = Cause> + Send>>, SpawnError>,
}

/// On the loop: makes the actor of what was told, says hello, and begins to speak with the arbiter.
// As with `listen`.
#[inline(never)]
fn come_alive(socket: BootSocket, told: Box<Told>) -> Result<Alive> {
    let Told {
        opening,
        identity,
        log,
    } = *told;
    let Opening {
        record,
        named,
        shared,
        rest,
    } = opening;
    // The rest of the record is let go of: it lies in one buffer with what the link goes on to read into.
    let (timing, links): (Timing, LinkPolicy) = decode(NATIVE, &record.timing)?;
    let BootRecord {
        behaviour,
        descriptors,
        ..
    } = record;
    let behaviour = read_behaviour(behaviour, shared)?;
    let aid = identity.birth.aid;
    let link = Link::new(Aid::new(aid.arbiter(), Aid::ARBITER_PLACE));
    let link = Arc::new(links.apply(link, false));
    let upward = Upward::Child {
        link: Arc::clone(&link),
        places: Mutex::new(identity.places),
        ways: Ways::default(),
    };
    let first = first_task(identity.birth.incarnation);
    let node = Arc::new(Node::new(aid, first, timing, upward));
    if let Some(log) = log {
        let _ = node.log.set(log);
    }
    *node.links.lock() = links;
    node.install();
    let (hooks, mistake) = match behaviour.resolve() {
        Ok(hooks) => (hooks, None),
        Err(error) => (Hooks::default(), Some(error)),
    };
    let (capacity, overflow) = (identity.mailbox_capacity, identity.overflow);
    let mailbox = Mailbox::new(hooks.kind, capacity, overflow);
    let descriptors: HashMap<_, _> = descriptors.into_iter().zip(named).collect();
    let cx = Context::new(
        identity.birth.into(),
        hooks.kind,
        node.share(),
        mailbox,
        descriptors,
    );
    node.registry.lock().host(&cx, Role::Actor);
    own_thread(cx.clone());
    occupation::show(cx.cell().occupation());
    stop_on_term(&cx)?;
    tell_before_abort(&link, socket.link.as_fd())?;
    // Before the link is read: the first thing that the arbiter hears is the hello.
    let wanted = Arc::default();
    let reports = Reports::Link(Arc::clone(&link), Arc::clone(&wanted));
    reports.hello(cx.aid(), cx.incarnation());
    let handler = FromArbiter::new(node, &cx, wanted);
    let pump = tokio::spawn(Box::pin(speak(handler, Arc::clone(&link), socket, rest)));
    let begin = || Ok(begin_life(&cx, hooks, reports.clone()));
    let life = mistake.map_or_else(begin, Err);
    Ok(Alive {
        cx,
        link,
        reports,
        pump,
        life,
    })
}

#[inline(never)]
fn begin_life(
    cx: &Context,
    hooks: Hooks,
    reports: Reports,
) -> Pin<Box<dyn Future<Output = Cause> + Send>> {
    Box::pin(host(cx, Life::new(cx.clone(), hooks, reports)))
}

/// The actor has ended: its manager is told, after all that it owes.
async fn say_end(cx: &Context, link: &Link, reports: &Reports, cause: &Cause) {
    // The replies that it owes before the news of its end.
    if let Upward::Child { ways, .. } = &Node::of(cx).upward {
        ways.close(last_word(cx)).await;
    }
    reports.ended(cause).await;
    link.close();
}

/// How long the last word may take to leave.
fn last_word(cx: &Context) -> Duration {
    LAST_WORD_TIMEOUT.min(cx.cell().birth.exit_timeout.mul_f64(LAST_WORD_SHARE))
}

/// Reads what the actor is to be. Of the descriptors that come with it, those that nothing takes are closed here.
fn read_behaviour(bytes: Bytes, shared: Vec<OwnedFd>) -> Result<Behaviour> {
    let passed = shared.into();
    let behaviour = Body { bytes, passed };
    Ok(trusting(|| behaviour.read(NATIVE))?)
}

/// Where the ids of tasks begin in this life: so far from those of the lives before that a stale
/// reference finds nobody rather than a stranger.
fn first_task(incarnation: Incarnation) -> u32 {
    const IDS_IN_A_LIFE: u32 = 1 << 20;
    (incarnation.0 - 1)
        .wrapping_mul(IDS_IN_A_LIFE)
        .wrapping_add(1)
}

/// TERM stops this actor, gracefully. INT and HUP from a terminal are the arbiter's to judge.
fn stop_on_term(cx: &Context) -> Result<()> {
    let mut terms = signal(SignalKind::terminate())?;
    let cx = cx.clone();
    tokio::spawn(async move {
        while terms.recv().await.is_some() {
            cx.stop();
        }
    });
    Ok(())
}

/// Speaks with the arbiter until the link ends. Without an arbiter there is nothing to live for.
async fn speak(handler: FromArbiter, link: Arc<Link>, socket: BootSocket, begun: Begun) {
    let cx = handler.cx.clone();
    let stream = socket.link;
    if let Err(error) = stream.set_nonblocking(true) {
        tracing::error!(%error, "link to the arbiter cannot be used");
        link.end(&Cause::Unknown);
        return cx.stop();
    }
    let reason = pump(&link, stream, begun, &handler).await;
    tracing::debug!(%reason, "link to the arbiter ended");
    link.end(&Cause::Unknown);
    cx.stop();
}

/// Handles what the arbiter says.
struct FromArbiter {
    node: Arc<Node>,
    cx: Context,
    /// Whether it wants a notify.
    wanted: Arc<Wanted>,
    arrivals: Arc<Arrivals<Held>>,
}

impl FromArbiter {
    fn new(node: Arc<Node>, cx: &Context, wanted: Arc<Wanted>) -> Self {
        Self {
            node,
            cx: cx.clone(),
            wanted,
            arrivals: Arc::default(),
        }
    }
}

impl LinkHandler for FromArbiter {
    fn take_in(&self, link: &Arc<Link>, command: &FrameView<'_>) -> Intake {
        self.node.take_in(link, command, &self.arrivals)
    }

    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        let node = &self.node;
        match frame.kind {
            Kind::Stop => self.cx.stop(),
            Kind::NotifyWanted => {
                let since_us = frame.body.as_ref().try_into();
                let since_us = since_us.map_err(|_| "it wants a notify, and not since when")?;
                self.wanted.came(u64::from_le_bytes(since_us));
            }
            Kind::Ask | Kind::Tell => {
                return node.command_came(link, frame, descriptors, &self.arrivals);
            }
            Kind::Reply | Kind::Failure | Kind::Undelivered => {
                link.reply_came(frame, descriptors);
            }
            Kind::Credit => return link.credit_came(&frame),
            Kind::Peer => {
                // The link first: who sought it finds it when the answer comes.
                if frame.descriptors > 0 {
                    node.link_came(&frame, descriptors)?;
                }
                if frame.request != 0 {
                    link.reply_came(frame, Vec::new());
                }
            }
            Kind::NameGone => {
                let name = std::str::from_utf8(&frame.body).map_err(|error| error.to_string())?;
                node.name_gone(name);
            }
            Kind::PeerEnded => {
                let cause = decode(NATIVE, &frame.body).map_err(|error| error.to_string())?;
                node.peer_ended(&frame, &cause)?;
            }
            other => return Err(format!("the arbiter does not send {other:?}")),
        }
        Ok(())
    }

    fn takes_descriptors(&self, kind: Kind) -> bool {
        matches!(
            kind,
            Kind::Ask | Kind::Tell | Kind::Reply | Kind::Failure | Kind::Peer
        )
    }
}
