//! The direct links of one process.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pulsar_model::Cause;
use pulsar_wire::{Aid, Incarnation};

use crate::turns::{TurnGuard, Turns};
use crate::{Link, Seeking};

/// The direct links of one process to others, by the actor that holds the other process.
///
/// # Order
///
/// Messages to one process go over one link at a time, the oldest of the process's present life
/// that is still open. They go over another only when all that went over the one before has been
/// handed on there: while a link is being retired and that is not said yet, [`get`](Self::get)
/// gives none, [`retiring`](Self::retiring) gives that one, and its
/// [`is_read_out`](Link::is_read_out) says when to look again.
#[derive(Debug)]
pub struct Peers {
    most: usize,
    table: Mutex<Table>,
    turns: Turns,
}

#[derive(Debug, Default)]
struct Table {
    /// For each process its links, in the order in which they were added.
    hosts: HashMap<Aid, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    link: Arc<Link>,
    /// Messages have gone over it, or may have.
    sends: bool,
}

impl Peers {
    /// A table in which at most `most` links, and at least one, stay in use. Those that are being
    /// retired come on top.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            table: Mutex::default(),
            turns: Turns::default(),
        }
    }

    /// The link for new messages to the process of `host`, which is in use from now. Never one
    /// that is closed or being retired, by whichever side. `None` if there is none or none yet:
    /// then look at [`retiring`](Self::retiring) before you seek another.
    pub fn get(&self, host: Aid) -> Option<Arc<Link>> {
        let mut table = self.table.lock();
        let entries = table.hosts.get_mut(&host)?;
        if unread(entries).is_some() {
            return None;
        }
        let life = latest(entries);
        let fit = |entry: &&mut Entry| entry.link.incarnation() == life && entry.is_in_use();
        let entry = entries.iter_mut().find(fit)?;
        entry.link.touch();
        entry.sends = true;
        Some(Arc::clone(&entry.link))
    }

    /// Enters a link. If there is one to the same life of its process already, that one stays the
    /// one for sending, and the new one is there for what comes over it; a link to a later life
    /// takes the place of those before.
    ///
    /// If more than the cap are in use now, the least recently used one but this begins to be
    /// retired, and is given back.
    pub fn add(&self, link: Arc<Link>) -> Option<Arc<Link>> {
        link.touch();
        let mut table = self.table.lock();
        let entries = table.hosts.entry(link.peer()).or_default();
        let life = link.incarnation();
        let is_before = |entry: &Entry| entry.is_in_use() && entry.link.incarnation() >= life;
        let sends = !entries.iter().any(is_before);
        entries.push(Entry { link, sends });
        let in_use = || {
            let all = table.hosts.values().flatten();
            all.filter(|entry| entry.is_in_use())
        };
        if in_use().count() <= self.most {
            return None;
        }
        // The new one was used last, and there is another, since the cap is at least one.
        let oldest = Arc::clone(&in_use().min_by_key(|entry| entry.link.used())?.link);
        // Under the lock: nobody finds it neither in use nor being retired, and seeks another way
        // past what it still carries.
        oldest.retire();
        Some(oldest)
    }

    /// A link to the process of `host` that is being retired, and of which the other side has not
    /// said yet that it is read out. As long as there is one, no other may be used.
    pub fn retiring(&self, host: Aid) -> Option<Arc<Link>> {
        let table = self.table.lock();
        unread(table.hosts.get(&host)?).map(Arc::clone)
    }

    /// The arbiter says how the process of `host` ended this life.
    pub fn ended(&self, host: Aid, incarnation: Incarnation, cause: &Cause) {
        let table = self.table.lock();
        for entry in table.hosts.get(&host).into_iter().flatten() {
            if entry.link.incarnation() == Some(incarnation) {
                entry.link.set_verdict(cause.clone());
            }
        }
    }

    /// Takes out a link that has ended.
    pub fn remove(&self, link: &Arc<Link>) {
        let mut table = self.table.lock();
        let host = link.peer();
        if let Some(entries) = table.hosts.get_mut(&host) {
            entries.retain(|entry| !Arc::ptr_eq(&entry.link, link));
            if entries.is_empty() {
                table.hosts.remove(&host);
            }
        }
    }

    /// All links, whatever their state.
    pub fn links(&self) -> Vec<Arc<Link>> {
        let table = self.table.lock();
        let all = table.hosts.values().flatten();
        all.map(|entry| Arc::clone(&entry.link)).collect()
    }

    /// How many links there are, whatever their state.
    pub fn len(&self) -> usize {
        self.table.lock().hosts.values().map(Vec::len).sum()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the turn to seek the way to `target`: one at a time seeks, the others wait, first
    /// come first served, and look first whether the one before has found it.
    pub async fn turn(&self, target: &Seeking) -> TurnGuard {
        self.turns.turn(target).await
    }

    /// True while somebody has that turn or waits for it: who comes now goes behind.
    pub fn is_sought(&self, target: &Seeking) -> bool {
        self.turns.is_busy(target)
    }

    /// How many links there are to this life of the process of `host`, whatever their state.
    pub fn links_to(&self, host: Aid, incarnation: Incarnation) -> usize {
        let table = self.table.lock();
        let entries = table.hosts.get(&host).into_iter().flatten();
        entries
            .filter(|entry| entry.link.incarnation() == Some(incarnation))
            .count()
    }
}

impl Entry {
    fn is_in_use(&self) -> bool {
        self.link.is_in_use()
    }
}

/// The life that is the process's present one, as far as is known here.
fn latest(entries: &[Entry]) -> Option<Incarnation> {
    entries
        .iter()
        .filter_map(|entry| entry.link.incarnation())
        .max()
}

/// A link to the present life that is being retired and not read out. One over which nothing was
/// sent has nothing that could be overtaken.
fn unread(entries: &[Entry]) -> Option<&Arc<Link>> {
    let life = latest(entries);
    let links = entries.iter().filter(|entry| entry.sends);
    links
        .map(|entry| &entry.link)
        .filter(|link| link.incarnation() == life)
        .find(|link| link.is_retiring() && !link.has_been_read_out())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pulsar_wire::ArbiterId;

    use super::*;

    fn host(place: u32) -> Aid {
        Aid::new(ArbiterId::from_entropy(1), place)
    }

    fn link(place: u32, life: u32) -> Arc<Link> {
        Arc::new(Link::direct(host(place), Incarnation(life)))
    }

    fn gives(peers: &Peers, link: &Arc<Link>) -> bool {
        let given = peers.get(link.peer());
        given.is_some_and(|given| Arc::ptr_eq(&given, link))
    }

    #[test]
    fn the_least_recently_used_link_is_retired_past_the_cap() {
        let peers = Peers::new(3);
        let links: Vec<_> = (0..4).map(|place| link(place, 1)).collect();
        for link in &links[..3] {
            assert!(peers.add(Arc::clone(link)).is_none());
        }
        assert!(gives(&peers, &links[0]));
        let retired = peers.add(Arc::clone(&links[3])).unwrap();
        assert!(Arc::ptr_eq(&retired, &links[1]));
        assert!(retired.is_retiring());
        assert!(peers.get(host(1)).is_none());
        assert!(Arc::ptr_eq(&peers.retiring(host(1)).unwrap(), &links[1]));
        // The next in order is the third: the first has been used since.
        assert!(Arc::ptr_eq(&peers.add(link(9, 1)).unwrap(), &links[2]));
        assert!(gives(&peers, &links[0]) && gives(&peers, &links[3]));
        assert_eq!(peers.len(), 5);
    }

    #[test]
    fn the_link_that_was_just_added_is_never_the_one_to_go() {
        let peers = Peers::new(0);
        let (one, other) = (link(1, 1), link(2, 1));
        assert!(peers.add(Arc::clone(&one)).is_none());
        assert!(Arc::ptr_eq(&peers.add(Arc::clone(&other)).unwrap(), &one));
        assert!(gives(&peers, &other));
    }

    #[test]
    fn a_second_link_is_used_only_when_the_first_is_read_out() {
        let peers = Peers::new(9);
        let (first, second) = (link(1, 1), link(1, 1));
        peers.add(Arc::clone(&first));
        peers.add(Arc::clone(&second));
        assert!(gives(&peers, &first));
        // The other side retires it.
        first.retire_came().unwrap();
        assert!(peers.get(host(1)).is_none());
        assert!(Arc::ptr_eq(&peers.retiring(host(1)).unwrap(), &first));
        first.retired_came().unwrap();
        assert!(peers.retiring(host(1)).is_none());
        assert!(gives(&peers, &second));
        peers.remove(&first);
        assert!(gives(&peers, &second));
        peers.remove(&second);
        assert!(peers.is_empty() && peers.get(host(1)).is_none());
    }

    #[test]
    fn a_second_link_that_is_retired_does_not_hold_up_the_first() {
        let peers = Peers::new(9);
        let (first, second) = (link(1, 1), link(1, 1));
        peers.add(Arc::clone(&first));
        peers.add(Arc::clone(&second));
        second.retire();
        assert!(gives(&peers, &first));
        assert!(peers.retiring(host(1)).is_none());
    }

    #[test]
    fn a_later_life_takes_the_place_of_the_one_before_at_once() {
        let peers = Peers::new(9);
        let (old, new) = (link(1, 1), link(1, 2));
        peers.add(Arc::clone(&old));
        old.retire();
        peers.add(Arc::clone(&new));
        assert!(gives(&peers, &new));
        assert!(peers.retiring(host(1)).is_none());
        // One of the old life that comes late does not take it back.
        peers.add(link(1, 1));
        assert!(gives(&peers, &new));
    }

    #[test]
    fn a_closed_link_is_not_given_out() {
        let peers = Peers::new(9);
        let link = link(1, 1);
        peers.add(Arc::clone(&link));
        link.close();
        assert!(peers.get(host(1)).is_none());
        assert!(peers.retiring(host(1)).is_none());
    }

    #[tokio::test]
    async fn a_verdict_is_for_all_links_of_that_life_and_no_other() {
        let peers = Peers::new(9);
        let links = [link(1, 1), link(1, 1), link(1, 2), link(2, 1)];
        for link in &links {
            peers.add(Arc::clone(link));
        }
        peers.ended(host(1), Incarnation(1), &Cause::Code(7));
        let mut verdicts = Vec::new();
        for link in &links {
            verdicts.push(link.verdict(Duration::ZERO).await);
        }
        let (code, unknown) = (Cause::Code(7), Cause::Unknown);
        assert_eq!(verdicts, [code.clone(), code, unknown.clone(), unknown]);
    }
}
