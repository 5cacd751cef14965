use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::{Task, WaitError};

fn executor(threads: usize) -> (EventLoop, Executor) {
    let event_loop = EventLoop::new().unwrap();
    let executor = Executor::new("test", threads, event_loop.clone());
    (event_loop, executor)
}

/// Holds a thread until the sender is dropped; returns once it is held.
fn hold(event_loop: &EventLoop, executor: &Executor) -> (mpsc::Sender<()>, Job<()>) {
    let (release, gate) = mpsc::channel::<()>();
    let (held, is_held) = oneshot::channel();
    let job = executor.try_run(move || {
        let _ = held.send(());
        let _ = gate.recv();
    });
    event_loop.run_until(is_held).unwrap().unwrap();
    (release, job.unwrap())
}

#[test]
fn closures_and_futures_run_on_its_threads() {
    let (event_loop, executor) = executor(1);
    let ran = event_loop.run_until(async move {
        let name = || std::thread::current().name().map(str::to_owned);
        let closure = executor.run(name).await;
        let future = executor.run_future(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            name()
        });
        (closure, future.await)
    });
    let name = Ok(Some("test-0".to_owned()));
    assert_eq!(ran.unwrap(), (name.clone(), name));
}

#[test]
fn a_panic_costs_its_job_alone() {
    let (event_loop, executor) = executor(1);
    let ran = event_loop.run_until(async move {
        let closure = executor.run(|| -> u8 { panic!("of a closure") }).await;
        let future = executor.run_future(async { panic!("of a future") });
        let future: Result<u8, _> = future.await;
        (closure, future, executor.run(|| 1).await)
    });
    let panicked = |message: &str| {
        Err(JobError::Panicked {
            message: message.to_owned(),
        })
    };
    let (closure, future, after) = ran.unwrap();
    assert_eq!(closure, panicked("of a closure"));
    assert_eq!(future, panicked("of a future"));
    assert_eq!(after, Ok(1));
}

#[test]
fn both_loops_are_known_in_its_threads() {
    let (event_loop, executor) = executor(1);
    let look = || (EventLoop::current().unwrap(), EventLoop::request_loop());
    let ran = event_loop.run_until(async move {
        let closure = executor.run(look).await.unwrap();
        let future = executor.run_future(async move { look() }).await.unwrap();
        let blocking = executor.run_future(tokio::task::spawn_blocking(EventLoop::current));
        (closure, future, blocking.await.unwrap().unwrap())
    });
    let (closure, future, blocking) = ran.unwrap();
    assert_eq!(closure, future);
    assert_eq!(closure.0, event_loop);
    assert_ne!(closure.1, Some(event_loop.clone()));
    assert!(closure.1.is_some());
    assert_eq!(blocking, Ok(event_loop));
    assert_eq!(EventLoop::request_loop(), None);
}

#[test]
fn a_closure_may_wait_and_a_future_may_not() {
    let (event_loop, executor) = executor(1);
    let object = event_loop.clone();
    let of_actor = move || Task::new(&object, async { EventLoop::current().unwrap() });
    let of_own = || Task::new(&EventLoop::new().unwrap(), async { 1 });
    let ran = event_loop.run_until(async move {
        let task = of_actor();
        let closure = executor.run(move || (task.wait(), of_own().wait())).await;
        let future = executor.run_future(async move { of_own().wait() }).await;
        (closure.unwrap(), future.unwrap())
    });
    let (closure, future) = ran.unwrap();
    assert_eq!(closure, (Ok(event_loop), Ok(1)));
    assert_eq!(future, Err(WaitError::InAsyncCode));
}

#[test]
fn its_status_shows_what_waits_and_what_runs() {
    let (event_loop, executor) = executor(2);
    let status = |threads, busy, queued| ExecutorInfo {
        threads,
        busy,
        queued,
    };
    assert_eq!(executor.status(), status(0, 0, 0));
    let (first, first_job) = hold(&event_loop, &executor);
    let (second, second_job) = hold(&event_loop, &executor);
    let third = executor.try_run(|| 3).unwrap();
    assert_eq!(executor.status(), status(2, 2, 1));
    drop((first, second));
    let ended = event_loop.run_until(async { (first_job.await, second_job.await, third.await) });
    assert_eq!(ended.unwrap(), (Ok(()), Ok(()), Ok(3)));
    assert_eq!(executor.status(), status(2, 0, 0));
}

#[test]
fn a_full_queue_gives_the_job_back_and_makes_others_wait() {
    let (event_loop, executor) = executor(1);
    let (release, held) = hold(&event_loop, &executor);
    let waiting: Vec<_> = (0..Executor::QUEUE_CAPACITY)
        .map(|_| executor.try_run(|| ()).unwrap())
        .collect();
    let capacity = Executor::QUEUE_CAPACITY;
    let unrun = executor.try_run(|| 7).unwrap_err();
    assert_eq!(unrun.reason, JobError::Full { capacity });
    let job = unrun.job;
    let same = executor.clone();
    let waits = event_loop.spawn(async move { same.run(job).await });
    event_loop.run_until(tokio::task::yield_now()).unwrap();
    assert!(!waits.is_finished());
    drop(release);
    assert_eq!(event_loop.run_until(waits).unwrap().unwrap(), Ok(7));
    drop((waiting, held));
}

#[test]
fn a_job_that_is_dropped_before_it_begins_makes_room_and_never_runs() {
    let (event_loop, executor) = executor(1);
    let (release, held) = hold(&event_loop, &executor);
    let (told, hears) = oneshot::channel();
    let job = executor.try_run(move || told.send(()));
    assert_eq!(executor.status().queued, 1);
    drop(job);
    assert_eq!(executor.status().queued, 0);
    assert!(event_loop.run_until(hears).unwrap().is_err(), "it is gone");
    drop(release);
    assert_eq!(event_loop.run_until(held).unwrap(), Ok(()));
}

#[test]
fn a_future_whose_job_is_dropped_is_dropped() {
    let (event_loop, executor) = executor(1);
    let (runs, is_running) = oneshot::channel();
    let (kept, is_dropped) = oneshot::channel::<()>();
    let future = async move {
        let _ = runs.send(());
        std::future::pending::<()>().await;
        drop(kept);
    };
    let dropped = event_loop.run_until(async move {
        let job = executor.submit_future(future).await.unwrap();
        is_running.await.unwrap();
        drop(job);
        is_dropped.await.is_err()
    });
    assert_eq!(dropped, Ok(true));
}

#[test]
fn futures_go_on_while_jobs_wait() {
    let (event_loop, executor) = executor(1);
    let ran = event_loop.run_until(async move {
        let (tell, told) = oneshot::channel();
        let first = executor.submit_future(told).await.unwrap();
        let second = executor.submit_future(async move { tell.send(2) }).await;
        let timer = tokio::time::sleep(Duration::from_millis(1));
        executor.run_future(timer).await.unwrap();
        // Beside closures, one after the other, of which there is always one that waits.
        let busy = executor.run_future(async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let closures = async {
            loop {
                executor.run(|| ()).await.unwrap();
            }
        };
        tokio::select! {
            ended = busy => ended.unwrap(),
            () = closures => {}
        }
        (
            first.await.unwrap().unwrap(),
            second.unwrap().await.unwrap(),
        )
    });
    assert_eq!(ran.unwrap(), (2, Ok(())));
}

#[test]
fn closing_ends_what_waits_and_futures_and_takes_nothing_more() {
    let (event_loop, executor) = executor(1);
    let (runs, is_running) = oneshot::channel();
    let future = async move {
        let _ = runs.send(());
        std::future::pending::<()>().await;
    };
    let same = executor.clone();
    let running = event_loop.run_until(async move { same.submit_future(future).await });
    let running = running.unwrap().unwrap();
    event_loop.run_until(is_running).unwrap().unwrap();
    let (release, held) = hold(&event_loop, &executor);
    let waiting = executor.try_run(|| 1).unwrap();
    executor.close();
    assert_eq!(
        event_loop.run_until(waiting).unwrap(),
        Err(JobError::Closed)
    );
    drop(release);
    assert_eq!(event_loop.run_until(held).unwrap(), Ok(()), "it has begun");
    assert_eq!(
        event_loop.run_until(running).unwrap(),
        Err(JobError::Closed)
    );
    let late = executor.try_run(|| 1).unwrap_err();
    assert_eq!(late.reason, JobError::Closed);
}

#[test]
fn it_closes_with_its_last_handle() {
    let (event_loop, executor) = executor(1);
    let (release, held) = hold(&event_loop, &executor);
    let waiting = executor.try_run(|| 1).unwrap();
    drop(executor);
    assert_eq!(
        event_loop.run_until(waiting).unwrap(),
        Err(JobError::Closed)
    );
    drop(release);
    assert_eq!(event_loop.run_until(held).unwrap(), Ok(()));
}
