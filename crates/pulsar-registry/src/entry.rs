//! A place, and who lives there.

use std::sync::Arc;
use std::time::Duration;

use pulsar_actor::Context;
use pulsar_actor::runtime::Identity;
use pulsar_link::Link;
use pulsar_model::{Cause, Info, LastExit, Placement, Role, State};
use pulsar_policy::ChildEvent;
use pulsar_sys::Pid;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Control;

/// One place and its current life.
#[derive(Debug)]
pub struct Entry {
    /// Who the actor is in this life.
    pub birth: Arc<Identity>,
    /// What it is to its manager.
    pub role: Role,
    /// The name of the monitor whose worker this is.
    pub monitor: Option<String>,
    /// Where in its life it is, as far as its manager has heard.
    pub state: State,
    /// Its process, once it has one.
    pub pid: Option<Pid>,
    /// When this life was entered.
    pub since: Instant,
    /// When its manager first heard that it is ready, if it has.
    pub ready: Option<Instant>,
    /// Its last notify, and when that came.
    pub info: Option<(Instant, Box<Info>)>,
    /// How many lives in this place were before.
    pub restarts: u32,
    /// How the life before ended.
    pub last_exit: Option<LastExit>,
    /// Between two lives: when the next begins, at the earliest.
    pub until: Option<Instant>,
    /// The hold on its life; none where there is none.
    pub control: Option<Control>,
    /// Cancelled when nobody wants a next life in this place. Made for whoever first asks.
    pub(crate) unwanted: Option<CancellationToken>,
    pub(crate) reached: Option<Reached>,
    /// The cause of the current life's end, once it has ended.
    /// Made for whoever first waits for it.
    pub(crate) ended: Option<watch::Sender<Option<Cause>>>,
}

impl Entry {
    /// The actor, if it is a task of this process's. Its notifies say no more than that it lives: whoever wants to know
    /// looks at it.
    pub fn task(&self) -> Option<&Context> {
        match &self.reached {
            Some(Reached::Local(cx)) if self.birth.placement == Placement::Task => Some(cx),
            _ => None,
        }
    }

    /// The last info that it has told, and how long ago, unless it is a task that has only been seen to live since.
    fn told(&self, now: Instant) -> Option<(Duration, &Info)> {
        let (at, info) = self.info.as_ref()?;
        let ago = now.saturating_duration_since(*at);
        let seen = self
            .task()
            .and_then(|task| task.cell().pulse.notified_ago());
        seen.is_none_or(|seen| ago <= seen)
            .then_some((ago, &**info))
    }

    /// The same for somebody who wants to know how it is. A process that sleeps is not woken to notify: where what it has
    /// told is older than a period of its notifies, it is asked anew, for whoever looks next.
    pub fn news(&self, now: Instant) -> Option<(Duration, &Info)> {
        let told = self.told(now);
        let is_old = told.is_some_and(|(ago, _)| ago > self.birth.notify_every);
        if let (true, Some(_), Some(control)) = (is_old, self.own_pid(), &self.control) {
            control.offer(ChildEvent::NewsWanted);
        }
        told
    }

    /// The process that is this actor's alone.
    pub(crate) fn own_pid(&self) -> Option<Pid> {
        self.pid
            .filter(|_| self.birth.placement == Placement::Process)
    }
}

/// How an actor is reached.
#[derive(Clone, Debug)]
pub enum Reached {
    /// It lives in this process.
    Local(Context),
    /// It is the process at the other end.
    Link(Arc<Link>),
}
