//! A process that has nothing to do is not woken to say that it lives; one that cannot go on is still found out.

use std::time::{Duration, Instant};

use pulsar::ActorStatus;
use pulsar::prelude::*;
use rustix::process::{Pid, Signal, kill_process};

/// How long an actor may be silent here, and three tenths of that: how often it would notify.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Longer than the timeout, and so four of the periods.
const SILENCE: Duration = Duration::from_secs(5);
/// The shortest timeout; its period is 300 ms.
const SHORT: Duration = Duration::from_secs(1);
/// Rather than for ever.
const PATIENCE: Duration = Duration::from_secs(30);

fn listed(actor: &Proxy) -> ActorStatus {
    let mut all = arbiter().actors().into_iter();
    all.find(|listed| listed.aid == actor.aid())
        .expect("it lives")
}

fn notified_ago(actor: &Proxy) -> Duration {
    listed(actor).notified_ago.expect("it is up and running")
}

/// How often the main thread of a process has been taken off its processor, or has left it.
fn context_switches(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let counts = status.lines().filter_map(|line| {
        let (key, count) = line.split_once(':')?;
        key.ends_with("voluntary_ctxt_switches")
            .then(|| count.trim().parse::<u64>().expect("a count"))
    });
    counts.sum()
}

/// Waits until a process is done with what it has to do, and has not been on a processor for a while. Its switches so far.
async fn at_rest(pid: u32) -> u64 {
    let mut before = context_switches(pid);
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = context_switches(pid);
        if std::mem::replace(&mut before, now) == now {
            return now;
        }
    }
}

/// How the kernel shows a process.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, tail) = stat.rsplit_once(") ").expect("a name");
    tail.chars().next().expect("a state")
}

fn stop(pid: u32) {
    let raw = Pid::from_raw(pid.cast_signed()).expect("a pid");
    kill_process(raw, Signal::STOP).expect("it is ours");
    while state(pid) != 'T' {}
}

async fn pid_of(actor: &Proxy) -> Result<u32> {
    Ok(send(actor, info, ()).await?.actor.pid)
}

#[pulsar::test]
async fn a_process_with_nothing_to_do_is_not_woken_and_lives() -> Result<()> {
    let actor = spawn().timeout(TIMEOUT).process().await?;
    // Enough for rings, and for a reader that polls for a while.
    for _ in 0..200 {
        assert_eq!(send(&actor, ping, ()).await?, "pong");
    }
    let pid = pid_of(&actor).await?;
    let before = at_rest(pid).await;
    tokio::time::sleep(SILENCE).await;
    let woken = context_switches(pid) - before;
    assert_eq!(woken, 0, "it was woken {woken} times");
    // It is as it was, and what is told of it is as old as it is.
    let status = listed(&actor);
    assert_eq!((status.state, status.restarts), (State::Running, 0));
    assert!(status.notified_ago.is_some_and(|ago| ago >= SILENCE));
    // Whoever looks at that has it notify anew.
    let looked = Instant::now();
    while notified_ago(&actor) >= SILENCE {
        assert!(looked.elapsed() < PATIENCE, "it has not notified");
        tokio::task::yield_now().await;
    }
    assert!(listed(&actor).mailbox.received >= 200);
    assert_eq!(send(&actor, ping, ()).await?, "pong");
    Ok(())
}

#[pulsar::test]
async fn a_process_that_sleeps_for_long_notifies_now_and_then() -> Result<()> {
    let actor = spawn().timeout(SHORT).process().await?;
    let uptime = || Ok::<_, Error>(arbiter().last_info(&(&actor).into())?.actor.uptime_s);
    let first = uptime()?;
    // Longer than eleven periods; nobody asks for news before.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert!(uptime()? > first, "it has not notified");
    Ok(())
}

/// Never has nothing to do: its loop does not sleep, and turns.
async fn turn_for_ever(_cx: Context, _: ()) {
    loop {
        tokio::task::yield_now().await;
    }
}

#[command]
async fn begin_to_turn(cx: Context) {
    cx.spawn(turn_for_ever(cx.clone(), ()));
}

#[pulsar::test]
async fn a_process_whose_loop_never_sleeps_notifies_in_its_period() -> Result<()> {
    let actor = spawn().timeout(SHORT).process().await?;
    send(&actor, begin_to_turn, ()).await?;
    let begun = Instant::now();
    let mut oldest = Duration::ZERO;
    while begun.elapsed() < 4 * SHORT {
        // What has been told is looked at without asking for more: in its period nothing is old.
        oldest = oldest.max(notified_ago(&actor));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(oldest < SHORT, "{oldest:?}");
    assert_eq!(listed(&actor).restarts, 0);
    Ok(())
}

/// Holds its loop for ever.
#[command]
fn hold_for_ever(_cx: Context) {
    loop {
        std::hint::spin_loop();
    }
}

/// Its cause, and how long it took from `silenced` on.
async fn end_of(actor: &Proxy, silenced: Instant) -> Result<(Cause, Duration)> {
    let ended = tokio::time::timeout(PATIENCE, arbiter().ended(actor)).await;
    let cause = ended.map_err(|_| Error::msg("it lives on"))??;
    Ok((cause, silenced.elapsed()))
}

fn is_in_time(what: &str, (cause, after): (Cause, Duration)) {
    assert_eq!(cause, Cause::HeartbeatTimeout, "{what}");
    // Its timeout, from when it was last seen or heard, a period ago at most; the second look; and for one that is stopped
    // what ABRT is given. The rest is for a busy machine.
    let (least, most) = (Duration::from_millis(650), Duration::from_millis(3_500));
    assert!(
        (least..most).contains(&after),
        "{what}: ended after {after:?}"
    );
}

#[pulsar::test]
async fn fault_04_a_process_that_is_stopped_in_its_sleep_is_ended_in_time() -> Result<()> {
    let actor = spawn().timeout(SHORT).process().await?;
    let pid = pid_of(&actor).await?;
    // It sleeps, has been seen to for longer than it may be silent, and was not woken.
    let switches = at_rest(pid).await;
    tokio::time::sleep(SHORT + SHORT / 4).await;
    assert_eq!(context_switches(pid), switches);
    // It has just notified, so that nothing but that it is stopped keeps it from being taken for asleep for long.
    while notified_ago(&actor) > SHORT / 2 {
        tokio::task::yield_now().await;
    }
    at_rest(pid).await;
    stop(pid);
    is_in_time("in its sleep", end_of(&actor, Instant::now()).await?);
    Ok(())
}

#[pulsar::test]
async fn fault_04_a_process_that_is_stopped_at_work_or_loops_is_ended_in_time() -> Result<()> {
    let busy = spawn().timeout(SHORT).process().await?;
    send(&busy, begin_to_turn, ()).await?;
    stop(pid_of(&busy).await?);
    is_in_time("at work", end_of(&busy, Instant::now()).await?);
    let spinning = spawn().timeout(SHORT).process().await?;
    assert!(send(&spinning, hold_for_ever, ()).try_send().is_ok());
    is_in_time("in a loop", end_of(&spinning, Instant::now()).await?);
    Ok(())
}
