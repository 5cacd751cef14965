//! The start of a monitor that no other has started: above it stands the arbiter.

use std::collections::HashSet;

use pulsar_core::runtime::{MAX_WORKERS, Nursery};
use pulsar_core::{Incarnation, Placement, RawProxy, SpawnError, is_name};
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
    check(&group, &mut HashSet::new())?;
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
fn check(group: &Group, names: &mut HashSet<String>) -> Result<(), SpawnError> {
    name(&group.name, names)?;
    match &group.members {
        Members::Pool { worker, workers } => {
            if *workers > MAX_WORKERS {
                return Err(SpawnError::Limit {
                    message: format!("a pool has at most {MAX_WORKERS} workers, not {workers}"),
                });
            }
            if worker.spec().placement == Placement::Task {
                return Err(SpawnError::Unsupported {
                    message: "workers of a pool are processes or threads".to_owned(),
                });
            }
            let last = format!("{}-{MAX_WORKERS}", group.name);
            if !is_name(&last) {
                // A worker's name is the pool's and a number.
                return Err(SpawnError::BadName { name: last });
            }
            worker.check()
        }
        Members::Ordered { children, .. } => children.iter().try_for_each(|child| match child {
            Kind::Actor(actor) => {
                let own = &actor.spec().name;
                if !own.is_empty() {
                    name(own, names)?;
                }
                actor.check()
            }
            Kind::Group(below) => check(below, names),
        }),
    }
}

/// A name is one, and is not given twice.
fn name(name: &str, names: &mut HashSet<String>) -> Result<(), SpawnError> {
    let name = name.to_owned();
    match is_name(&name) {
        false => Err(SpawnError::BadName { name }),
        true if !names.insert(name.clone()) => Err(SpawnError::NameTaken { name }),
        true => Ok(()),
    }
}

/// Ends the program when the monitor has given up and its children have been stopped.
async fn escalate(monitor: MonitorHandle, name: String) {
    let Some(reason) = monitor.gave_up().await else {
        return;
    };
    let mut status = monitor.status.clone();
    while status.changed().await.is_ok() {}
    let last = status.borrow().last_failure.clone();
    let last = last.map_or_else(String::new, |cause| {
        format!("; the last child to fail {cause}")
    });
    let (aid, reason) = (monitor.proxy.aid(), format!("{reason}{last}"));
    monitor.nursery.give_up(aid, &name, &reason, GAVE_UP);
}
