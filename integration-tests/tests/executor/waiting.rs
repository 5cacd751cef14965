//! Waiting in synchronous code, in an actor.

use pulsar::prelude::*;
use pulsar::{EventLoop, Task, WaitError};

use crate::PLACEMENTS;
use crate::cruncher::cruncher;

#[pulsar::test]
async fn a_wait_that_would_hold_the_actors_loop_is_an_error() -> Result<()> {
    for placement in PLACEMENTS {
        assert!(cruncher(placement).await?.wait_here().await?, "{placement}");
    }
    let here = EventLoop::current()?;
    let fresh = EventLoop::new()?;
    for object in [here, fresh] {
        let waited = Task::new(&object, async {}).wait();
        assert_eq!(waited, Err(WaitError::InAsyncCode));
    }
    Ok(())
}

#[pulsar::test]
async fn a_job_may_wait_for_what_runs_on_the_actors_loop() -> Result<()> {
    for placement in PLACEMENTS {
        let waited = cruncher(placement).await?.wait_in_job().await?;
        assert!(waited, "{placement}");
    }
    Ok(())
}
