//! An actor on a thread of its own, with a loop of its own.

use std::sync::Arc;
use std::time::Duration;

use pulsar_sys::Pid;

use super::{Commission, Enter, Vessel, local_life};
use crate::hosting::host;
use crate::node::Node;
use crate::{Cause, Context, EventLoop, SpawnError};
use pulsar_actor::runtime::{Life, drives, own_thread, patrol, release_thread};
use pulsar_registry::Reached;
use pulsar_reports::Reports;

/// How long blocking jobs of the actor are waited for at its end.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(100);

/// # Errors
///
/// If its hooks cannot be resolved, its descriptors not duplicated, there is no thread, or too many were
/// abandoned.
pub(super) fn launch(
    node: &Arc<Node>,
    commission: Commission,
    enter: Enter<'_>,
) -> Result<Vessel, SpawnError> {
    if let Some(master) = node.master() {
        master.abandoned.check()?;
    }
    let Commission {
        birth,
        mut order,
        control,
    } = commission;
    let reports = Reports::Local(control);
    let (cx, life) = local_life(node, birth, &mut order, reports.clone())?;
    enter(Reached::Local(cx.clone()), Some(Pid::current()));
    let actor = cx.clone();
    let name = cx.cell().birth.process_name();
    let thread = std::thread::Builder::new()
        .name(name)
        .spawn(move || run(&actor, life, &reports));
    match thread {
        Ok(thread) => Ok(Vessel::Thread(cx, thread)),
        Err(error) => Err(SpawnError::Limit {
            message: format!("no thread can be made: {error}"),
        }),
    }
}

/// The thread, from its first to its last step. Its last step tells the manager: the thread
/// itself is not joined, since one that never returns could not be.
fn run(cx: &Context, life: Life, reports: &Reports) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return say_end(reports, &Cause::Failed(format!("no event loop: {error}"))),
    };
    own_thread(cx.clone());
    let event_loop = EventLoop::from(runtime.handle().clone());
    let (_seat, _patrolled) = (drives(&event_loop), patrol(&event_loop));
    let cause = runtime.block_on(async { host(cx, life).await });
    release_thread();
    // Blocking jobs may go on: the news of the end do not wait for them.
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    say_end(reports, &cause);
}

fn say_end(reports: &Reports, cause: &Cause) {
    if let Reports::Local(events) = reports
        && events
            .blocking_send(pulsar_policy::ChildEvent::EndSaid(cause.clone()))
            .is_err()
    {
        tracing::debug!("the manager has already let go of this actor");
    }
}
