//! An actor that computes, and whose threads can be held.

use std::sync::{Condvar, Mutex, PoisonError};

use pulsar::prelude::*;
use pulsar::{EventLoop, Job, JobError, Task, WaitError};
use tokio::sync::oneshot;

/// How many threads its executor has.
pub(crate) const THREADS: usize = 2;

/// Whether jobs that hold a thread may go on: in a process there is one such actor at a time.
static OPEN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

fn pass_gate() {
    let open = OPEN.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(OPEN.1.wait_while(open, |open| !*open));
}

/// Lets the held threads of this process go on, and those to come.
pub(crate) fn open_gate(open: bool) {
    *OPEN.0.lock().unwrap_or_else(PoisonError::into_inner) = open;
    OPEN.1.notify_all();
}

/// Computes in its executor.
pub(crate) struct Cruncher {
    cx: Context,
    jobs: Vec<Job<()>>,
}

#[pulsar::actor]
impl Cruncher {
    pub(crate) fn start(cx: Context) -> Self {
        open_gate(false);
        Self {
            cx,
            jobs: Vec::new(),
        }
    }

    /// A sum, by a closure and by a future.
    #[command]
    pub(crate) async fn sum(&mut self, to: u64) -> (Option<u64>, Option<u64>) {
        let executor = self.cx.executor();
        let closure = executor.run(move || (1..=to).sum()).await;
        let future = executor.run_future(async move {
            tokio::task::yield_now().await;
            (1..=to).sum()
        });
        (closure.ok(), future.await.ok())
    }

    /// The messages of two jobs that panic.
    #[command]
    pub(crate) async fn panics(&mut self) -> Vec<String> {
        let executor = self.cx.executor();
        let closure = executor.run(|| panic!("of a closure")).await;
        let future = executor.run_future(async { panic!("of a future") }).await;
        let message = |ended: Result<(), JobError>| match ended {
            Err(JobError::Panicked { message }) => message,
            other => format!("{other:?}"),
        };
        vec![message(closure), message(future)]
    }

    /// Whether in a job the current loop is the actor's, and the request loop another: in a closure,
    /// and in a future.
    #[command]
    pub(crate) async fn loops(&mut self) -> Vec<bool> {
        let own = self.cx.event_loop();
        let here = EventLoop::current().as_ref() == Ok(&own) && EventLoop::request_loop().is_none();
        let look = move || {
            let request = EventLoop::request_loop();
            EventLoop::current().as_ref() == Ok(&own) && request.is_some_and(|it| it != own)
        };
        let executor = self.cx.executor();
        let closure = executor.run(look.clone()).await;
        let future = executor.run_future(async move { look() }).await;
        vec![here, closure == Ok(true), future == Ok(true)]
    }

    /// Who the actor of a job is, in a closure and in a future, and what it is told by itself.
    #[command(concurrent)]
    pub(crate) async fn known(&self) -> (Vec<Option<Aid>>, Option<String>) {
        let here = || get_actor().map(|cx| cx.aid());
        let executor = self.cx.executor();
        let closure = executor.run(here).await.ok().flatten();
        let future = executor.run_future(async move {
            let told = send(get_actor()?.proxy(), ping, ()).await.ok();
            Some((here(), told))
        });
        let (future, told) = future.await.ok().flatten().unzip();
        (vec![closure, future.flatten()], told.flatten())
    }

    /// What a job is told that spawns a task actor.
    #[command]
    pub(crate) async fn spawn_in_job(&mut self) -> Option<SpawnError> {
        let job = self.cx.executor();
        job.run(|| spawn().task().begin().err())
            .await
            .ok()
            .flatten()
    }

    /// Whether a wait for a task of the actor's own is refused in a command.
    #[command]
    pub(crate) fn wait_here(&mut self) -> bool {
        Task::new(&self.cx, async {}).wait() == Err(WaitError::InAsyncCode)
    }

    /// Whether a wait for such a task works in a job, and runs on the actor's loop.
    #[command]
    pub(crate) async fn wait_in_job(&mut self) -> bool {
        let task = Task::new(&self.cx, async { EventLoop::request_loop().is_none() });
        let waited = self.cx.executor().run(move || task.wait()).await;
        waited == Ok(Ok(true))
    }

    /// Holds all its threads; returns once they are.
    #[command]
    pub(crate) async fn hold(&mut self) -> bool {
        for _ in 0..THREADS {
            let (held, is_held) = oneshot::channel();
            let job = self.cx.executor().try_run(move || {
                let _ = held.send(());
                pass_gate();
            });
            self.jobs.extend(job);
            if is_held.await.is_err() {
                return false;
            }
        }
        true
    }

    /// Has one more job wait.
    #[command]
    pub(crate) fn enqueue(&mut self) {
        self.jobs.extend(self.cx.executor().try_run(|| ()));
    }

    /// Runs a job behind those that hold the threads.
    #[command]
    pub(crate) async fn behind(&mut self) -> bool {
        self.cx.executor().run(|| ()).await.is_ok()
    }

    /// Lets the threads go on; how many jobs have ended well.
    #[command]
    pub(crate) async fn release(&mut self) -> usize {
        open_gate(true);
        let mut well = 0;
        for job in self.jobs.drain(..) {
            well += usize::from(job.await.is_ok());
        }
        well
    }
}

/// One, ready to spawn.
pub(crate) fn cruncher(placement: Placement) -> Spawn<Cruncher> {
    Cruncher::spawn()
        .placement(placement)
        .thread_workers(THREADS)
}
