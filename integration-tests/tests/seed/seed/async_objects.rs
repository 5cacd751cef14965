//! Async objects: "an asynchronous object is any instance which exposes the `_loop` attribute. This
//! attribute is the event loop where the instance performs its asynchronous operations."

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use pulsar::prelude::*;
use pulsar::{AsyncObject, EventLoop, OneTime, Task, WaitError, task};

use super::PLACEMENTS;

/// "For example this is a class for valid async objects": with the loop that it is given, else the
/// current one, else a new one.
#[derive(Clone)]
struct SimpleAsyncObject {
    event_loop: EventLoop,
    calls: Arc<AtomicU32>,
}

impl SimpleAsyncObject {
    fn new(given: Option<EventLoop>) -> std::io::Result<Self> {
        let event_loop = match given.or_else(|| EventLoop::current().ok()) {
            Some(event_loop) => event_loop,
            None => EventLoop::new()?,
        };
        Ok(Self {
            event_loop,
            calls: Arc::default(),
        })
    }

    /// How often it was called, and whether it runs on the loop of its object.
    #[task]
    async fn call(&self, times: u32) -> (u32, bool) {
        // Not done at once: it comes back to its loop in between.
        tokio::task::yield_now().await;
        let before = self.calls.fetch_add(times, Ordering::Relaxed);
        let here = EventLoop::current().ok();
        (before + times, here.as_ref() == Some(&self.event_loop))
    }
}

impl AsyncObject for SimpleAsyncObject {
    fn event_loop(&self) -> EventLoop {
        self.event_loop.clone()
    }
}

#[pulsar::remote]
async fn call_twice(_cx: Context, _: ()) -> Result<Vec<(u32, bool)>> {
    let object = SimpleAsyncObject::new(None)?;
    Ok(vec![object.call(2).await, object.call(3).await])
}

#[pulsar::test]
async fn its_tasks_run_on_its_loop_which_is_the_current_one_by_default() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let calls = run(&actor, call_twice, ()).await??;
        assert_eq!(calls, [(2, true), (5, true)], "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn it_may_be_used_from_another_loop_than_its_own() -> Result<()> {
    let object = SimpleAsyncObject::new(None)?;
    let elsewhere = object.clone();
    let calling = thread::spawn(move || {
        // A program of its own around another loop.
        let other = EventLoop::new().expect("a loop");
        other.run_until(async move { elsewhere.call(1).await })
    });
    let called = object.event_loop();
    let called = called.spawn(async move {
        while !calling.is_finished() {
            tokio::task::yield_now().await;
        }
        calling.join().expect("it does not panic")
    });
    assert_eq!(called.await?, Ok((1, true)));
    Ok(())
}

/// "An async object can also run its asynchronous methods in a synchronous fashion. To do that, one
/// should pass a bright new event loop during initialisation."
#[test]
fn with_a_bright_new_loop_it_is_used_in_a_synchronous_fashion() {
    let object = SimpleAsyncObject::new(None).expect("a loop of its own");
    assert!(EventLoop::current().is_err());
    assert!(!object.event_loop().is_running());
    assert_eq!(object.call(4).wait(), Ok((4, true)));
    assert_eq!(object.call(1).wait(), Ok((5, true)));
    let given = EventLoop::new().expect("a loop");
    let object = SimpleAsyncObject::new(Some(given.clone())).expect("no loop is made");
    assert!(object.event_loop() == given);
    assert_eq!(object.call(1).wait(), Ok((1, true)));
}

#[pulsar::test]
async fn to_wait_on_the_loop_that_runs_is_an_error_and_no_deadlock() -> Result<()> {
    #[pulsar::remote]
    async fn wait_here(_cx: Context, _: ()) -> Result<bool> {
        let waited = SimpleAsyncObject::new(None)?.call(1).wait();
        Ok(waited == Err(WaitError::InAsyncCode))
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        assert!(run(&actor, wait_here, ()).await??, "{placement}");
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn several_classes_are_async_objects() -> Result<()> {
    let here = EventLoop::current()?;
    let actor = get_actor().expect("the test runs in the arbiter");
    assert!(actor.event_loop() == here);
    // "A Future is an async object", and "an async object is not necessarily a Future".
    let task = Task::new(&actor, async { 1 });
    assert!(AsyncObject::event_loop(&task) == here);
    assert_eq!(task.await, 1);
    let event = OneTime::<u32>::new("made", here.clone());
    assert!(AsyncObject::event_loop(&event) == here);
    Ok(())
}
