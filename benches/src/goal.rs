//! What a measure is to reach.

use crate::finding::Values;

/// What a measure is to reach: as text, and as what can be computed.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) text: &'static str,
    pub(crate) rule: Rule,
}

/// A bound. Those that name another contender are judged by the quotients of the rounds.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    AtMost(f64),
    AtLeast(f64),
    AtMostOfFloor(f64),
    AtLeastOfFloor(f64),
    AtMostOfPeer(&'static str, f64),
    /// Better than each peer that is there, but for these.
    BeatsPeersBut(&'static [&'static str]),
    Any(Vec<Rule>),
    All(Vec<Rule>),
}

impl Rule {
    /// Whether it holds; none where a value that it needs is missing.
    pub(crate) fn holds(&self, values: &Values) -> Option<bool> {
        match self {
            Self::AtMost(bound) => values.ours().map(|ours| ours <= *bound),
            Self::AtLeast(bound) => values.ours().map(|ours| ours >= *bound),
            Self::AtMostOfFloor(bound) => values.to_floor().map(|ratio| ratio <= *bound),
            Self::AtLeastOfFloor(bound) => values.to_floor().map(|ratio| ratio >= *bound),
            Self::AtMostOfPeer(peer, bound) => values.to_peer(peer).map(|ratio| ratio <= *bound),
            Self::BeatsPeersBut(exempt) => values.beats_peers_but(exempt),
            Self::Any(rules) => {
                let verdicts: Vec<_> = rules.iter().map(|rule| rule.holds(values)).collect();
                decided(&verdicts, true)
            }
            Self::All(rules) => {
                let verdicts: Vec<_> = rules.iter().map(|rule| rule.holds(values)).collect();
                decided(&verdicts, false)
            }
        }
    }
}

/// The verdict that decides, if one has it; else the other, unless a verdict is open.
fn decided(verdicts: &[Option<bool>], decisive: bool) -> Option<bool> {
    match verdicts {
        verdicts if verdicts.contains(&Some(decisive)) => Some(decisive),
        verdicts if verdicts.contains(&None) => None,
        _ => Some(!decisive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Better;

    fn values(ours: f64, floor: f64, peer: Option<f64>) -> Values {
        Values {
            better: Better::Lower,
            ours: vec![Some(ours)],
            floor: vec![Some(floor)],
            peers: vec![("peer", vec![peer])],
        }
    }

    #[test]
    fn each_bound_can_hold_and_fail() {
        use Rule::*;
        let values = values(10.0, 5.0, Some(20.0));
        for (holds, fails) in [
            (AtMost(10.0), AtMost(9.0)),
            (AtLeast(10.0), AtLeast(11.0)),
            (AtMostOfFloor(2.0), AtMostOfFloor(1.9)),
            (AtLeastOfFloor(2.0), AtLeastOfFloor(2.1)),
            (AtMostOfPeer("peer", 0.5), AtMostOfPeer("peer", 0.4)),
            (Any(vec![AtMost(1.0), AtMost(10.0)]), Any(vec![AtMost(1.0)])),
            (
                All(vec![AtMost(10.0)]),
                All(vec![AtMost(1.0), AtMost(10.0)]),
            ),
        ] {
            assert_eq!(holds.holds(&values), Some(true), "{holds:?}");
            assert_eq!(fails.holds(&values), Some(false), "{fails:?}");
        }
    }

    #[test]
    fn what_lacks_a_value_is_open_unless_another_decides() {
        use Rule::*;
        let values = values(10.0, 5.0, None);
        let open = || AtMostOfPeer("peer", 1.0);
        assert_eq!(open().holds(&values), None);
        assert_eq!(BeatsPeersBut(&[]).holds(&values), None);
        assert_eq!(Any(vec![open(), AtMost(10.0)]).holds(&values), Some(true));
        assert_eq!(Any(vec![open(), AtMost(1.0)]).holds(&values), None);
        assert_eq!(All(vec![open(), AtMost(1.0)]).holds(&values), Some(false));
        assert_eq!(All(vec![open(), AtMost(10.0)]).holds(&values), None);
    }
}
