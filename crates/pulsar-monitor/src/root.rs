//! The start of a monitor that no other has started: above it stands the arbiter.

use pulsar_core::runtime::{MAX_WORKERS, Nursery};
use pulsar_core::{Incarnation, Placement, RawProxy, SpawnError};
use pulsar_policy::GroupStatus;
use tokio::sync::watch;

use crate::child::Kind;
use crate::group::{Group, Members};
use crate::handle::MonitorHandle;
use crate::keeper::gone;
use crate::tree::Escalation;

/// The exit code of a program of which a monitor has given up.
const GAVE_UP: u8 = 1;

/// Starts a monitor under the arbiter.
///
/// # Errors
///
/// See [`Monitor::start`](crate::Monitor::start).
pub(crate) async fn start(
    group: Group,
    escalation: Escalation,
) -> Result<MonitorHandle, SpawnError> {
    let nursery = Nursery::here()?;
    check(&group)?;
    let (to_status, status) = watch::channel(GroupStatus::default());
    let aid = nursery.new_place(Placement::Process)?;
    let raised = group.raise(aid, Incarnation::FIRST, None, &nursery, to_status)?;
    raised.ready.await.unwrap_or_else(|_| Err(gone()))?;
    let handle = MonitorHandle {
        proxy: RawProxy::new(aid, &group.name).into(),
        nursery,
        status,
    };
    if escalation == Escalation::EndProgram {
        tokio::spawn(escalate(handle.clone(), group.name));
    }
    Ok(handle)
}

/// What is wrong with the description, here and below, is told before anything is started.
fn check(group: &Group) -> Result<(), SpawnError> {
    match &group.members {
        Members::Pool { workers, .. } if *workers > MAX_WORKERS => Err(SpawnError::Limit {
            message: format!("a pool has at most {MAX_WORKERS} workers, not {workers}"),
        }),
        Members::Pool { worker, .. } if worker.spec().placement == Placement::Task => {
            Err(SpawnError::Unsupported {
                message: "workers of a pool are processes or threads".to_owned(),
            })
        }
        Members::Pool { worker, .. } => worker.mistake().map_or(Ok(()), Err),
        Members::Ordered { children, .. } => children.iter().try_for_each(|child| match &child.0 {
            Kind::Actor(actor) => actor.mistake().map_or(Ok(()), Err),
            Kind::Group(below) => check(below),
        }),
    }
}

/// Ends the program when the monitor has given up and its children have been stopped.
async fn escalate(monitor: MonitorHandle, name: String) {
    let Some(reason) = monitor.gave_up().await else {
        return;
    };
    let mut status = monitor.status.clone();
    while status.changed().await.is_ok() {}
    let aid = monitor.proxy.aid();
    monitor.nursery.give_up(aid, &name, &reason, GAVE_UP);
}
