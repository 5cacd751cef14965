//! How a child process comes to be.

use std::sync::Arc;

use pulsar_model::SpawnError;
use pulsar_sys::{ExecSpec, exec};

use crate::{Brood, Desk, Made, Unforked};

/// Forks the process from the template, if there is one; else executes the program's file. On the main thread.
///
/// # Errors
///
/// [`SpawnError::Exec`].
pub async fn make(
    brood: &Brood,
    desk: Option<Arc<Desk>>,
    spec: &ExecSpec,
) -> Result<Made, SpawnError> {
    if let Some(desk) = desk {
        match desk.fork(brood, spec.pipes_stderr).await {
            Ok(made) => return Ok(made),
            Err(Unforked::Refused(error)) => {
                return Err(SpawnError::Exec {
                    errno: error.raw_os_error().unwrap_or(0),
                    message: format!("the template process cannot be forked: {error}"),
                });
            }
            Err(Unforked::Gone) => tracing::debug!("no answer of the template process: by exec"),
        }
    }
    let spawned = exec::spawn(spec).map_err(|error| SpawnError::Exec {
        errno: error.errno(),
        message: error.to_string(),
    })?;
    // In the same step: nobody looks for exits in between.
    let exit = brood.adopt(spawned.pid);
    Ok(Made {
        pid: spawned.pid,
        exit,
        link: spawned.link,
        stderr: spawned.stderr,
    })
}
