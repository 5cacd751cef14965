//! `main` under an arbiter: from start to exit code.

use std::future::Future;
use std::io::Write;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use pulsar_wire::{Aid, ArbiterId, Incarnation};
use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::start::{self, Start, StartError};
use super::{Master, orphans, shutdown, signals};
use crate::entry::Preload;
use crate::node::{Node, Timing, Upward};
use crate::{
    Anyone, Context, Error, EventLoop, Executor, Extra, OnStop, Overflow, Placement, Result, Role,
    entry,
};
use pulsar_actor::runtime::{
    ActorKind, DEFAULT_CAPACITY, Hooks, Identity, LONGEST, Life, Mailbox, drives, own_thread,
    patrol, release_thread, scope,
};
use pulsar_child::{RELAY, SetAside, exits, keep};
use pulsar_link::LinkPolicy;
use pulsar_link::open_seats;
use pulsar_policy::notify_period;
use pulsar_reports::Reports;

/// How long blocking jobs of the program may go on after its end.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(100);
/// How long the last that actors said may take to be written.
const LAST_LINES: Duration = Duration::from_millis(200);
/// How long `main` has to return once the arbiter was asked to stop and all actors have ended.
const MAIN_GRACE: Duration = Duration::from_secs(2);

/// Runs `main` on the arbiter's loop, on the calling thread, which is the program's main thread;
/// then stops all actors. In a child it runs the child's actor instead and does not return.
///
/// The exit code is that of [`halt`](super::halt), if an actor has called it; else that of what `main`
/// returns; 0 if the arbiter was asked to stop and `main` has not returned two seconds after the end
/// of all actors; 1 if the arbiter could not begin.
pub(crate) fn run_main<F, Fut>(main: F, preload: Option<Preload>) -> ExitCode
where
    F: FnOnce() -> Fut,
    Fut: Future<Output: Termination> + Send + 'static,
{
    entry::enter(preload);
    match run(|_, _| main()) {
        Ok(code) => code,
        Err(error) => {
            // Nobody may be reading: the exit code says it too.
            let error = Error::from(error);
            let line = format!("pulsar: the arbiter cannot begin: {}", error.one_line());
            let _ = writeln!(std::io::stderr(), "{line}");
            ExitCode::FAILURE
        }
    }
}

/// The arbiter's whole life, with `main` as a part of it: it is given what is to run at the start.
///
/// # Errors
///
/// If there was none.
pub(super) fn run<F, Fut>(main: F) -> Result<ExitCode, StartError>
where
    F: FnOnce(Context, Vec<Start>) -> Fut,
    Fut: Future<Output: Termination> + Send + 'static,
{
    let starts = start::begin()?;
    if let Err(error) = pulsar_sys::boot::raise_open_files() {
        tracing::debug!(%error, "limit of open files stays as it is");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let event_loop = EventLoop::from(runtime.handle().clone());
    let (seat, _patrolled) = (drives(&event_loop), patrol(&event_loop));
    let code = runtime.block_on(async {
        let (cx, life) = begin()?;
        let keeper = tokio::spawn(keep_template(Node::of(&cx), entry::take_set_aside()));
        let body = main(cx.clone(), starts);
        let code = live(&cx, life, body).await;
        if let Some(master) = Node::of(&cx).master() {
            master.templates.close();
        }
        // Its waits are bounded. That it has failed matters to nobody any more.
        let _ = keeper.await;
        Ok(code)
    });
    release_thread();
    drop(seat);
    if let Some(node) = Node::current() {
        node.close();
    }
    RELAY.flush(LAST_LINES);
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    code
}

/// Reaps children for as long as the loop turns.
async fn reap(node: Arc<Node>, exits: Signal) {
    if let Some(master) = node.master() {
        exits::watch(&master.brood, exits, || master.orphans.child_exited()).await;
    }
}

/// Keeps a process from which children are forked, if one was set aside.
async fn keep_template(node: Arc<Node>, first: SetAside) {
    if let Some(master) = node.master() {
        keep(&master.brood, &master.templates, first).await;
    }
}

/// From the arbiter's first to its last step; the exit code.
async fn live(
    cx: &Context,
    life: Life,
    body: impl Future<Output: Termination> + Send + 'static,
) -> ExitCode {
    let mut life = tokio::spawn(life.live());
    // A task, not the future of `block_on`: only tasks take turns.
    let body = async move { body.await.report() };
    let body = tokio::spawn(scope(cx.clone(), body));
    // The arbiter answers for as long as there is anybody to ask it.
    let (last_to_end, until_all_ended) = oneshot::channel::<()>();
    cx.spawn(async move { drop(until_all_ended.await) });
    let code = supervise(cx, body).await;
    drop(last_to_end);
    cx.stop();
    // All others have ended. Commands that the arbiter still runs are of no more use to anybody else.
    let own = Node::of(cx).timing.exit_timeout;
    if tokio::time::timeout(own, &mut life).await.is_err() {
        tracing::warn!("what the arbiter itself ran is cut: it did not end in time");
        cx.cell().kill.cancel();
        drop(life.await);
    }
    // After the arbiter's own end: what the last of the others said to it has been heard.
    let halted = Node::of(cx).master().and_then(Master::halted);
    halted.map_or(code, ExitCode::from)
}

/// Makes the arbiter and its node.
fn begin() -> Result<(Context, Life), StartError> {
    let id = ArbiterId::from_entropy(RandomState::new().hash_one(std::process::id()));
    let aid = Aid::new(id, Aid::ARBITER_PLACE);
    let timing = Timing::default();
    let birth = Identity {
        aid,
        incarnation: Incarnation::FIRST,
        name: "arbiter".to_owned(),
        placement: Placement::Process,
        age: 0,
        generation: 1,
        manager: aid,
        // Its own end waits for that of all others, each of which has its bound.
        exit_timeout: LONGEST,
        notify_every: notify_period(timing.timeout),
        on_stop: OnStop::default(),
        params: Extra::default(),
        thread_workers: Executor::default_threads(),
    };
    let (exits, signals) = (exits::listen()?, signals::listen()?);
    let upward = Upward::Master(Master::new(Handle::current()));
    let node = Arc::new(Node::new(aid, 1, timing, upward));
    let links = LinkPolicy::from_environment();
    *node.links.lock() = links;
    if links.rings {
        open_seats();
    }
    if !node.install() {
        return Err(StartError::Begun);
    }
    let kind = ActorKind::of::<Anyone>();
    let mailbox = Mailbox::new(kind, DEFAULT_CAPACITY, Overflow::default());
    let cx = Context::new(birth.into(), kind, node.share(), mailbox, HashMap::new());
    node.registry.lock().host(&cx, Role::Arbiter);
    own_thread(cx.clone());
    start::is_there(&node, &cx);
    tokio::spawn(reap(Arc::clone(&node), exits));
    tokio::spawn(orphans::watch(Arc::clone(&node)));
    tokio::spawn(signals::watch(node, cx.clone(), signals));
    let life = Life::new(cx.clone(), Hooks::default(), Reports::None);
    Ok((cx, life))
}

/// Waits for the end of `main`, or for the arbiter to be asked to stop; then stops all actors.
async fn supervise(cx: &Context, mut body: JoinHandle<ExitCode>) -> ExitCode {
    let node = &Node::of(cx);
    let ended = tokio::select! {
        ended = &mut body => Some(ended),
        () = cx.stop_asked() => None,
    };
    shutdown::stop_all(node).await;
    // One that fails is not tried again: the program ends.
    let _ = orphans::look(node).await;
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => tokio::time::timeout(MAIN_GRACE, &mut body).await,
    };
    match ended {
        Ok(Ok(code)) => code,
        Ok(Err(error)) if error.is_panic() => ExitCode::from(101),
        // It was asked to stop, and `main` had nothing to say to that.
        Ok(Err(_)) | Err(_) => {
            body.abort();
            ExitCode::SUCCESS
        }
    }
}
