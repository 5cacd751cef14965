//! Who lives where, under which name, and how to reach them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pulsar_sys::Pid;
use pulsar_wire::Aid;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use pulsar_actor::Context;
use pulsar_actor::runtime::Identity;

use pulsar_link::Link;
use pulsar_model::{Cause, Info, LastExit, Role, SendError, SpawnError, State};

use crate::Control;
use crate::entry::{Entry, Reached};

/// Names that always mean somebody.
const RESERVED: [&str; 2] = ["arbiter", "monitor"];

/// Names that the tasks of one process may have: far more than anybody gives, and no more than the
/// arbiter can bear of each.
const MOST_GUESTS: usize = 4096;

/// All actors that this process manages.
#[derive(Debug, Default)]
pub struct Registry {
    entries: HashMap<Aid, Entry>,
    names: HashMap<String, Aid>,
    /// Names of tasks in other processes, by the actor that holds the process.
    guests: HashMap<Aid, HashSet<String>>,
    /// Whom the arbiter has told who has a name: they are told when that is over.
    told: HashMap<String, HashSet<Aid>>,
    /// The same, by whom it has told.
    knows: HashMap<Aid, HashSet<String>>,
}

impl Registry {
    /// Enters an actor that is about to live; for a place that is kept, its next life.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NameTaken`].
    pub fn begin(
        &mut self,
        birth: Arc<Identity>,
        role: Role,
        monitor: Option<String>,
        control: Option<Control>,
    ) -> Result<(), SpawnError> {
        let aid = birth.aid;
        if self
            .entries
            .get(&aid)
            .is_some_and(|entry| entry.control.is_some())
        {
            return Err(SpawnError::Limit {
                message: format!("the place {aid} has a living actor"),
            });
        }
        self.take_name(&birth.name, aid)?;
        let before = self.entries.remove(&aid);
        let entry = Entry {
            birth,
            role,
            monitor,
            state: State::Initial,
            pid: None,
            since: Instant::now(),
            ready: None,
            info: None,
            restarts: before.as_ref().map_or(0, |entry| entry.restarts + 1),
            unwanted: before.as_ref().and_then(|entry| entry.unwanted.clone()),
            last_exit: before.and_then(|entry| entry.last_exit),
            until: None,
            control,
            reached: None,
            ended: None,
        };
        self.entries.insert(aid, entry);
        Ok(())
    }

    fn take_name(&mut self, name: &str, aid: Aid) -> Result<(), SpawnError> {
        if name.is_empty() {
            return Ok(());
        }
        let taken = self.names.get(name).is_some_and(|holder| *holder != aid);
        if taken || RESERVED.contains(&name) {
            let name = name.to_owned();
            return Err(SpawnError::NameTaken { name });
        }
        self.names.insert(name.to_owned(), aid);
        Ok(())
    }

    /// Enters the actor to which this process belongs.
    pub fn host(&mut self, cx: &Context, role: Role) {
        let birth = Arc::clone(&cx.cell().birth);
        let entry = Entry {
            role,
            monitor: None,
            state: State::Running,
            pid: Some(Pid::current()),
            since: Instant::now(),
            ready: None,
            info: None,
            restarts: 0,
            last_exit: None,
            until: None,
            unwanted: None,
            control: None,
            reached: Some(Reached::Local(cx.clone())),
            ended: None,
            birth,
        };
        let name = &entry.birth.name;
        if !name.is_empty() && !RESERVED.contains(&name.as_str()) {
            self.names.insert(name.clone(), entry.birth.aid);
        }
        self.entries.insert(entry.birth.aid, entry);
    }

    /// From now on messages find the actor.
    pub fn launched(&mut self, aid: Aid, reached: Reached, pid: Option<Pid>) {
        if let Some(entry) = self.entries.get_mut(&aid) {
            entry.reached = Some(reached);
            entry.pid = pid;
            entry.state = State::Starting;
        }
    }

    /// The actor has told its status.
    pub fn noted(&mut self, aid: Aid, info: Box<Info>) {
        if let Some(entry) = self.entries.get_mut(&aid) {
            let now = Instant::now();
            entry.state = entry.state.max(info.actor.state);
            entry.ready.get_or_insert(now);
            entry.info = Some((now, info));
        }
    }

    /// The actor is ready, and tells no more of itself: it can be looked at.
    pub fn ready(&mut self, aid: Aid) {
        if let Some(entry) = self.entries.get_mut(&aid) {
            entry.state = entry.state.max(State::Running);
            entry.ready.get_or_insert_with(Instant::now);
        }
    }

    /// It is being stopped.
    pub fn stopping(&mut self, aid: Aid) {
        if let Some(entry) = self.entries.get_mut(&aid) {
            entry.state = entry.state.max(State::Stopping);
        }
    }

    /// A life has ended. The place stays if it is kept for the next, and its end was not asked for.
    pub fn ended(&mut self, aid: Aid, cause: &Cause, stderr: Vec<String>, keep: bool) {
        let Some(entry) = self.entries.get_mut(&aid) else {
            return;
        };
        entry.last_exit = Some(LastExit {
            cause: cause.clone(),
            pid: entry
                .own_pid()
                .and_then(|pid| u32::try_from(pid.as_raw()).ok()),
            incarnation: entry.birth.incarnation,
            stderr,
        });
        entry.state = State::Terminated;
        entry.pid = None;
        entry.info = None;
        entry.reached = None;
        entry.control = None;
        // Sent before the entry goes: who waits has its receiver.
        if let Some(ended) = entry.ended.take() {
            ended.send_replace(Some(cause.clone()));
        }
        let unwanted = entry.role == Role::Actor
            && entry
                .unwanted
                .as_ref()
                .is_some_and(CancellationToken::is_cancelled);
        // The tasks in its process have ended with it.
        for name in self.guests.remove(&aid).unwrap_or_default() {
            self.free_name(&name);
        }
        self.tell_no_more(aid);
        if !keep || unwanted {
            self.forget(aid);
        }
    }

    /// Nobody wants a next life in this place; between two lives it is given up at once. Pools see
    /// to the places of their workers themselves.
    pub fn unwanted(&mut self, aid: Aid) {
        let Some(entry) = self.entries.get_mut(&aid) else {
            return;
        };
        entry.unwanted.get_or_insert_default().cancel();
        if entry.role == Role::Actor && entry.state == State::Terminated {
            self.forget(aid);
        }
    }

    /// Cancelled when nobody wants a next life in this place.
    pub fn until_unwanted(&mut self, aid: Aid) -> CancellationToken {
        let entry = self.entries.get_mut(&aid);
        entry
            .map(|entry| entry.unwanted.get_or_insert_default().clone())
            .unwrap_or_default()
    }

    /// A task in the process behind `link` wants a name; who has it now. `None` if that process has
    /// as many as it may have, or lives no more.
    pub fn claim(&mut self, task: Aid, name: String, link: &Arc<Link>) -> Option<Aid> {
        let host = task.host();
        let lives = self.entries.get(&host).is_some_and(
            |entry| matches!(&entry.reached, Some(Reached::Link(its)) if Arc::ptr_eq(its, link)),
        );
        let guests = self.guests.get(&host).map_or(0, HashSet::len);
        if !lives || guests >= MOST_GUESTS {
            return None;
        }
        if RESERVED.contains(&name.as_str()) {
            return Some(host);
        }
        let holder = *self.names.entry(name.clone()).or_insert(task);
        if holder == task {
            self.guests.entry(host).or_default().insert(name);
        }
        Some(holder)
    }

    /// Who has this name, for the process of `asker`, which is told when that is over.
    pub fn tell_name(&mut self, name: &str, asker: Aid) -> Option<Aid> {
        let aid = self.named(name)?;
        let told = self.told.entry(name.to_owned()).or_default();
        told.insert(asker);
        let knows = self.knows.entry(asker).or_default();
        knows.insert(name.to_owned());
        Some(aid)
    }

    /// A name is free: those who were told who had it learn that.
    fn free_name(&mut self, name: &str) {
        self.names.remove(name);
        for asker in self.told.remove(name).unwrap_or_default() {
            if let Some(knows) = self.knows.get_mut(&asker) {
                knows.remove(name);
            }
            let entry = self.entries.get(&asker);
            if let Some(Reached::Link(link)) = entry.and_then(|entry| entry.reached.as_ref()) {
                link.send_name_gone(name);
            }
        }
    }

    /// A process has ended, and needs no news any more.
    fn tell_no_more(&mut self, asker: Aid) {
        for name in self.knows.remove(&asker).unwrap_or_default() {
            if let Some(told) = self.told.get_mut(&name) {
                told.remove(&asker);
                if told.is_empty() {
                    self.told.remove(&name);
                }
            }
        }
    }

    /// A task in another process needs its name no more.
    pub fn release(&mut self, task: Aid, name: &str) {
        if self.names.get(name) != Some(&task) {
            return;
        }
        self.free_name(name);
        if let Some(guests) = self.guests.get_mut(&task.host()) {
            guests.remove(name);
        }
    }

    /// The place is given up, and its name is free.
    pub fn forget(&mut self, aid: Aid) {
        if let Some(entry) = self.entries.remove(&aid) {
            let name = &entry.birth.name;
            if self.names.get(name) == Some(&aid) {
                self.free_name(name);
            }
        }
    }

    /// Gives up a place whose life has ended.
    pub fn forget_ended(&mut self, aid: Aid) {
        if self
            .entries
            .get(&aid)
            .is_some_and(|entry| entry.control.is_none())
        {
            self.forget(aid);
        }
    }

    /// Forgets everybody: the process's loop has ended.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next life in this place begins at `until`, at the earliest.
    pub fn restarts_at(&mut self, aid: Aid, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&aid) {
            entry.until = Some(until);
        }
    }

    /// How to reach an actor; `None` if this process does not know it.
    ///
    /// # Errors
    ///
    /// [`SendError::Restarting`] between two lives and before the first.
    pub fn reach(&self, aid: Aid) -> Result<Option<Reached>, SendError> {
        let Some(entry) = self.entries.get(&aid) else {
            // A task in another process: its host knows it.
            let host = self
                .entries
                .get(&aid.host())
                .and_then(|host| host.reached.clone());
            return Ok(host.filter(|host| matches!(host, Reached::Link(_))));
        };
        if let Some(reached) = &entry.reached {
            return Ok(Some(reached.clone()));
        }
        let until = entry.until.map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        });
        Err(SendError::Restarting { until })
    }

    /// The links to all living process actors.
    pub fn links(&self) -> Vec<Arc<Link>> {
        let reached = self
            .entries
            .values()
            .filter_map(|entry| entry.reached.as_ref());
        let links = reached.filter_map(|reached| match reached {
            Reached::Link(link) => Some(Arc::clone(link)),
            Reached::Local(_) => None,
        });
        links.collect()
    }

    /// The actor of this name.
    pub fn named(&self, name: &str) -> Option<Aid> {
        self.names.get(name).copied()
    }

    /// The place of this id and its current life.
    pub fn get(&self, aid: Aid) -> Option<&Entry> {
        self.entries.get(&aid)
    }

    /// All places.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The end of the current life in this place.
    pub fn watch_end(&mut self, aid: Aid) -> Option<watch::Receiver<Option<Cause>>> {
        let entry = self.entries.get_mut(&aid)?;
        // Between two lives the one before has ended.
        let ended = entry.last_exit.as_ref().filter(|_| entry.control.is_none());
        let ended = ended.map(|exit| exit.cause.clone());
        let sender = entry.ended.get_or_insert_with(|| watch::Sender::new(ended));
        Some(sender.subscribe())
    }
}
