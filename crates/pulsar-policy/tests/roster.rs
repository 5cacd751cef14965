//! Which life is in which place.

use std::time::Duration;

use pulsar_model::{Cause, Incarnation, RestartPolicy};
use pulsar_policy::{
    ChildRules, GroupEvent, News, RestartLimits, Roster, RosterDecision, Supervision,
};
use tokio::time::Instant;

fn roster(children: usize, next: &[u32]) -> Roster {
    let rules = ChildRules {
        restart: RestartPolicy::Permanent,
        final_after: Vec::new(),
        stop_within: Duration::from_secs(10),
    };
    let limits = RestartLimits {
        first_delay: Duration::ZERO,
        ..RestartLimits::default()
    };
    let next = next.iter().copied().map(Incarnation).collect();
    Roster::new(Supervision::pool(rules, children, limits), next)
}

fn begin(child: usize, incarnation: u32) -> RosterDecision {
    let incarnation = Incarnation(incarnation);
    RosterDecision::Begin { child, incarnation }
}

fn ended() -> News {
    News::Ended(Cause::Code(1))
}

#[test]
fn lives_count_up_from_the_one_that_was_said() {
    let (mut roster, now) = (roster(2, &[7]), Instant::now());
    assert_eq!(roster.begin(now), [begin(0, 7), begin(1, 1)]);
    let next = roster.news(0, Incarnation(7), ended(), now, 0.0);
    assert_eq!(next, [begin(0, 8)]);
    assert_eq!(roster.next_incarnation(0), Incarnation(9));
    assert!(roster.is_alive(0));
}

#[test]
fn news_of_earlier_lives_and_of_nobody_are_dropped_and_counted() {
    let (mut roster, now) = (roster(1, &[]), Instant::now());
    roster.begin(now);
    roster.news(0, Incarnation(1), ended(), now, 0.0);
    for (child, incarnation) in [(0, 1), (0, 3), (5, 1)] {
        for news in [News::Ready, ended()] {
            assert_eq!(
                roster.news(child, Incarnation(incarnation), news, now, 0.0),
                []
            );
        }
    }
    assert_eq!(roster.late_news(), 6);
    assert_eq!(roster.status().ready, 0);
    assert!(roster.is_alive(0) && !roster.is_alive(5));
}

#[test]
fn a_new_place_begins_with_the_first_life() {
    let (mut roster, now) = (roster(1, &[4]), Instant::now());
    roster.begin(now);
    let scale = |children| GroupEvent::ScaleTo { children };
    let stop = roster.command(scale(0), now, 0.0);
    assert_eq!(stop, [RosterDecision::Stop { child: 0 }]);
    assert!(roster.is_over(0) && roster.is_alive(0));
    let forget = roster.news(0, Incarnation(4), ended(), now, 0.0);
    assert_eq!(forget, [RosterDecision::Forget { child: 0 }]);
    assert_eq!(roster.next_incarnation(0), Incarnation::FIRST);
    let started = roster.command(scale(2), now, 0.0);
    assert_eq!(started, [begin(0, 1), begin(1, 1)]);
}

#[test]
fn news_do_not_come_as_commands() {
    let (mut roster, now) = (roster(1, &[]), Instant::now());
    roster.begin(now);
    let cause = Cause::Normal;
    for event in [
        GroupEvent::Ready { child: 0 },
        GroupEvent::Ended { child: 0, cause },
        GroupEvent::TimeCame,
    ] {
        assert_eq!(roster.command(event, now, 0.0), []);
    }
    assert!(roster.is_alive(0));
}

#[test]
fn time_ends_a_stop_and_the_last_end_ends_the_group() {
    let (mut roster, now) = (roster(1, &[]), Instant::now());
    roster.begin(now);
    roster.command(GroupEvent::StopAsked, now, 0.0);
    let kill_at = now + Duration::from_secs(10);
    assert_eq!(roster.deadline(), Some(kill_at));
    let kill = roster.time_came(kill_at, 0.0);
    assert_eq!(kill, [RosterDecision::Kill { child: 0 }]);
    let end = roster.news(0, Incarnation(1), ended(), kill_at, 0.0);
    assert_eq!(end, [RosterDecision::End { gave_up: None }]);
    assert_eq!(roster.deadline(), None);
}
