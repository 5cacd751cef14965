//! Actors all of whose threads are held.

use std::time::{Duration, Instant};

use pulsar::ExecutorInfo;
use pulsar::prelude::*;

use crate::PLACEMENTS;
use crate::cruncher::{Cruncher, THREADS, cruncher, open_gate};

async fn executor_of(actor: &Proxy<Cruncher>) -> Result<ExecutorInfo> {
    Ok(send(actor, info, ()).await?.executor)
}

#[pulsar::test]
async fn info_shows_the_threads_and_the_queue() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = cruncher(placement).await?;
        assert_eq!(executor_of(&actor).await?, ExecutorInfo::default());
        assert!(actor.hold().await?, "{placement}");
        actor.enqueue().await?;
        let threads = THREADS as u64;
        let held = ExecutorInfo {
            threads,
            busy: threads,
            queued: 1,
        };
        assert_eq!(executor_of(&actor).await?, held, "{placement}");
        assert_eq!(actor.release().await?, THREADS + 1, "{placement}");
        let free = ExecutorInfo {
            threads,
            ..ExecutorInfo::default()
        };
        assert_eq!(executor_of(&actor).await?, free, "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn its_loop_answers_while_all_its_threads_are_held() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = cruncher(placement).await?;
        assert!(actor.hold().await?, "{placement}");
        let behind = tokio::spawn(actor.behind().into_future());
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
        assert!(!behind.is_finished(), "{placement}");
        behind.abort();
        open_gate(true);
        arbiter().kill_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn it_stops_at_once_though_its_threads_are_held() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = cruncher(placement).await?;
        assert!(actor.hold().await?, "{placement}");
        actor.enqueue().await?;
        let (handle, begun) = (arbiter(), Instant::now());
        send(&actor, stop, ()).await?;
        assert_eq!(handle.ended(&actor).await?, Cause::Stopped, "{placement}");
        // Its exit timeout is 10 s.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{placement}: {took:?}");
        // Those of threads and tasks are this process's.
        open_gate(true);
    }
    Ok(())
}
