//! An actor as a task on the current event loop.

use std::sync::Arc;

use super::{Commission, Enter, Vessel, local_life};
use crate::SpawnError;
use crate::hosting::live;
use crate::node::Node;
use pulsar_actor::runtime::Reports;

/// # Errors
///
/// If its hooks cannot be resolved or its descriptors not duplicated.
pub(super) fn launch(
    node: &Arc<Node>,
    commission: Commission,
    enter: Enter<'_>,
) -> Result<Vessel, SpawnError> {
    let reports = Reports::Local(commission.control.clone());
    let (cx, life) = local_life(node, commission)?;
    let vessel = Vessel::Task(cx);
    enter(vessel.reached(), vessel.pid());
    tokio::spawn(async move {
        let cause = live(life).await;
        reports.ended(&cause).await;
    });
    Ok(vessel)
}
