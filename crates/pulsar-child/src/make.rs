//! How a child process comes to be.

use pulsar_model::SpawnError;
use pulsar_sys::{ExecSpec, exec};

use crate::{Brood, Letter, Made, Ordered, Unforked};

/// Waits for the fork, if one was ordered; else executes the program's file, as this says. On the main thread. The letter is
/// sent to the process, as far as its link has room and it may be sent: what is left is the caller's to send.
///
/// # Errors
///
/// [`SpawnError::Exec`].
pub async fn make(
    brood: &Brood,
    ordered: Option<Ordered>,
    spec: impl FnOnce() -> ExecSpec,
    letter: &mut Letter,
) -> Result<Made, SpawnError> {
    if let Some(ordered) = ordered {
        match ordered.made(brood, letter).await {
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
    letter.begin_anew();
    let spawned = exec::spawn(&spec()).map_err(|error| SpawnError::Exec {
        errno: error.errno(),
        message: error.to_string(),
    })?;
    // In the same step: nobody looks for exits in between.
    let exit = brood.adopt(spawned.pid);
    // A failure is seen again by who sends the rest.
    let _ = letter.send(&spawned.link);
    Ok(Made {
        pid: spawned.pid,
        exit,
        link: spawned.link,
        stderr: spawned.stderr,
    })
}
