//! Carries out what the policy decides about a group, for as long as its monitor lives.

use std::collections::VecDeque;

use pulsar_policy::{ChildEvent, GroupEvent, GroupStatus, News, Roster, RosterDecision};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::group::{Group, Member};
use pulsar_core::runtime::{Chance, Nursery, Raised, Reach, Steering};
use pulsar_core::{Aid, Cause, Context, Incarnation, SendError, SpawnError};

/// News and words that wait for a keeper. Who brings them waits for room, and nothing waits for those.
const WAITING: usize = 64;

/// News of one life.
struct Report {
    child: usize,
    incarnation: Incarnation,
    news: News,
}

/// Keeps a group as its policy says.
pub(crate) struct Keeper {
    nursery: Nursery,
    cx: Context,
    group: Group,
    roster: Roster,
    status: watch::Sender<GroupStatus>,
    news: mpsc::Receiver<Report>,
    to_news: mpsc::Sender<Report>,
    steering: mpsc::Receiver<Steering>,
    chance: Chance,
    /// Who waits for the end of a child that is to stay stopped.
    leaving: Vec<(usize, oneshot::Sender<()>)>,
    /// Lives that are not begun, since the whole system stops: they end when they are asked to.
    unborn: Vec<(usize, Incarnation)>,
    stopping: bool,
    /// Its places are its manager's to give up.
    keeps_places: bool,
    ended: bool,
}

/// How a group has ended.
struct GroupEnd {
    gave_up: Option<String>,
}

impl Keeper {
    pub(crate) fn new(
        cx: Context,
        group: Group,
        status: watch::Sender<GroupStatus>,
        keeps_places: bool,
    ) -> Self {
        let nursery = Nursery::of(&cx);
        let (to_news, news) = mpsc::channel(WAITING);
        let (to_steering, steering) = mpsc::channel(WAITING);
        if let Some(keepers) = nursery.keepers() {
            let reach = Reach {
                steering: to_steering,
                status: status.subscribe(),
                is_pool: group.is_pool(),
            };
            // What was said between two lives.
            let stopped = keepers.enter(cx.aid(), reach);
            let children = stopped.iter().filter_map(|aid| group.child_at(*aid));
            children.for_each(|child| group.is_stopped(child));
        }
        group.leave_unwanted(&nursery);
        let roster = Roster::new(group.supervision(&nursery), group.next_lives());
        status.send_replace(roster.status().clone());
        Self {
            nursery,
            cx,
            group,
            roster,
            status,
            news,
            to_news,
            steering,
            chance: Chance::default(),
            leaving: Vec::new(),
            unborn: Vec::new(),
            stopping: false,
            keeps_places,
            ended: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut decisions = self.roster.begin(Instant::now());
        let end = loop {
            if let Some(end) = self.carry_out(decisions) {
                break end;
            }
            decisions = self.next().await;
        };
        self.finish(end);
    }

    /// Waits for what happens next, and has it decided.
    async fn next(&mut self) -> Vec<RosterDecision> {
        let deadline = self.roster.deadline();
        let time_came = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let chance = self.chance.draw();
        let mut came = Vec::new();
        tokio::select! {
            // What has come is heard before time passes a verdict on it.
            biased;
            // Never none: this holds a sender of its own. All that have come are heard in one turn.
            _ = self.news.recv_many(&mut came, WAITING) => self.hear(came),
            () = self.cx.stop_asked(), if !self.stopping => self.stop(chance),
            Some(word) = self.steering.recv() => self.steer(word, chance),
            () = time_came => self.roster.time_came(Instant::now(), chance),
        }
    }

    /// Decides on news one after the other; what is decided is carried out for all of them together, in its order.
    fn hear(&mut self, came: Vec<Report>) -> Vec<RosterDecision> {
        let mut decisions = Vec::new();
        for report in came {
            let Report {
                child,
                incarnation,
                news,
            } = report;
            let (now, chance) = (Instant::now(), self.chance.draw());
            decisions.extend(self.roster.news(child, incarnation, news, now, chance));
        }
        decisions
    }

    fn stop(&mut self, chance: f64) -> Vec<RosterDecision> {
        self.stopping = true;
        let now = Instant::now();
        self.roster.command(GroupEvent::StopAsked, now, chance)
    }

    fn steer(&mut self, word: Steering, chance: f64) -> Vec<RosterDecision> {
        let now = Instant::now();
        match word {
            Steering::Scale { workers, heard } => {
                self.group.is_scaled(workers);
                let event = GroupEvent::ScaleTo { children: workers };
                let decisions = self.roster.command(event, now, chance);
                // Before whoever waits looks at it.
                self.publish();
                // It may have gone meanwhile.
                let _ = heard.send(());
                decisions
            }
            Steering::StopChild { aid, left } => match self.group.child_at(aid) {
                // It is on its way anyhow, and its end is told by itself.
                Some(_) if self.roster.status().stopping => Vec::new(),
                Some(child) => {
                    self.group.is_stopped(child);
                    self.leaving.push((child, left));
                    self.roster
                        .command(GroupEvent::StopChild { child }, now, chance)
                }
                // Its place has been given up already: `left` says so by being dropped.
                None => Vec::new(),
            },
        }
    }

    /// A child will not live again. Who waits for that learns it as its sender is dropped.
    fn leave(&mut self, child: usize) {
        self.group.leave(child, &self.nursery);
        self.group.drop_descriptors_of(child);
        self.leaving.retain(|(leaving, _)| *leaving != child);
    }

    fn publish(&self) {
        let status = self.roster.status();
        self.status.send_if_modified(|shown| {
            let is_new = shown != status;
            if is_new {
                shown.clone_from(status);
            }
            is_new
        });
    }

    /// Carries out decisions. `Some` if the group has ended.
    fn carry_out(&mut self, decisions: Vec<RosterDecision>) -> Option<GroupEnd> {
        let mut queue = VecDeque::from(decisions);
        while let Some(decision) = queue.pop_front() {
            match decision {
                RosterDecision::Begin { child, incarnation } => {
                    if let Err(error) = self.begin(child, incarnation) {
                        self.not_begun(child, incarnation, &error);
                    }
                }
                RosterDecision::Stop { child } => {
                    self.tell(child, ChildEvent::StopAsked);
                    queue.extend(self.end_unborn(child));
                }
                RosterDecision::Kill { child } => self.kill(child),
                RosterDecision::Delay { child, until } => {
                    if let Some(aid) = self.group.place_of(child) {
                        self.nursery.restarts_at(aid, until);
                    }
                }
                RosterDecision::Forget { child } => self.leave(child),
                RosterDecision::End { gave_up } => {
                    self.publish();
                    return Some(GroupEnd { gave_up });
                }
            }
        }
        if self.roster.status().stopping {
            self.group.drop_descriptors();
        }
        self.publish();
        None
    }

    /// The news of a life that has not begun come as others do: a spawn that fails at once, again and again,
    /// must not hold the loop.
    fn not_begun(&self, child: usize, incarnation: Incarnation, error: &SpawnError) {
        tracing::error!(monitor = self.cx.name(), child, %error, "child not spawned");
        let report = Report {
            child,
            incarnation,
            news: News::Ended(Cause::Failed(error.to_string())),
        };
        let to_news = self.to_news.clone();
        tokio::spawn(async move { drop(to_news.send(report).await) });
    }

    fn end_unborn(&mut self, child: usize) -> Vec<RosterDecision> {
        let unborn = self.unborn.iter().position(|(unborn, _)| *unborn == child);
        let Some(index) = unborn else {
            return Vec::new();
        };
        let (_, incarnation) = self.unborn.swap_remove(index);
        let (now, chance) = (Instant::now(), self.chance.draw());
        let ended = News::Ended(Cause::Stopped);
        self.roster.news(child, incarnation, ended, now, chance)
    }

    /// Begins the next life of a child. Its news come back as reports.
    fn begin(&mut self, child: usize, incarnation: Incarnation) -> Result<(), SpawnError> {
        if self.nursery.is_stopping() {
            // Others stop first. That this one cannot be replaced meanwhile is no failure of its.
            self.unborn.push((child, incarnation));
            return Ok(());
        }
        let aid = self.group.settle(child, incarnation, &self.nursery)?;
        let (raised, below) = match self.group.member(child) {
            Some(Member::Actor(actor)) => {
                let mut actor = actor.clone();
                if self.group.is_pool() {
                    actor = actor.name(format!("{}-{}", self.cx.name(), child + 1));
                }
                let raised = self
                    .nursery
                    .raise_child(actor, aid, incarnation, &self.cx)?;
                (raised, None)
            }
            Some(Member::Group(group)) => {
                let (to_status, status) = watch::channel(GroupStatus::default());
                let above = Some(&self.cx);
                let raised = group.raise(aid, incarnation, above, &self.nursery, to_status)?;
                (raised, Some(status))
            }
            // The policy has as many children as there are members.
            None => return Ok(()),
        };
        let to_news = self.to_news.clone();
        let life = Life {
            nursery: self.nursery.clone(),
            aid,
            child,
            incarnation,
        };
        tokio::spawn(life.report(raised, below, to_news));
        Ok(())
    }

    fn tell(&self, child: usize, event: ChildEvent) {
        if let Some(aid) = self.group.place_of(child) {
            self.nursery.tell(aid, event);
        }
    }

    /// Ends a child that has not stopped in time; with all below it, if it is a monitor.
    fn kill(&self, child: usize) {
        if let Some(aid) = self.group.place_of(child) {
            tracing::warn!(monitor = self.cx.name(), %aid, "child did not stop in time: it is killed");
            self.nursery.kill(aid);
        }
    }

    /// All children have ended.
    fn finish(mut self, end: GroupEnd) {
        self.ended = true;
        if !self.keeps_places {
            self.group.leave_all(&self.nursery);
        }
        if let Some(reason) = end.gave_up {
            tracing::error!(monitor = self.cx.name(), reason, "monitor gives up");
            self.cx.fail(reason);
        }
        self.cx.stop();
    }
}

/// A monitor that is ended before its children takes them along.
impl Drop for Keeper {
    fn drop(&mut self) {
        match self.nursery.keepers() {
            Some(keepers) if self.keeps_places => keepers.leave(self.cx.aid()),
            Some(keepers) => keepers.forget(self.cx.aid()),
            None => {}
        }
        if self.ended {
            return;
        }
        // Else, after a panic here, it would live on and keep nobody.
        self.cx.fail("its keeper has ended before its children");
        (0..self.group.places()).for_each(|child| self.tell(child, ChildEvent::KillAsked));
        if self.keeps_places {
            return;
        }
        let (group, nursery, aid) = (self.group.clone(), self.nursery.clone(), self.cx.aid());
        // Where there is no loop any more, there are no places either.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(async move {
                nursery.all_below_ended(aid).await;
                group.leave_all(&nursery);
            });
        }
    }
}

/// A life of a child, as its news tell of it.
struct Life {
    nursery: Nursery,
    aid: Aid,
    child: usize,
    incarnation: Incarnation,
}

impl Life {
    /// Brings the news. A group below is ready when all in it are, and has ended when all in it have: one
    /// that was killed leaves children that still die.
    async fn report(
        self,
        raised: Raised,
        below: Option<watch::Receiver<GroupStatus>>,
        to_news: mpsc::Sender<Report>,
    ) {
        let ready = raised.ready.await.unwrap_or_else(|_| Err(gone()));
        let is_group = below.is_some();
        let whole = match below {
            Some(mut status) if ready.is_ok() => {
                status.wait_for(GroupStatus::is_whole).await.is_ok()
            }
            _ => ready.is_ok(),
        };
        if whole {
            drop(to_news.send(self.about(News::Ready)).await);
        }
        // Without an end it has never lived; the reason was told instead of "ready".
        let cause = match (raised.ended.await, ready) {
            (Ok(cause), _) => cause,
            (Err(_), Err(error)) => Cause::Failed(error.to_string()),
            (Err(_), Ok(())) => Cause::Unknown,
        };
        if is_group {
            self.nursery.all_below_ended(self.aid).await;
        }
        drop(to_news.send(self.about(News::Ended(cause))).await);
    }

    fn about(&self, news: News) -> Report {
        Report {
            child: self.child,
            incarnation: self.incarnation,
            news,
        }
    }
}

/// Its overseer is gone: the runtime is being taken down.
pub(crate) fn gone() -> SpawnError {
    SpawnError::Arbiter(SendError::NotRunning)
}
