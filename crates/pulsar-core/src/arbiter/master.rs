//! What only the arbiter's process has.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use pulsar_sys::{Children, Exit, Pid, Signal};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use pulsar_policy::ChildEvent;

/// Processes that may boot at once: past some per core they only take time from each other.
const MAX_BOOTING: usize = 32;

/// The master process's share: child processes, and what there is one of in a system.
#[derive(Debug)]
pub(crate) struct Master {
    /// The arbiter's loop, in the main thread, for as long as it turns. Children are made there:
    /// their death signal follows the thread that made them.
    main_loop: Mutex<Option<Handle>>,
    pub(crate) booting: Arc<Semaphore>,
    children: Mutex<Children>,
    overseers: Mutex<HashMap<Pid, mpsc::Sender<ChildEvent>>>,
    next_place: AtomicU32,
    next_age: AtomicU64,
    stopping: AtomicBool,
}

impl Master {
    pub(crate) fn new(main_loop: Handle) -> Self {
        Self {
            main_loop: Mutex::new(Some(main_loop)),
            booting: Arc::new(Semaphore::new(MAX_BOOTING)),
            children: Mutex::default(),
            overseers: Mutex::default(),
            next_place: AtomicU32::new(1),
            next_age: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
        }
    }

    /// Runs a future on the arbiter's loop. False if that has ended.
    pub(crate) fn on_main_loop(&self, future: impl Future<Output = ()> + Send + 'static) -> bool {
        let main_loop = self.main_loop.lock();
        main_loop
            .as_ref()
            .map(|main_loop| main_loop.spawn(future))
            .is_some()
    }

    /// The arbiter's loop has ended.
    pub(crate) fn leave_main_loop(&self) {
        *self.main_loop.lock() = None;
    }

    pub(crate) fn new_place(&self) -> u32 {
        self.next_place.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_age(&self) -> u64 {
        self.next_age.fetch_add(1, Ordering::Relaxed)
    }

    /// A child has been made. To be called in the same step on the main loop, so that its exit
    /// is not looked for before it is known.
    pub(crate) fn adopt(&self, pid: Pid, overseer: mpsc::Sender<ChildEvent>) {
        self.children.lock().insert(pid);
        self.overseers.lock().insert(pid, overseer);
    }

    /// Learns which children have exited, and tells their overseers.
    pub(crate) fn reap(&self) {
        let exits = self.children.lock().reap();
        for (pid, exit) in exits {
            self.exited(pid, exit);
        }
    }

    /// The same for one child, whose link has ended.
    pub(crate) fn reap_one(&self, pid: Pid) {
        let exit = self.children.lock().reap_one(pid);
        if let Some(exit) = exit {
            self.exited(pid, exit);
        }
    }

    fn exited(&self, pid: Pid, exit: Exit) {
        let overseer = self.overseers.lock().remove(&pid);
        if let Some(overseer) = overseer {
            tracing::debug!(%pid, ?exit, "child exited");
            // The channel has room kept for this: see `CHILD_EVENTS`.
            if overseer.try_send(ChildEvent::Exited(exit)).is_err() {
                tracing::error!(%pid, "the overseer of this child does not listen");
            }
        }
    }

    /// Signals a child. One that has been reaped gets nothing: its pid may be a stranger's.
    pub(crate) fn signal(&self, pid: Pid, signal: Signal) {
        if let Err(error) = self.children.lock().signal(pid, signal) {
            tracing::debug!(%pid, ?signal, %error, "signal not sent");
        }
    }

    /// From now on nothing is spawned.
    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
