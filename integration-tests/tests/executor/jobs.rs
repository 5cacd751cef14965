//! What runs in an executor.

use pulsar::prelude::*;

use crate::PLACEMENTS;
use crate::cruncher::cruncher;

#[pulsar::test]
async fn an_actor_of_each_placement_runs_closures_and_futures() -> Result<()> {
    for placement in PLACEMENTS {
        let sums = cruncher(placement).await?.sum(1000).await?;
        assert_eq!(sums, (Some(500_500), Some(500_500)), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_panic_in_a_job_is_its_callers_and_not_the_actors() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = cruncher(placement).await?;
        let messages = actor.panics().await?;
        assert_eq!(messages, ["of a closure", "of a future"], "{placement}");
        assert_eq!(actor.sum(2).await?, (Some(3), Some(3)), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn in_a_job_the_current_loop_is_the_actors_and_the_request_loop_the_threads() -> Result<()> {
    for placement in PLACEMENTS {
        let loops = cruncher(placement).await?.loops().await?;
        assert_eq!(loops, [true, true, true], "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn in_a_job_the_actor_is_known_and_may_send() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = cruncher(placement).await?;
        let (actors, told) = actor.known().await?;
        assert_eq!(actors, [Some(actor.aid()); 2], "{placement}");
        assert_eq!(told.as_deref(), Some("pong"), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_job_spawns_no_task_actors() -> Result<()> {
    for placement in PLACEMENTS {
        let refused = cruncher(placement).await?.spawn_in_job().await?;
        let said = matches!(&refused, Some(SpawnError::Unsupported { message }) if message.contains("event loop"));
        assert!(said, "{placement}: {refused:?}");
    }
    Ok(())
}

#[pulsar::test]
async fn an_executor_without_threads_is_refused() -> Result<()> {
    for threads in [0, pulsar::Executor::MAX_THREADS + 1] {
        let refused = spawn().thread_workers(threads).await;
        let said = matches!(&refused, Err(SpawnError::Limit { message }) if message.contains("thread_workers"));
        assert!(said, "{refused:?}");
    }
    Ok(())
}
