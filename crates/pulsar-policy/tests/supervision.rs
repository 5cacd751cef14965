//! What a group decides, whatever happens to it.

mod script;

use std::time::Duration;

use pulsar_model::{Cause, RestartPolicy};
use pulsar_policy::{GroupEvent, RestartLimits, Strategy, Supervision};
use script::{Group, limited_pool, ordered, pool, rules};
use tokio::time::Instant;

use Strategy::{OneForAll, OneForOne, RestForOne};

#[test]
fn a_pool_starts_and_stops_side_by_side() {
    pool(3).play(&[
        ("begin", "start 0, start 1, start 2"),
        ("begin", ""),
        ("ready 1", ""),
        ("stop", "stop 0, stop 1, stop 2"),
        ("stop", ""),
        ("stopped 1", ""),
        ("crash 0", ""),
        ("normal 2", "end"),
        ("stop", ""),
        ("scale 3", ""),
        ("60000 ms", ""),
    ]);
}

#[test]
fn an_ordered_group_starts_in_order_and_stops_in_reverse_one_after_the_other() {
    ordered("ppp", OneForOne).play(&[
        ("begin", "start 0"),
        ("ready 2", ""),
        ("ready 0", "start 1"),
        ("ready 0", ""),
        ("ready 1", "start 2"),
        ("ready 2", ""),
        ("stop", "stop 2"),
        ("crash 0", ""),
        ("stopped 2", "stop 1"),
        ("stopped 1", "end"),
    ]);
}

#[test]
fn a_group_that_is_stopped_while_it_starts_begins_no_more_lives() {
    ordered("ppp", OneForOne).play(&[
        ("begin", "start 0"),
        ("ready 0", "start 1"),
        ("stop", "stop 1"),
        ("ready 1", ""),
        ("stopped 1", "stop 0"),
        ("stopped 0", "end"),
    ]);
    ordered("pp", OneForOne).play(&[("stop", "end"), ("begin", "")]);
}

#[test]
fn who_does_not_live_is_not_waited_for() {
    // 0 ends for good, 1 is stopped by an operator before its turn, 2 while it boots.
    ordered("oppp", OneForOne).play(&[
        ("begin", "start 0"),
        ("off 1", "forget 1"),
        ("crash 0", "forget 0, start 2"),
        ("off 2", "stop 2, start 3"),
        ("ready 3", ""),
        ("stopped 2", "forget 2"),
    ]);
}

#[test]
fn a_child_does_not_wait_for_an_earlier_one_that_is_restarted() {
    ordered("pppp", OneForOne).all_ready(3).play(&[
        ("crash 0", "delay 0 100"),
        ("crash 1", "delay 1 100"),
        ("100 ms", "start 0, start 1"),
        // 0 hangs as it boots, again and again.
        ("ready 1", ""),
        ("5000 ms", ""),
        ("crash 1", "start 1"),
        ("crash 1", "delay 1 100"),
        ("crash 0", "delay 0 200"),
        ("100 ms", "start 1"),
        ("100 ms", "start 0"),
    ]);
}

#[test]
fn the_first_start_of_a_child_waits_for_all_before_it() {
    ordered("ppp", OneForOne).play(&[
        ("begin", "start 0"),
        ("ready 0", "start 1"),
        // It was never ready, so the next life is its first start still.
        ("crash 1", "delay 1 100"),
        ("crash 0", "delay 0 100"),
        ("100 ms", "start 0"),
        ("ready 0", "start 1"),
        ("crash 0", "delay 0 200"),
        ("ready 1", ""),
        ("200 ms", "start 0"),
        ("ready 0", "start 2"),
    ]);
}

#[test]
fn who_becomes_ready_before_it_goes_for_a_sibling_begins_in_its_turn_all_the_same() {
    ordered("ppp", OneForAll).play(&[
        ("begin", "start 0"),
        ("ready 0", "start 1"),
        ("crash 0", "delay 0 100, stop 1"),
        ("ready 1", ""),
        ("stopped 1", ""),
        ("100 ms", "start 0"),
        ("ready 0", "start 1"),
        ("ready 1", "start 2"),
    ]);
}

#[test]
fn a_stop_that_takes_too_long_ends_in_one_kill() {
    pool(2).play(&[
        ("begin", "start 0, start 1"),
        ("stop", "stop 0, stop 1"),
        ("9999 ms", ""),
        ("stopped 1", ""),
        ("1 ms", "kill 0"),
        ("10000 ms", ""),
        ("crash 0", "end"),
    ]);
    // Each in its own time.
    let mut group = ordered("pp", OneForOne).all_ready(2);
    group.play(&[
        ("stop", "stop 1"),
        ("10000 ms", "kill 1"),
        ("crash 1", "stop 0"),
        ("9999 ms", ""),
        ("1 ms", "kill 0"),
    ]);
    assert_eq!(group.policy.deadline(), None);
}

#[test]
fn a_child_is_restarted_as_its_rules_say() {
    for (letter, happens, decided) in [
        ("p", "crash 0", "delay 0 100"),
        ("p", "normal 0", "delay 0 100"),
        ("p", "stopped 0", "delay 0 100"),
        ("p", "code3 0", "forget 0"),
        ("t", "crash 0", "delay 0 100"),
        ("t", "normal 0", "forget 0"),
        ("t", "stopped 0", "forget 0"),
        ("t", "code3 0", "forget 0"),
        ("o", "crash 0", "forget 0"),
        ("o", "normal 0", "forget 0"),
    ] {
        let mut group = ordered(letter, OneForOne).all_ready(1);
        group.play(&[(happens, decided)]);
        let is_over = decided.starts_with("forget");
        assert_eq!(group.policy.is_over(0), is_over, "{letter}, {happens}");
        assert_eq!(group.policy.status().wanted, usize::from(!is_over));
        // An ordered group stays.
        group.play(&[("stop", "end")]);
    }
}

#[test]
fn a_healthy_child_is_replaced_at_once_and_a_crash_loop_slows_down() {
    let mut pool = pool(1).all_ready(1);
    pool.play(&[("5000 ms", ""), ("crash 0", "start 0")]);
    for ms in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        let (delay, wait) = (format!("delay 0 {ms}"), format!("{} ms", ms - 1));
        pool.play(&[
            ("ready 0", ""),
            ("4999 ms", ""),
            ("crash 0", &delay),
            (&wait, ""),
            ("1 ms", "start 0"),
        ]);
    }
    pool.play(&[
        ("ready 0", ""),
        ("60000 ms", ""),
        ("normal 0", "start 0"),
        ("crash 0", "delay 0 100"),
    ]);
}

#[test]
fn a_group_gives_up_at_its_intensity_and_never_before() {
    let limits = RestartLimits {
        intensity: Some(2),
        ..RestartLimits::default()
    };
    let mut pool = limited_pool(2, limits).all_ready(2);
    pool.play(&[
        ("crash 0", "delay 0 100"),
        ("30000 ms", "start 0"),
        ("ready 0", ""),
        // One that ends in order is restarted too, and counts.
        ("normal 0", "delay 0 200"),
        // The first has left the period.
        ("30000 ms", "start 0"),
        ("crash 0", "delay 0 400"),
        ("1000 ms", "start 0"),
        ("ready 0", ""),
        ("crash 1", "stop 0"),
    ]);
    let reason = Some("over 2 restarts in 60s");
    assert_eq!(pool.policy.status().gave_up.as_deref(), reason);
    pool.play(&[
        ("stop", ""),
        ("scale 4", ""),
        ("off 0", ""),
        ("stopped 0", "end: over 2 restarts in 60s"),
    ]);
}

#[test]
fn a_pool_gives_up_when_no_child_was_ever_ready_after_five_boots_of_one_place() {
    let mut policy = pool(3);
    policy.happens("begin");
    for ms in ["100 ms", "200 ms", "400 ms", "800 ms"] {
        policy.happens("crash 1");
        policy.happens(ms);
    }
    policy.play(&[
        ("crash 1", "stop 0, stop 2"),
        ("crash 0", ""),
        (
            "crash 2",
            "end: no worker became ready, after 5 boots in one place",
        ),
    ]);
    // One that was ready shows that it can be done.
    let mut policy = pool(2);
    policy.play(&[("begin", "start 0, start 1"), ("ready 0", "")]);
    for ms in ["100 ms", "200 ms", "400 ms", "800 ms"] {
        policy.happens("crash 1");
        policy.happens(ms);
    }
    policy.play(&[("crash 1", "delay 1 1600")]);
}

#[test]
fn an_ordered_group_gives_up_for_each_child_that_was_never_ready() {
    let mut group = ordered("pp", OneForOne);
    group.play(&[("begin", "start 0"), ("ready 0", "start 1")]);
    for ms in ["100 ms", "200 ms", "400 ms", "800 ms"] {
        group.happens("crash 1");
        group.happens(ms);
    }
    group.play(&[
        ("crash 1", "stop 0"),
        ("stopped 0", "end: child 1 was never ready, after 5 boots"),
    ]);
    // One that was ready once is tried on.
    let mut group = ordered("p", OneForOne).all_ready(1);
    for ms in ["100 ms", "200 ms", "400 ms", "800 ms", "1600 ms"] {
        group.happens("crash 0");
        group.happens(ms);
    }
    group.play(&[("crash 0", "delay 0 3200")]);
}

#[test]
fn a_limit_of_no_failed_boots_is_one_and_spares_who_was_ready() {
    for max_failed_boots in [0, 1] {
        let limits = RestartLimits {
            max_failed_boots,
            ..RestartLimits::default()
        };
        let children = || vec![rules(RestartPolicy::Permanent); 2];
        let new = || Group::new(Supervision::ordered(children(), OneForOne, limits));
        new().all_ready(2).play(&[
            ("crash 0", "delay 0 100"),
            ("100 ms", "start 0"),
            ("crash 0", "delay 0 200"),
        ]);
        new().play(&[
            ("begin", "start 0"),
            ("crash 0", "end: child 0 was never ready, after 1 boots"),
        ]);
    }
}

#[test]
fn absurd_limits_make_no_panic() {
    for longest in [Duration::MAX, Duration::ZERO] {
        let limits = RestartLimits {
            healthy_after: longest,
            first_delay: longest,
            max_delay: Duration::MAX,
            jitter: f64::INFINITY,
            intensity: Some(usize::MAX),
            period: longest,
            max_failed_boots: usize::MAX,
        };
        let mut rules = rules(RestartPolicy::Permanent);
        rules.stop_within = Duration::MAX;
        let mut policy = Supervision::ordered(vec![rules; 2], RestForOne, limits);
        let mut now = Instant::now();
        policy.begin(now);
        for chance in [1.0, -1.0, f64::NAN].repeat(20) {
            policy.on(GroupEvent::Ready { child: 0 }, now, chance);
            for child in [1, 0] {
                let cause = Cause::Code(1);
                policy.on(GroupEvent::Ended { child, cause }, now, chance);
            }
            now = policy.deadline().unwrap_or(now);
            policy.on(GroupEvent::TimeCame, now, chance);
        }
        let decisions = policy.on(GroupEvent::StopAsked, now, 0.0);
        assert_eq!(decisions, [pulsar_policy::GroupDecision::Stop { child: 0 }]);
    }
}

#[test]
fn a_pool_of_which_all_have_ended_for_good_gives_up() {
    let mut pool = pool(3).all_ready(3);
    pool.play(&[
        ("code3 0", "forget 0"),
        ("off 1", "stop 1"),
        ("stopped 1", "forget 1"),
        ("code3 2", "forget 2, end: every worker has ended for good"),
    ]);
    assert_eq!(pool.policy.status().last_failure, Some(Cause::Code(3)));
}

#[test]
fn a_pool_of_nobody_waits() {
    pool(0).play(&[("begin", ""), ("scale 1", "start 0")]);
    pool(2).all_ready(2).play(&[
        ("off 0", "stop 0"),
        ("stopped 0", "forget 0"),
        ("scale 0", "stop 1"),
        ("code3 1", "forget 1"),
        ("scale 1", "start 0"),
        ("off 0", "stop 0"),
        ("stopped 0", "forget 0"),
        ("stop", "end"),
    ]);
}

#[test]
fn one_for_all_stops_all_in_reverse_and_starts_all_in_order() {
    ordered("pppp", OneForAll).all_ready(4).play(&[
        ("crash 1", "delay 1 100, stop 3"),
        ("stopped 3", "stop 2"),
        // It crashes while it stops: that is no restart of its own.
        ("crash 2", "stop 0"),
        ("50 ms", ""),
        ("stopped 0", ""),
        ("49 ms", ""),
        ("1 ms", "start 0"),
        ("ready 0", "start 1"),
        ("ready 1", "start 2"),
        ("ready 2", "start 3"),
    ]);
}

#[test]
fn rest_for_one_restarts_those_after_it() {
    ordered("pppp", RestForOne).all_ready(4).play(&[
        ("5000 ms", ""),
        // It was healthy: only its siblings are waited for.
        ("crash 2", "stop 3"),
        ("1000 ms", ""),
        ("stopped 3", "start 2"),
        ("ready 2", "start 3"),
    ]);
}

#[test]
fn an_earlier_sibling_that_dies_meanwhile_widens_the_restart() {
    ordered("pppp", RestForOne).all_ready(4).play(&[
        ("crash 2", "delay 2 100, stop 3"),
        ("50 ms", ""),
        ("crash 0", "delay 0 100"),
        ("stopped 3", "stop 1"),
        ("50 ms", ""),
        ("stopped 1", ""),
        ("50 ms", "start 0"),
        ("ready 0", "start 1"),
        ("ready 1", "start 2"),
    ]);
}

#[test]
fn a_sibling_that_dies_before_its_turn_to_stop_is_restarted_with_the_group_and_not_counted() {
    let limits = RestartLimits {
        intensity: Some(1),
        ..RestartLimits::default()
    };
    let children = vec![rules(RestartPolicy::Permanent); 3];
    let policy = Supervision::ordered(children, OneForAll, limits);
    let mut group = Group::new(policy).all_ready(3);
    group.play(&[
        ("crash 0", "delay 0 100, stop 2"),
        ("50 ms", ""),
        ("crash 1", "delay 1 100"),
        ("stopped 2", ""),
        ("50 ms", ""),
        ("50 ms", "start 0"),
        ("ready 0", "start 1"),
        ("ready 1", "start 2"),
        // The next one is over the limit, and stops all.
        ("crash 2", "stop 1"),
        ("stopped 1", "stop 0"),
        ("stopped 0", "end: over 1 restarts in 60s"),
    ]);
}

#[test]
fn a_group_restart_that_fails_while_it_starts_begins_anew() {
    ordered("ppp", OneForAll).all_ready(3).play(&[
        ("crash 2", "delay 2 100, stop 1"),
        ("stopped 1", "stop 0"),
        ("stopped 0", ""),
        ("100 ms", "start 0"),
        ("ready 0", "start 1"),
        ("crash 1", "delay 1 100, stop 0"),
        ("stopped 0", ""),
        ("100 ms", "start 0"),
    ]);
}

#[test]
fn a_group_restart_spares_those_that_do_not_live() {
    // 0 is stopped by an operator, 1 ends for good, 3 and 4 live once.
    ordered("popoo", OneForAll).all_ready(5).play(&[
        ("off 0", "stop 0"),
        ("stopped 0", "forget 0"),
        ("normal 1", "forget 1"),
        ("crash 4", "forget 4"),
        ("crash 2", "delay 2 100, stop 3"),
        ("stopped 3", "forget 3"),
        ("100 ms", "start 2"),
        ("ready 2", ""),
    ]);
}

#[test]
fn a_transient_child_that_is_stopped_for_a_sibling_is_started_again() {
    ordered("tt", OneForAll).all_ready(2).play(&[
        ("crash 0", "delay 0 100, stop 1"),
        ("stopped 1", ""),
        ("100 ms", "start 0"),
        ("ready 0", "start 1"),
    ]);
}

#[test]
fn a_child_that_does_not_stop_for_a_sibling_is_killed() {
    ordered("pp", OneForAll).all_ready(2).play(&[
        ("crash 0", "delay 0 100, stop 1"),
        ("9999 ms", ""),
        ("1 ms", "kill 1"),
        ("crash 1", "start 0"),
    ]);
}

#[test]
fn an_operators_stop_wins_over_restarts_and_leaves_siblings_alone() {
    ordered("pp", OneForAll).all_ready(2).play(&[
        ("off 0", "stop 0"),
        ("off 0", ""),
        ("10000 ms", "kill 0"),
        ("crash 0", "forget 0"),
        ("60000 ms", ""),
    ]);
    // In its delay.
    ordered("pp", OneForAll).all_ready(2).play(&[
        ("crash 0", "delay 0 100, stop 1"),
        ("off 0", "forget 0"),
        ("stopped 1", "start 1"),
        ("100 ms", ""),
    ]);
    // While it stops for a sibling.
    ordered("pp", OneForAll).all_ready(2).play(&[
        ("crash 0", "delay 0 100, stop 1"),
        ("off 1", ""),
        ("stopped 1", "forget 1"),
        ("100 ms", "start 0"),
        ("ready 0", ""),
    ]);
}

#[test]
fn a_pool_is_scaled_up_and_down() {
    pool(2).all_ready(2).play(&[
        ("scale 3", "start 2"),
        ("crash 2", "delay 2 100"),
        ("scale 1", "forget 2, stop 1"),
        ("100 ms", ""),
        ("stopped 1", "forget 1"),
        ("crash 0", "delay 0 100"),
        // Who waits goes on waiting, and who begins is of a new place.
        ("scale 3", "start 1, start 2"),
        ("100 ms", "start 0"),
        ("crash 2", "delay 2 100"),
    ]);
}

#[test]
fn scaling_brings_back_who_was_stopped_or_has_ended_for_good() {
    pool(3).all_ready(3).play(&[
        ("off 0", "stop 0"),
        ("stopped 0", "forget 0"),
        ("code3 1", "forget 1"),
        ("scale 3", "start 0, start 1"),
    ]);
}

#[test]
fn a_place_whose_child_still_stops_is_filled_when_it_has_ended() {
    let mut pool = pool(2).all_ready(2);
    pool.play(&[
        ("scale 1", "stop 1"),
        ("scale 2", ""),
        ("stopped 1", "forget 1, start 1"),
        ("scale 1", "stop 1"),
        ("scale 2", ""),
        ("off 1", ""),
        ("stopped 1", "forget 1"),
        ("60000 ms", ""),
    ]);
}

#[test]
fn a_place_that_was_scaled_away_long_ago_is_as_good_as_new() {
    let mut pool = pool(1).all_ready(1);
    pool.play(&[
        ("scale 3", "start 1, start 2"),
        ("ready 2", ""),
        ("scale 1", "stop 1, stop 2"),
        // 2 still lives, so 1 is not the last place.
        ("stopped 1", "forget 1"),
        ("off 1", ""),
        ("stopped 2", "forget 2"),
        ("crash 2", ""),
        ("off 2", ""),
    ]);
    assert!(pool.policy.is_over(1) && pool.policy.is_over(2));
    pool.play(&[
        ("scale 3", "start 1, start 2"),
        ("stop", "stop 0, stop 1, stop 2"),
    ]);
}

#[test]
fn who_was_stopped_in_the_groups_life_before_is_off_from_the_start() {
    let children = vec![rules(RestartPolicy::Permanent); 3];
    let policy = Supervision::ordered(children, OneForAll, RestartLimits::default());
    let policy = policy.with_stopped(&[0, 0, 2, 9]);
    assert_eq!((policy.status().wanted, policy.status().size), (1, 3));
    assert!(policy.is_over(0) && !policy.is_over(1) && policy.is_over(2));
    Group::new(policy).play(&[
        ("begin", "start 1"),
        ("ready 1", ""),
        ("off 0", ""),
        ("crash 1", "delay 1 100"),
        ("100 ms", "start 1"),
        ("stop", "stop 1"),
        ("stopped 1", "end"),
    ]);
}

#[test]
fn a_pool_that_begins_with_stopped_children_has_them_back_when_it_is_scaled() {
    let rules = rules(RestartPolicy::Permanent);
    let policy = Supervision::pool(rules, 2, RestartLimits::default()).with_stopped(&[0, 1]);
    Group::new(policy).play(&[
        // All are off, and that is nothing to give up for.
        ("begin", ""),
        ("60000 ms", ""),
        ("scale 2", "start 0, start 1"),
    ]);
}

#[test]
fn the_status_tells_that_a_group_ends_as_soon_as_it_does() {
    let mut asked = pool(1).all_ready(1);
    assert!(!asked.policy.status().stopping);
    asked.play(&[("stop", "stop 0")]);
    assert!(asked.policy.status().stopping);
    asked.play(&[("stopped 0", "end")]);
    assert!(asked.policy.status().stopping);
    let limits = RestartLimits {
        intensity: Some(0),
        ..RestartLimits::default()
    };
    let mut gives_up = limited_pool(2, limits).all_ready(2);
    gives_up.play(&[("crash 0", "stop 1")]);
    assert!(gives_up.policy.status().stopping);
}

#[test]
fn an_ordered_group_is_not_scaled() {
    ordered("pp", OneForOne)
        .all_ready(2)
        .play(&[("scale 1", ""), ("scale 9", "")]);
}

#[test]
fn what_is_said_of_nobody_is_ignored() {
    pool(1).play(&[
        ("ready 0", "start 0"),
        ("crash 7", ""),
        ("ready 7", ""),
        ("off 7", ""),
        ("crash 0", "delay 0 100"),
        ("crash 0", ""),
        ("ready 0", ""),
        ("100 ms", "start 0"),
    ]);
}

#[test]
fn the_status_tells_how_the_group_is_doing() {
    let mut pool = pool(3);
    assert_eq!(pool.policy.status().wanted, 3);
    pool.happens("begin");
    assert!(!pool.policy.status().ever_ready);
    for child in 0..3 {
        pool.happens(&format!("ready {child}"));
    }
    pool.happens("crash 0");
    pool.happens("normal 1");
    pool.happens("off 2");
    let status = pool.policy.status();
    assert_eq!((status.wanted, status.ready), (2, 1));
    assert!(status.ever_ready);
    let crash = Cause::Signal {
        signal: 11,
        core_dumped: false,
    };
    assert_eq!(status.last_failure, Some(crash));
    assert!(pool.policy.is_over(2) && pool.policy.is_over(9));
    assert!(!pool.policy.is_over(0));
}

#[test]
fn decisions_come_also_with_events_that_are_late_for_a_deadline() {
    let mut group = pool(2).all_ready(2);
    group.happens("crash 0");
    let later = group.policy.deadline().unwrap();
    let decisions = group.policy.on(GroupEvent::Ready { child: 1 }, later, 0.0);
    assert_eq!(
        decisions,
        [pulsar_policy::GroupDecision::Start { child: 0 }]
    );
}
