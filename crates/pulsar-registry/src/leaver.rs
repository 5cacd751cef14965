//! In which order actors are stopped.

use std::time::Duration;

use pulsar_wire::Aid;
use tokio::time::Instant;

use crate::Entry;

/// Actors that are stopped at once, at most: past some per core they only take time from each other.
const MOST_AT_ONCE: usize = 32;

/// One that is to be stopped.
#[derive(Clone, Debug)]
pub struct Leaver {
    /// Who.
    pub aid: Aid,
    /// How long it may take.
    pub exit_timeout: Duration,
    age: u64,
    /// When it was wanted.
    since: Instant,
    /// When it was ready, if it is.
    ready: Option<Instant>,
}

impl From<&Entry> for Leaver {
    fn from(entry: &Entry) -> Self {
        Self {
            aid: entry.birth.aid,
            exit_timeout: entry.birth.exit_timeout,
            age: entry.birth.age,
            since: entry.since,
            ready: entry.ready,
        }
    }
}

impl Leaver {
    /// These in the order in which they are stopped: the last that were started first, for what was started earlier may be
    /// what the later ones need to stop in order. Those of a group may stop together: their starts overlapped, so that none of
    /// them was there yet for another to be started for it.
    pub fn groups(mut all: Vec<Self>) -> Vec<Vec<Self>> {
        all.sort_unstable_by_key(|one| std::cmp::Reverse((one.age, one.aid)));
        let mut groups: Vec<Vec<Self>> = Vec::new();
        for one in all {
            match groups.last_mut() {
                Some(group) if one.belongs_to(group) => group.push(one),
                _ => groups.push(vec![one]),
            }
        }
        groups
    }

    /// Whether it, which is older, was not ready when the youngest of the group was wanted.
    fn belongs_to(&self, group: &[Self]) -> bool {
        let overlaps = |youngest: &Self| self.ready.is_none_or(|ready| ready > youngest.since);
        group.len() < MOST_AT_ONCE && group.first().is_some_and(overlaps)
    }
}

#[cfg(test)]
mod tests {
    use pulsar_wire::ArbiterId;

    use super::*;

    /// How many stop together, of lives by when each was wanted and when it was ready, in seconds.
    fn groups(lives: &[(u64, Option<u64>)]) -> Vec<usize> {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let all = (0..).zip(lives).map(|(place, (since, ready))| Leaver {
            aid: Aid::new(ArbiterId::from_entropy(1), place),
            exit_timeout: Duration::ZERO,
            age: *since,
            since: at(*since),
            ready: ready.map(at),
        });
        let groups = Leaver::groups(all.collect());
        groups.iter().map(Vec::len).collect()
    }

    #[test]
    fn only_those_whose_starts_overlapped_stop_together() {
        // Each after the one before was ready, at that very moment too.
        let one_by_one = [(4, Some(5)), (2, Some(4)), (1, Some(2))];
        assert_eq!(groups(&one_by_one), [1, 1, 1]);
        assert_eq!(groups(&[(3, Some(9)), (2, Some(4)), (1, Some(5))]), [3]);
        // The middle one overlapped with both, the outer ones did not.
        assert_eq!(groups(&[(5, Some(9)), (3, Some(6)), (1, Some(4))]), [2, 1]);
        // One that was there before keeps those before it waiting as well.
        assert_eq!(groups(&[(5, Some(9)), (3, Some(4)), (1, Some(8))]), [1, 2]);
        // One that never got ready was nothing that others could need.
        assert_eq!(groups(&[(5, None), (3, None), (1, Some(2))]), [2, 1]);
    }

    #[test]
    fn the_last_started_are_first_and_a_group_is_bounded() {
        assert_eq!(groups(&[(1, Some(2)), (3, None), (4, None)]), [2, 1]);
        let many = vec![(1, None); MOST_AT_ONCE + 1];
        assert_eq!(groups(&many), [MOST_AT_ONCE, 1]);
    }
}
