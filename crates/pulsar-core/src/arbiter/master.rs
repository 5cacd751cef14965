//! What only the arbiter's process has.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::{Keepers, Orphans, Pairs};
use crate::placement::Abandoned;

use pulsar_child::{Brood, LastWords, Looks, Memory, Templates};
use pulsar_sys::{Pid, Survey, Surveyed};
use pulsar_wire::Aid;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Processes that may boot at once: past some per core they only take time from each other.
const MAX_BOOTING: usize = 32;

/// The master process's share: child processes, and what there is one of in a system.
#[derive(Debug)]
pub(crate) struct Master {
    /// The arbiter's loop, in the main thread, for as long as it turns. Children are made there:
    /// their death signal follows the thread that made them.
    main_loop: Mutex<Option<Handle>>,
    pub(crate) booting: Arc<Semaphore>,
    /// Child processes.
    pub(crate) brood: Box<Brood>,
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
    /// Whether processes sleep.
    pub(crate) looks: Arc<Looks>,
    /// Who waits for an actor to end.
    pub(crate) words: LastWords,
    /// Where it is seen what children inherit, for as long as the main loop turns; nothing if that could not be opened at
    /// the start.
    survey: Mutex<Option<Box<Survey>>>,
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
            brood: Box::default(),
            abandoned: Abandoned::default(),
            orphans: Orphans::default(),
            granted: Mutex::default(),
            pairs: Mutex::default(),
            keepers: Keepers::default(),
            memory: Arc::new(Memory::find()),
            templates: Templates::default(),
            looks: Arc::default(),
            words: LastWords::default(),
            survey: Mutex::new(Survey::begin().ok().map(Box::new)),
            next_place: AtomicU32::new(1),
            next_age: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            own_signals: AtomicBool::new(false),
            halted: OnceLock::new(),
        }
    }

    /// What children are to inherit now.
    pub(crate) fn survey(&self) -> io::Result<Surveyed> {
        match &*self.survey.lock() {
            Some(survey) => survey.look(),
            None => Survey::begin()?.look(),
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
        *self.survey.lock() = None;
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

    /// The link of a child has ended: has the child?
    pub(crate) fn reap_one(&self, pid: Pid) {
        if self.brood.reap_one(pid) {
            self.orphans.child_exited();
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
