//! What only the arbiter's process has.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::{Keepers, LastWords, Orphans, Pairs, Templates};
use crate::placement::Abandoned;

use pulsar_child::Memory;
use pulsar_sys::{Children, Exit, Pid, Signal, template};
use pulsar_wire::Aid;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Processes that may boot at once: past some per core they only take time from each other.
const MAX_BOOTING: usize = 32;

/// To find one that has exited among so many children the kernel takes some tens of microseconds.
const CROWD: usize = 1_000;

/// The master process's share: child processes, and what there is one of in a system.
#[derive(Debug)]
pub(crate) struct Master {
    /// The arbiter's loop, in the main thread, for as long as it turns. Children are made there:
    /// their death signal follows the thread that made them.
    main_loop: Mutex<Option<Handle>>,
    pub(crate) booting: Arc<Semaphore>,
    children: Mutex<Children>,
    overseers: Mutex<HashMap<Pid, oneshot::Sender<Exit>>>,
    /// Children whose links have ended, and that had not exited then.
    ending: Mutex<HashSet<Pid>>,
    /// Threads that were given up.
    pub(crate) abandoned: Abandoned,
    /// What outlives actors.
    pub(crate) orphans: Orphans,
    /// Places set aside for what process actors will spawn, by who will: most that end have none.
    granted: Mutex<HashMap<Aid, HashSet<u32>>>,
    /// Who has a direct link to whom.
    pub(crate) pairs: Mutex<Pairs>,
    /// The monitors that run.
    pub(crate) keepers: Keepers,
    /// Control groups.
    pub(crate) memory: Arc<Memory>,
    /// The process from which children are forked.
    pub(crate) templates: Templates,
    /// Who waits for an actor to end.
    pub(crate) words: LastWords,
    next_place: AtomicU32,
    next_age: AtomicU64,
    stopping: AtomicBool,
    /// The program obeys TERM, INT and QUIT by itself.
    own_signals: AtomicBool,
    /// The exit code that an actor has ended the program with.
    halted: OnceLock<u8>,
}

impl Master {
    pub(crate) fn new(main_loop: Handle) -> Self {
        Self {
            main_loop: Mutex::new(Some(main_loop)),
            booting: Arc::new(Semaphore::new(MAX_BOOTING)),
            children: Mutex::default(),
            overseers: Mutex::default(),
            ending: Mutex::default(),
            abandoned: Abandoned::default(),
            orphans: Orphans::default(),
            granted: Mutex::default(),
            pairs: Mutex::default(),
            keepers: Keepers::default(),
            memory: Arc::new(Memory::find()),
            templates: Templates::default(),
            words: LastWords::default(),
            next_place: AtomicU32::new(1),
            next_age: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            own_signals: AtomicBool::new(false),
            halted: OnceLock::new(),
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

    /// Whether TERM, INT and QUIT are the arbiter's to obey.
    pub(crate) fn obeys_signals(&self) -> bool {
        !self.own_signals.load(Ordering::Relaxed)
    }

    /// They are the program's from now on.
    pub(crate) fn leave_signals(&self) {
        self.own_signals.store(true, Ordering::Relaxed);
    }

    /// The arbiter's loop has ended.
    pub(crate) fn leave_main_loop(&self) {
        *self.main_loop.lock() = None;
        self.memory.remove_left();
    }

    pub(crate) fn new_place(&self) -> u32 {
        self.next_place.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_age(&self) -> u64 {
        self.next_age.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets places aside for what the actor `aid` will spawn.
    pub(crate) fn grant_places(&self, aid: Aid, places: usize) -> Vec<u32> {
        let new: Vec<u32> = std::iter::repeat_with(|| self.new_place())
            .take(places)
            .collect();
        self.granted.lock().entry(aid).or_default().extend(&new);
        new
    }

    /// True if this place was set aside for `aid`; then it is used up.
    pub(crate) fn take_granted(&self, place: u32, aid: Aid) -> bool {
        let mut granted = self.granted.lock();
        let places = granted.get_mut(&aid);
        places.is_some_and(|places| places.remove(&place))
    }

    /// The actor `aid` has ended and will spawn nothing more.
    pub(crate) fn withdraw_places(&self, aid: Aid) {
        self.granted.lock().remove(&aid);
    }

    /// A child has been made; its exit will be told. To be called in the same step on the main
    /// loop, so that its exit is not looked for before it is known.
    pub(crate) fn adopt(&self, pid: Pid) -> oneshot::Receiver<Exit> {
        let (overseer, exit) = oneshot::channel();
        self.children.lock().insert(pid);
        self.overseers.lock().insert(pid, overseer);
        exit
    }

    /// The template is about to make a child, and to tell its pid, or that there will be none.
    pub(super) fn expect_child(&self) {
        self.children.lock().expect();
    }

    /// One that was expected will not come.
    pub(super) fn expect_less(&self) {
        self.children.lock().expect_less();
    }

    /// A child that was expected has been made, and may have exited; its exit will be told.
    pub(super) fn adopt_expected(&self, pid: Pid) -> oneshot::Receiver<Exit> {
        let (overseer, exit) = oneshot::channel();
        self.overseers.lock().insert(pid, overseer);
        let ended = self.children.lock().insert_expected(pid);
        if let Some(ended) = ended {
            self.exited(pid, ended);
        }
        exit
    }

    /// Children that a template has made, and could not tell of any more.
    pub(super) fn adopt_strays(&self) -> Vec<(Pid, oneshot::Receiver<Exit>)> {
        let strays = template::strays(&self.children.lock());
        let adopted = strays.into_iter().map(|pid| (pid, self.adopt(pid)));
        adopted.collect()
    }

    /// Learns which children have exited, and tells their overseers.
    pub(crate) fn reap(&self) {
        let exits = self.children.lock().reap();
        for (pid, exit) in exits {
            self.exited(pid, exit);
        }
    }

    /// The same for one child, whose link has ended. If it has not exited yet, it is about to.
    pub(crate) fn reap_one(&self, pid: Pid) {
        let exit = self.children.lock().reap_one(pid);
        match exit {
            Some(exit) => self.exited(pid, exit),
            None if self.is_child(pid) => drop(self.ending.lock().insert(pid)),
            None => {}
        }
    }

    /// The same for those whose links have ended. Each is asked for by its pid, which the kernel finds at once, where for
    /// any child it goes over all of them.
    pub(super) fn reap_ending(&self) {
        let ending: Vec<Pid> = self.ending.lock().iter().copied().collect();
        for pid in ending {
            let exit = self.children.lock().reap_one(pid);
            if let Some(exit) = exit {
                self.exited(pid, exit);
            }
        }
    }

    /// Whether there are so many children that the kernel should not be asked for any too often.
    pub(super) fn is_crowded(&self) -> bool {
        self.children.lock().len() > CROWD
    }

    fn exited(&self, pid: Pid, exit: Exit) {
        self.ending.lock().remove(&pid);
        let overseer = self.overseers.lock().remove(&pid);
        if let Some(overseer) = overseer {
            tracing::debug!(%pid, ?exit, "child exited");
            self.orphans.child_exited();
            // An overseer that has given the child up does not listen any more.
            let _ = overseer.send(exit);
        }
    }

    /// Whether this is a child that has not been reaped.
    pub(crate) fn is_child(&self, pid: Pid) -> bool {
        self.children.lock().contains(pid)
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

    /// The program is to end with this exit code. False if it is to end with another already: the
    /// first word counts.
    pub(crate) fn halt(&self, code: u8) -> bool {
        self.halted.set(code).is_ok()
    }

    /// The exit code that the program is to end with, if an actor has said one.
    pub(crate) fn halted(&self) -> Option<u8> {
        self.halted.get().copied()
    }
}
