//! CPU-bound: "Another way for an actor to function is to use its executor to perform CPU intensive
//! operations". "These CPU-threads have installed two events loops: the event loop running on the IO
//! thread and the request-loop."

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use pulsar::prelude::*;
use pulsar::{EventLoop, JobError, Task};

use super::PLACEMENTS;

const THREADS: usize = 2;

/// Jobs that wait to go on, in this process, and whether they may.
static GATE: (Mutex<(usize, bool)>, Condvar) = (Mutex::new((0, false)), Condvar::new());

fn wait_at_gate() {
    let mut gate = GATE.0.lock().unwrap_or_else(PoisonError::into_inner);
    gate.0 += 1;
    let gate = GATE.1.wait_while(gate, |(_, open)| !*open);
    gate.unwrap_or_else(PoisonError::into_inner).0 -= 1;
}

fn waiting() -> usize {
    GATE.0.lock().unwrap_or_else(PoisonError::into_inner).0
}

fn open(open: bool) {
    GATE.0.lock().unwrap_or_else(PoisonError::into_inner).1 = open;
    GATE.1.notify_all();
}

#[pulsar::remote]
async fn let_go(_cx: Context, _: ()) {
    open(true);
}

/// Fills all threads, and one place in the queue.
#[pulsar::remote]
async fn hold_all(cx: Context, _: ()) -> Result<()> {
    open(false);
    for _ in 0..=THREADS {
        let job = cx.executor().submit(wait_at_gate).await?;
        cx.spawn(job);
    }
    while waiting() < THREADS {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[pulsar::test]
async fn the_io_thread_answers_while_all_cpu_threads_are_busy() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).thread_workers(THREADS).await?;
        run(&actor, hold_all, ()).await??;
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
        let executor = send(&actor, info, ()).await?.executor;
        let counts = (executor.threads, executor.busy, executor.queued);
        assert_eq!(counts, (2, 2, 1), "{placement}");
        run(&actor, let_go, ()).await?;
        while send(&actor, info, ()).await?.executor.busy > 0 {}
    }
    Ok(())
}

#[pulsar::test]
async fn its_threads_have_the_actors_loop_and_a_request_loop_of_their_own() -> Result<()> {
    #[pulsar::remote]
    async fn look(cx: Context, _: ()) -> Result<Vec<bool>> {
        let own = cx.event_loop();
        let io_thread = thread::current().id();
        let looked = own.clone();
        let look = move || {
            let request = EventLoop::request_loop();
            vec![
                thread::current().id() != io_thread,
                EventLoop::current().as_ref() == Ok(&looked),
                request.is_some_and(|request| request != looked),
                get_actor().is_some(),
            ]
        };
        let mut seen = cx.executor().run(look.clone()).await?;
        seen.extend(cx.executor().run_future(async move { look() }).await?);
        // On the io thread there is none.
        seen.push(EventLoop::request_loop().is_none() && EventLoop::current()? == own);
        Ok(seen)
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let seen = run(&actor, look, ()).await??;
        assert_eq!(seen, [true; 9], "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_job_is_a_closure_or_a_future_and_gives_its_result() -> Result<()> {
    #[pulsar::remote]
    async fn sums(cx: Context, to: u64) -> Result<(u64, u64, u64)> {
        let executor = cx.executor();
        let closure = executor.run(move || (1..=to).sum()).await?;
        let future = executor.run_future(async move {
            // Timers work on the request loop.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            (1..=to).sum()
        });
        // What runs on the actor's loop may be waited for.
        let task = Task::new(&cx, async move { (1..=to).sum() });
        let waited = executor.run(move || task.wait()).await??;
        Ok((closure, future.await?, waited))
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let sums = run(&actor, sums, 1_000).await??;
        assert_eq!(sums, (500_500, 500_500, 500_500), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_panic_costs_one_job() -> Result<()> {
    #[pulsar::remote]
    async fn panic_in_job(cx: Context, _: ()) -> Result<String> {
        let executor = cx.executor();
        let panicked = executor.run(|| panic!("on purpose")).await;
        let Err::<(), _>(JobError::Panicked { message }) = panicked else {
            return Err(Error::msg("it has not panicked"));
        };
        Ok(format!("{message}, then {}", executor.run(|| 7).await?))
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).thread_workers(1).await?;
        let said = run(&actor, panic_in_job, ()).await??;
        assert_eq!(said, "on purpose, then 7", "{placement}");
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
    }
    Ok(())
}
