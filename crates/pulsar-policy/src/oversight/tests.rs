use super::*;

const GRACE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(20);

fn process(now: Instant) -> Oversight {
    Oversight::new(Placement::Process, later(now, 30), SILENCE, GRACE)
}

fn later(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

#[test]
fn a_process_is_over_only_when_it_has_exited_and_its_link_is_drained() {
    let now = Instant::now();
    let killed = Exit::Signal {
        signal: 9,
        core_dumped: false,
    };
    let cause = Cause::Signal {
        signal: 9,
        core_dumped: false,
    };
    let mut life = process(now);
    assert_eq!(life.on(ChildEvent::Exited(killed), now), Decision::Wait);
    assert_eq!(
        life.on(ChildEvent::LinkClosed(None), now),
        Decision::End(cause.clone())
    );
    let mut life = process(now);
    assert_eq!(life.on(ChildEvent::LinkClosed(None), now), Decision::Wait);
    assert_eq!(
        life.on(ChildEvent::Exited(killed), now),
        Decision::End(cause)
    );
}

#[test]
fn a_descendant_that_holds_the_link_does_not_hold_up_the_news() {
    let now = Instant::now();
    let mut life = process(now);
    let _ = life.on(ChildEvent::Exited(Exit::Code(3)), now);
    assert_eq!(life.deadline(), Some(now + LINGER));
    assert_eq!(
        life.on(ChildEvent::TimeCame, now + LINGER),
        Decision::End(Cause::Code(3))
    );
}

#[test]
fn a_boot_that_takes_too_long_is_killed_and_called_so() {
    let now = Instant::now();
    let mut life = process(now);
    assert_eq!(
        life.on(ChildEvent::TimeCame, later(now, 29)),
        Decision::Wait
    );
    assert_eq!(
        life.on(ChildEvent::TimeCame, later(now, 30)),
        Decision::Kill
    );
    let killed = Exit::Signal {
        signal: 9,
        core_dumped: false,
    };
    let _ = life.on(ChildEvent::Exited(killed), later(now, 30));
    let end = life.on(ChildEvent::LinkClosed(None), later(now, 30));
    assert_eq!(end, Decision::End(Cause::BootTimeout));
}

#[test]
fn a_stop_escalates_to_term_and_to_kill_at_the_end_of_the_grace() {
    let now = Instant::now();
    let mut life = process(now);
    assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Stop);
    assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Wait);
    assert_eq!(
        life.on(ChildEvent::TimeCame, later(now, 5)),
        Decision::Terminate
    );
    assert_eq!(life.on(ChildEvent::TimeCame, later(now, 9)), Decision::Wait);
    assert_eq!(
        life.on(ChildEvent::TimeCame, later(now, 10)),
        Decision::Kill
    );
    assert_eq!(
        life.on(ChildEvent::KillAsked, later(now, 10)),
        Decision::Wait
    );
}

#[test]
fn a_process_that_said_why_it_ended_and_exited_is_believed() {
    let now = Instant::now();
    let mut life = process(now);
    let failed = Cause::Failed("no database".to_owned());
    assert_eq!(
        life.on(ChildEvent::EndSaid(failed.clone()), now),
        Decision::Wait
    );
    let _ = life.on(ChildEvent::Exited(Exit::Code(1)), now);
    assert_eq!(
        life.on(ChildEvent::LinkClosed(None), now),
        Decision::End(failed)
    );
}

#[test]
fn a_panic_that_aborts_is_told_from_an_abort() {
    let now = Instant::now();
    let aborted = |said: Option<Cause>| {
        let mut life = process(now);
        if let Some(said) = said {
            let _ = life.on(ChildEvent::EndSaid(said), now);
        }
        let _ = life.on(ChildEvent::LinkClosed(None), now);
        let exit = Exit::Signal {
            signal: SIGABRT,
            core_dumped: false,
        };
        life.on(ChildEvent::Exited(exit), now)
    };
    let panic = Cause::Panic("out of tea".to_owned());
    assert_eq!(aborted(Some(panic.clone())), Decision::End(panic));
    let signal = Cause::Signal {
        signal: SIGABRT,
        core_dumped: false,
    };
    assert_eq!(aborted(None), Decision::End(signal));
}

#[test]
fn a_signal_for_lack_of_memory_is_told_from_others() {
    let now = Instant::now();
    let killed = Exit::Signal {
        signal: 9,
        core_dumped: false,
    };
    let ended = |asked: Option<ChildEvent>, exit| {
        let mut life = process(now);
        if let Some(asked) = asked {
            let _ = life.on(asked, now);
        }
        let _ = life.on(ChildEvent::LinkClosed(None), now);
        assert_eq!(life.on(ChildEvent::MemoryRanOut, now), Decision::Wait);
        life.on(ChildEvent::Exited(exit), now)
    };
    assert_eq!(ended(None, killed), Decision::End(Cause::OutOfMemory));
    let stopping = Some(ChildEvent::StopAsked);
    assert_eq!(ended(stopping, killed), Decision::End(Cause::OutOfMemory));
    // Some other process of its group lacked memory, and it lived on.
    let code = ended(None, Exit::Code(3));
    assert_eq!(code, Decision::End(Cause::Code(3)));
    // The signal was ours.
    let cause = Cause::Signal {
        signal: 9,
        core_dumped: false,
    };
    let ours = ended(Some(ChildEvent::KillAsked), killed);
    assert_eq!(ours, Decision::End(cause));
}

#[test]
fn a_process_that_does_not_leave_after_its_last_word_is_killed() {
    let now = Instant::now();
    let mut life = process(now);
    let _ = life.on(ChildEvent::EndSaid(Cause::Normal), now);
    assert_eq!(life.on(ChildEvent::TimeCame, later(now, 1)), Decision::Kill);
    let _ = life.on(ChildEvent::LinkClosed(None), later(now, 1));
    let killed = Exit::Signal {
        signal: 9,
        core_dumped: false,
    };
    let end = life.on(ChildEvent::Exited(killed), later(now, 1));
    assert_eq!(end, Decision::End(Cause::Normal));
}

#[test]
fn a_process_that_says_its_last_word_again_and_again_is_killed_in_time() {
    let now = Instant::now();
    let mut life = process(now);
    let _ = life.on(ChildEvent::EndSaid(Cause::Normal), now);
    let half = now + EXIT_GRACE / 2;
    let _ = life.on(ChildEvent::EndSaid(Cause::Normal), half);
    assert_eq!(life.deadline(), Some(now + EXIT_GRACE));
    let end = now + EXIT_GRACE;
    assert_eq!(life.on(ChildEvent::TimeCame, end), Decision::Kill);
}

#[test]
fn an_untrusted_peer_is_killed_at_once() {
    let now = Instant::now();
    let mut life = process(now);
    let garbage = ChildEvent::LinkClosed(Some("garbage".to_owned()));
    assert_eq!(life.on(garbage, now), Decision::Kill);
}

#[test]
fn a_thread_that_cannot_be_ended_is_abandoned() {
    let now = Instant::now();
    let mut life = Oversight::new(Placement::Thread, later(now, 30), SILENCE, GRACE);
    assert_eq!(
        life.on(ChildEvent::TimeCame, later(now, 30)),
        Decision::Kill
    );
    let end = life.on(ChildEvent::TimeCame, later(now, 31));
    assert_eq!(end, Decision::End(Cause::BootTimeout));
}

#[test]
fn a_thread_is_over_when_it_says_so() {
    let now = Instant::now();
    let mut life = Oversight::new(Placement::Thread, later(now, 30), SILENCE, GRACE);
    let end = life.on(ChildEvent::EndSaid(Cause::Stopped), now);
    assert_eq!(end, Decision::End(Cause::Stopped));
}

fn notified() -> ChildEvent {
    let info = serde_json::json!({
        "actor": {
            "name": "", "id": "", "incarnation": 1, "state": "running", "placement": "process",
            "uptime_s": 0.0, "pid": 1, "thread_id": 1, "age": 1, "generation": 1, "restarts": 0,
            "next_periodic_task_s": null
        },
        "mailbox": {
            "depth": 0, "capacity": 1, "received": 0, "replied": 0, "failed": 0,
            "dead_letters": 0
        },
        "system": null,
        "loop": { "lag_us": 0 },
        "executor": { "threads": 0, "busy": 0, "queued": 0 },
        "links": { "open": 0, "stray_replies": 0 },
        "extra": {}
    });
    ChildEvent::Notified(Box::new(serde_json::from_value(info).unwrap()))
}

/// A life that was heard for the first time `now`.
fn heard(placement: Placement, now: Instant) -> Oversight {
    let mut life = Oversight::new(placement, later(now, 30), SILENCE, GRACE);
    let _ = life.on(notified(), now);
    life
}

#[test]
fn a_process_that_is_silent_is_aborted_then_killed_and_called_so() {
    let now = Instant::now();
    let mut life = heard(Placement::Process, now);
    assert_eq!(life.deadline(), Some(now + SILENCE));
    // Each notify counts anew.
    let _ = life.on(notified(), later(now, 15));
    assert_eq!(life.deadline(), Some(later(now, 35)));
    let silent = second_look(&mut life);
    assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Abort);
    let kill_at = silent + ABORT_GRACE;
    assert_eq!(life.deadline(), Some(kill_at));
    // Too late: a stopped process that goes on would end of the ABRT that waits for it.
    assert!(matches!(life.on(notified(), silent), Decision::Note(_)));
    assert_eq!(life.on(ChildEvent::StopAsked, silent), Decision::Wait);
    assert_eq!(life.on(ChildEvent::TimeCame, kill_at), Decision::Kill);
    let _ = life.on(ChildEvent::LinkClosed(None), kill_at);
    let killed = Exit::Signal {
        signal: 9,
        core_dumped: false,
    };
    let end = life.on(ChildEvent::Exited(killed), kill_at);
    assert_eq!(end, Decision::End(Cause::HeartbeatTimeout));
}

#[test]
fn a_silent_thread_is_abandoned_and_a_task_is_not_judged() {
    let now = Instant::now();
    let mut life = heard(Placement::Thread, now);
    let silent = second_look(&mut life);
    assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Abort);
    let end = life.on(ChildEvent::TimeCame, silent + ABANDON_AFTER);
    assert_eq!(end, Decision::End(Cause::HeartbeatTimeout));
    assert_eq!(heard(Placement::Task, now).deadline(), None);
}

#[test]
fn who_was_held_itself_gives_a_new_grace_before_it_judges() {
    let now = Instant::now();
    let mut life = heard(Placement::Process, now);
    let late = now + SILENCE + HELD_AFTER + Duration::from_millis(1);
    assert_eq!(life.on(ChildEvent::TimeCame, late), Decision::Wait);
    assert_eq!(life.deadline(), Some(late + SILENCE));
    let second = second_look(&mut life);
    // Held again, between the two looks.
    let late = second + HELD_AFTER + Duration::from_millis(1);
    assert_eq!(life.on(ChildEvent::TimeCame, late), Decision::Wait);
    assert_eq!(life.deadline(), Some(late + SILENCE));
    let second = second_look(&mut life);
    assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Abort);
}

#[test]
fn who_is_held_again_and_again_judges_in_the_end() {
    let now = Instant::now();
    let mut life = heard(Placement::Process, now);
    let late = HELD_AFTER + Duration::from_millis(1);
    let look = |life: &mut Oversight| {
        let at = life.deadline().unwrap() + late;
        (life.on(ChildEvent::TimeCame, at), at)
    };
    for _ in 0..PARDONS {
        let (_, at) = look(&mut life);
        assert_eq!(life.deadline(), Some(at + SILENCE));
    }
    // It is doubted, and may still be heard.
    let (decision, at) = look(&mut life);
    assert_eq!(decision, Decision::Wait);
    assert_eq!(life.deadline(), Some(at + SECOND_LOOK));
    let _ = life.on(notified(), at);
    // Then all are given anew.
    for _ in 0..PARDONS {
        let (_, at) = look(&mut life);
        assert_eq!(life.deadline(), Some(at + SILENCE));
    }
    let _ = look(&mut life);
    assert_eq!(look(&mut life).0, Decision::Abort);
}

#[test]
fn absurd_times_make_no_panic() {
    let now = Instant::now();
    let absurd = Duration::MAX;
    let mut life = Oversight::new(Placement::Process, later(now, 30), absurd, absurd);
    let _ = life.on(notified(), now);
    assert_eq!(life.deadline(), Some(now + LONGEST));
    assert_eq!(life.on(ChildEvent::StopAsked, now), Decision::Stop);
    assert_eq!(life.deadline(), Some(now + LONGEST / 2));
}

#[test]
fn who_is_heard_before_the_second_look_is_not_silent() {
    let now = Instant::now();
    let mut life = heard(Placement::Process, now);
    let second = second_look(&mut life);
    // Time enough for what is due to be sent and read on a busy machine.
    assert!(second >= now + SILENCE + Duration::from_millis(200));
    assert!(matches!(life.on(notified(), second), Decision::Note(_)));
    assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Wait);
    assert_eq!(life.deadline(), Some(second + SILENCE));
    let second = second_look(&mut life);
    assert_eq!(life.on(ChildEvent::StopAsked, second), Decision::Stop);
}

const PERIOD: Duration = Duration::from_secs(6);

/// One that is looked at, and was heard for the first time two seconds after a common look.
fn looked_at(now: Instant) -> Oversight {
    let from = now.checked_sub(Duration::from_secs(8)).unwrap();
    let mut life = process(now).looked_at(PERIOD, from);
    let _ = life.on(notified(), now);
    life
}

#[test]
fn a_process_is_looked_at_in_the_common_period_and_counts_as_heard_while_it_sleeps() {
    let now = Instant::now();
    let mut life = looked_at(now);
    for look in 0..u64::from(MOST_SIGHTS) {
        let at = later(now, 4 + 6 * look);
        assert_eq!(life.deadline(), Some(at));
        assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
        let asleep = ChildEvent::Seen { asleep: true };
        assert_eq!(life.on(asleep, at), Decision::Wait);
    }
    // Not for ever: now and then it says so itself, and is believed again.
    let at = later(now, 4 + 6 * u64::from(MOST_SIGHTS));
    assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
    let asleep = || ChildEvent::Seen { asleep: true };
    assert_eq!(life.on(asleep(), at), Decision::Ask);
    assert!(matches!(life.on(notified(), at), Decision::Note(_)));
    let at = life.deadline().unwrap();
    assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
    assert_eq!(life.on(asleep(), at), Decision::Wait);
}

#[test]
fn a_process_that_does_not_sleep_is_asked_and_is_silent_if_it_does_not_answer() {
    let now = Instant::now();
    let mut life = looked_at(now);
    let awake = || ChildEvent::Seen { asleep: false };
    for at in [4, 10, 16] {
        let at = later(now, at);
        assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
        assert_eq!(life.on(awake(), at), Decision::Ask);
    }
    // It is silent since it was last heard, not since the last look.
    let silent = now + SILENCE;
    assert_eq!(life.deadline(), Some(silent));
    assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Look);
    assert_eq!(life.on(awake(), silent), Decision::Ask);
    let second = silent + SECOND_LOOK;
    assert_eq!(life.deadline(), Some(second));
    assert_eq!(life.on(ChildEvent::TimeCame, second), Decision::Abort);
    assert_eq!(
        life.on(ChildEvent::Seen { asleep: true }, second),
        Decision::Wait
    );
    assert!(life.is_doomed());
}

#[test]
fn one_that_was_not_looked_at_in_time_is_looked_at_before_it_is_judged() {
    let now = Instant::now();
    let mut life = looked_at(now);
    // Whoever looks was held since, but not for long past the time.
    let at = now + SILENCE + Duration::from_millis(100);
    assert_eq!(life.on(ChildEvent::TimeCame, at), Decision::Look);
    assert_eq!(life.deadline(), Some(at + SECOND_LOOK));
    assert_eq!(
        life.on(ChildEvent::Seen { asleep: true }, at),
        Decision::Wait
    );
    assert_eq!(life.deadline(), Some(later(now, 22)));
    assert_eq!(life.on(ChildEvent::NewsWanted, at), Decision::Ask);
    // Nothing is asked of one that is on its way.
    assert_eq!(life.on(ChildEvent::StopAsked, at), Decision::Stop);
    assert_eq!(life.on(ChildEvent::NewsWanted, at), Decision::Wait);
    let awake = ChildEvent::Seen { asleep: false };
    assert_eq!(life.on(awake, at), Decision::Wait);
}

/// It seems silent at its deadline; when it is looked at once more.
fn second_look(life: &mut Oversight) -> Instant {
    let silent = life.deadline().unwrap();
    assert_eq!(life.on(ChildEvent::TimeCame, silent), Decision::Wait);
    assert_eq!(life.deadline(), Some(silent + SECOND_LOOK));
    silent + SECOND_LOOK
}
