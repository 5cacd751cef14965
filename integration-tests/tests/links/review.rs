//! Review: what should hold, and does not.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use pulsar::Never;
use pulsar::prelude::*;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::{count, double, never, pid, signal};

// --- 1. a stopping child owes a reply over a direct link -----------------------------------

#[command]
async fn owe(_cx: Context, millis: u64, bytes: usize) -> Vec<u8> {
    sleep(Duration::from_millis(millis)).await;
    vec![7; bytes]
}

#[command]
async fn ask_owing(cx: Context, to: Proxy, bytes: usize) -> Result<usize, Error> {
    send(&to, double, 1).await?;
    cx.set_extra("ready", true);
    Ok(send(&to, owe, (500_u64, bytes)).await?.len())
}

async fn owed(bytes: usize) -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().await?);
    let asking = tokio::spawn(send(&asker, ask_owing, (target.clone(), bytes)).into_future());
    crate::ready(&asker).await?;
    sleep(Duration::from_millis(100)).await;
    arbiter().stop_actor(&target).await?;
    assert_eq!(asking.await??, bytes);
    Ok(())
}

#[pulsar::test]
async fn a_large_reply_that_a_stopping_actor_owes_over_a_direct_link_comes() -> Result<()> {
    owed(8 << 20).await
}

#[pulsar::test]
async fn a_small_reply_that_a_stopping_actor_owes_over_a_direct_link_comes() -> Result<()> {
    owed(8).await
}

#[pulsar::test]
async fn control_the_same_large_reply_to_the_arbiters_process_comes() -> Result<()> {
    let target = spawn().await?;
    let asking = tokio::spawn(send(&target, owe, (500_u64, 8_usize << 20)).into_future());
    sleep(Duration::from_millis(100)).await;
    arbiter().stop_actor(&target).await?;
    assert_eq!(asking.await??.len(), 8 << 20);
    Ok(())
}

// --- 2. EMFILE in a child that somebody else seeks ------------------------------------------

static FILES: Mutex<Vec<File>> = Mutex::new(Vec::new());

#[command]
async fn use_up_descriptors(_cx: Context) -> Result<usize, Error> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(256);
    setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
    let mut files = FILES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    Ok(files.len())
}

#[command]
async fn ask_double(_cx: Context, to: Proxy) -> Result<u32, Error> {
    Ok(send(&to, double, 21)
        .timeout(Duration::from_secs(5))
        .await?)
}

#[pulsar::test]
async fn an_actor_without_free_descriptors_survives_being_sought() -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().await?);
    send(&target, use_up_descriptors, ()).await?;
    assert_eq!(send(&target, double, 1).await?, 2);
    let asked = send(&asker, ask_double, target.clone()).await;
    // It may be refused; but the other actor has done nothing wrong.
    eprintln!("asked: {asked:?}");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(send(&target, double, 1).await?, 2);
    Ok(())
}

// --- 3. order while the way is being made ----------------------------------------------------

#[command]
async fn mixed(_cx: Context, to: Proxy) -> Result<(bool, bool), Error> {
    let first = tokio::spawn(send(&to, count, 0).into_future());
    // It is polled, and seeks.
    yield_now().await;
    let second = loop {
        match send(&to, count, 1).try_send() {
            Ok(sent) => break sent,
            Err(_) => yield_now().await,
        }
    };
    let second = second.await?;
    Ok((first.await??, second))
}

#[pulsar::test]
async fn a_try_send_does_not_overtake_a_send_that_waits_for_the_way() -> Result<()> {
    let mut overtaken = 0;
    for _ in 0..10 {
        let (one, other) = (spawn().await?, spawn().await?);
        let in_order = send(&one, mixed, other).await?;
        overtaken += usize::from(in_order != (true, true));
    }
    assert_eq!(overtaken, 0, "of 10");
    Ok(())
}

/// The same with `send` alone: the second begins when the way has just been made.
#[command]
async fn mixed_sends(cx: Context, to: Proxy) -> Result<(bool, bool), Error> {
    let first = tokio::spawn(send(&to, count, 0).into_future());
    yield_now().await;
    while cx.info().links.open < 2 {
        yield_now().await;
    }
    let second = send(&to, count, 1).await?;
    Ok((first.await??, second))
}

#[pulsar::test]
async fn a_send_does_not_overtake_a_send_that_waits_for_the_way() -> Result<()> {
    let mut overtaken = 0;
    for _ in 0..10 {
        let (one, other) = (spawn().await?, spawn().await?);
        let in_order = send(&one, mixed_sends, other).await?;
        overtaken += usize::from(in_order != (true, true));
    }
    assert_eq!(overtaken, 0, "of 10");
    Ok(())
}

// --- 4, 5, 6. names ----------------------------------------------------------------------------

#[command]
async fn ask_twice_by_name(_cx: Context, name: String) -> Result<(u32, u32), Error> {
    let (one, other) = tokio::join!(
        send(name.clone(), double, 1).into_future(),
        send(name, double, 2).into_future()
    );
    Ok((one?, other?))
}

/// A name that `asker` knows, and that has come to another since.
async fn moved(asker: &Proxy, name: &str) -> Result<Proxy> {
    let first = spawn().name(name).thread().await?;
    assert_eq!(send(asker, ask_twice_by_name, name).await?, (2, 4));
    arbiter().stop_actor(&first).await?;
    Ok(spawn().name(name).await?)
}

#[pulsar::test]
async fn two_asks_at_once_by_a_name_that_has_moved_both_find_it() -> Result<()> {
    let asker = spawn().await?;
    let _second = moved(&asker, "moving").await?;
    assert_eq!(send(&asker, ask_twice_by_name, "moving").await?, (2, 4));
    Ok(())
}

#[command]
async fn try_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    let mut last = None;
    for _ in 0..50 {
        match send(name.clone(), double, 21).try_send() {
            Ok(sent) => match sent.await {
                Ok(doubled) => return Ok(doubled),
                Err(error) => last = Some(error.to_string()),
            },
            Err(unsent) => last = Some(unsent.to_string()),
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err(Error::msg(format!("50 times in vain: {last:?}")))
}

#[pulsar::test]
async fn try_send_by_a_name_that_has_moved_finds_it_in_the_end() -> Result<()> {
    let asker = spawn().await?;
    let _second = moved(&asker, "moving").await?;
    assert_eq!(send(&asker, try_by_name, "moving").await?, 42);
    Ok(())
}

#[command(no_ack)]
async fn tick(cx: Context) {
    cx.set_extra("ticked", true);
}

#[command]
async fn tell_by_name(_cx: Context, name: String) -> Result<(), Error> {
    for _ in 0..50 {
        send(name.clone(), tick, ()).await?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[pulsar::test]
async fn tells_by_a_name_that_has_moved_find_it_in_the_end() -> Result<()> {
    let asker = spawn().await?;
    let second = moved(&asker, "moving").await?;
    send(&asker, tell_by_name, "moving").await?;
    let about = send(&second, info, ()).await?;
    assert!(about.extra.0.contains_key("ticked"), "50 tells, none came");
    Ok(())
}

#[pulsar::test]
async fn a_name_found_between_two_lives_is_not_remembered_for_ever() -> Result<()> {
    let asker = spawn().await?;
    let first = spawn().name("moving").permanent().await?;
    let mut last = 0;
    for _ in 0..3 {
        // Each back-off is longer.
        last = loop {
            match send(&first, pid, ()).await {
                Ok(pid) if pid != last => break pid,
                _ => sleep(Duration::from_millis(5)).await,
            }
        };
        signal(last, Signal::KILL)?;
    }
    loop {
        match send(&asker, ask_twice_by_name, "moving").await {
            Err(error) if error.to_string().contains("restart") => break,
            other => eprintln!("{other:?}"),
        }
    }
    arbiter().stop_actor(&first).await?;
    let _second = loop {
        match spawn().name("moving").await {
            Ok(second) => break second,
            Err(SpawnError::NameTaken { .. }) => sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(error.into()),
        }
    };
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(
            send(&asker, ask_twice_by_name, "moving")
                .await
                .map_err(|e| e.to_string()),
        );
    }
    assert_eq!(asked[4], Ok((2, 4)), "{asked:?}");
    Ok(())
}

// --- 7, 8. kept actors -------------------------------------------------------------------------

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_it_was_stopped() -> Result<()> {
    let mut taken = 0;
    for _ in 0..5 {
        let kept = spawn().name("kept").permanent().await?;
        arbiter().stop_actor(&kept).await?;
        match spawn().name("kept").await {
            Ok(next) => arbiter().stop_actor(&next).await?,
            Err(SpawnError::NameTaken { .. }) => taken += 1,
            Err(error) => return Err(error.into()),
        }
    }
    assert_eq!(taken, 0, "of 5");
    Ok(())
}

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_it_was_stopped_in_back_off() -> Result<()> {
    let kept = spawn().name("kept").permanent().await?;
    signal(send(&kept, pid, ()).await?, Signal::KILL)?;
    while !matches!(
        send(&kept, pid, ()).await,
        Err(CallError::Send(SendError::Restarting { .. }))
    ) {}
    arbiter().stop_actor(&kept).await?;
    spawn().name("kept").await?;
    Ok(())
}

#[command]
async fn host_slow(_cx: Context, name: String) -> Result<(), Error> {
    async fn slowly(_cx: Context) -> Result<()> {
        std::future::pending().await
    }
    spawn()
        .name(name)
        .task()
        .permanent()
        .stopping(slowly)
        .await?;
    Ok(())
}

#[pulsar::test]
async fn the_name_of_a_kept_task_is_free_once_its_thread_has_ended() -> Result<()> {
    let thread = spawn().thread().await?;
    send(&thread, host_slow, "inside").await?;
    arbiter().stop_actor(&thread).await?;
    let mut last = None;
    for _ in 0..100 {
        match spawn().name("inside").await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(Error::msg(format!(
        "for two seconds: {last:?}; {:?}",
        arbiter()
            .actors()
            .iter()
            .map(|a| (a.name.clone(), a.state))
            .collect::<Vec<_>>()
    )))
}

// --- 9. try_send while the way is sought -------------------------------------------------------

#[command]
async fn try_often(_cx: Context, to: Proxy, arbiter: u32) -> Result<usize, Error> {
    signal(arbiter, Signal::STOP)?;
    for number in 0..20_000 {
        drop(send(&to, double, number).try_send());
        if number % 100 == 0 {
            yield_now().await;
        }
    }
    let alive = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    signal(arbiter, Signal::CONT)?;
    Ok(alive)
}

#[pulsar::test]
async fn try_send_leaves_nothing_behind_while_the_way_is_sought() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    let alive = send(&one, try_often, (other, std::process::id())).await?;
    assert!(alive < 100, "{alive} tasks");
    Ok(())
}

// --- 10. a child that was taken over -----------------------------------------------------------

fn with_arbiters_link<T>(use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> Result<T, Error> {
    let parent = rustix::process::getppid();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number: i32 = entry?.file_name().to_string_lossy().parse().unwrap_or(-1);
        let path = format!("/proc/self/fd/{number}");
        let Ok(to) = std::fs::read_link(&path) else {
            continue;
        };
        if !to.to_string_lossy().starts_with("socket:") {
            continue;
        }
        // SAFETY: a test; the descriptor stays open meanwhile.
        let fd: OwnedFd = dup(number)?;
        let Ok(peer) = rustix::net::sockopt::socket_peercred(&fd) else {
            continue;
        };
        if Some(peer.pid) == parent {
            return Ok(use_it(fd.as_fd()));
        }
    }
    Err(Error::msg("no link"))
}

/// Another descriptor of the same socket, without `unsafe`.
fn dup(number: i32) -> Result<OwnedFd, Error> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(own, number, PidfdGetfdFlags::empty())?)
}

fn raw(kind: u8, request: u64, place: u32, task: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&(28 + body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&[kind, 1, 0, 0]);
    bytes.extend_from_slice(&request.to_le_bytes());
    bytes.extend_from_slice(&place.to_le_bytes());
    bytes.extend_from_slice(&task.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::AGAIN) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Seeks the same actor again and again, and reads no answer.
#[command]
async fn seek_and_do_not_read(_cx: Context, place: u32, times: u32) -> Result<(), Error> {
    with_arbiters_link(|fd| {
        for number in 0..times {
            write_all(fd, &raw(12, (1 << 40) + u64::from(number), place, 0, b""))?;
        }
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    })?
}

fn open_files() -> Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

#[pulsar::test]
async fn a_child_that_seeks_without_reading_costs_the_arbiter_no_descriptors() -> Result<()> {
    let (hostile, victim) = (spawn().await?, spawn().await?);
    let before = open_files()?;
    let seeking = send(
        &hostile,
        seek_and_do_not_read,
        (victim.aid().place(), 3_000_u32),
    );
    let seeking = tokio::spawn(seeking.into_future());
    sleep(Duration::from_secs(2)).await;
    let (after, victims) = (open_files()?, send(&victim, info, ()).await?.system);
    let victims = victims.map(|system| system.open_files);
    drop(seeking);
    assert!(
        after < before + 100,
        "the arbiter had {before} open and has {after}; the victim {victims:?}"
    );
    Ok(())
}

/// Has a task claim this name, whatever it looks like.
#[command]
async fn claim(_cx: Context, name: String) -> Result<u32, Error> {
    let task = spawn().task().await?;
    with_arbiters_link(|fd| {
        write_all(fd, &raw(17, 1 << 40, 0, task.aid().task(), name.as_bytes()))
    })??;
    Ok(std::process::id())
}

#[pulsar::test]
async fn a_child_cannot_take_the_id_of_another_for_a_name() -> Result<()> {
    let (hostile, victim) = (spawn().await?, spawn().await?);
    let (victims, id) = (send(&victim, pid, ()).await?, victim.aid().local());
    assert_eq!(send(id.clone(), pid, ()).await?, victims);
    let hostiles = send(&hostile, claim, id.clone()).await?;
    sleep(Duration::from_millis(200)).await;
    let reached = send(id.clone(), pid, ()).await;
    let reached = reached.map_err(|error| error.to_string());
    assert_eq!(
        reached,
        Ok(victims),
        "{id} is the victim's; the hostile has pid {hostiles}"
    );
    Ok(())
}

#[command]
async fn claim_many(_cx: Context, names: u32) -> Result<(), Error> {
    with_arbiters_link(|fd| {
        for number in 0..names {
            write_all(
                fd,
                &raw(17, 1 << 40, 0, 1, format!("squat-{number}").as_bytes()),
            )?;
        }
        Ok(())
    })?
}

#[pulsar::test]
async fn a_child_cannot_take_names_without_end() -> Result<()> {
    let hostile = spawn().await?;
    send(&hostile, claim_many, 100_000_u32).await?;
    sleep(Duration::from_millis(500)).await;
    spawn().name("squat-99999").await?;
    Ok(())
}

// --- 12. a tool's command that has a built-in's name ------------------------------------------

struct Busy;

#[pulsar::actor]
impl Busy {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    async fn echo(&mut self, number: u32) -> u32 {
        sleep(Duration::from_millis(20)).await;
        number
    }

    #[command]
    async fn same(&mut self, number: u32) -> u32 {
        sleep(Duration::from_millis(20)).await;
        number
    }
}

#[command]
async fn ask_as_a_tool(_cx: Context, to: Proxy, command: String) -> Result<Vec<String>, Error> {
    send(&to, ping, ()).await?;
    let asks: Vec<_> = (0..10)
        .map(|number| {
            let (to, command) = (to.clone(), command.clone());
            tokio::spawn(async move { pulsar::send_json(&to, &command, vec![number.into()]).await })
        })
        .collect();
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(match ask.await? {
            Ok(value) => value.to_string(),
            Err(error) => format!("{error}"),
        });
    }
    Ok(answers)
}

#[pulsar::test]
async fn a_tools_command_waits_for_room_whatever_its_name() -> Result<()> {
    let asker = spawn().await?;
    let busy = Busy::spawn().mailbox_capacity(1).await?;
    let busy: Proxy = busy.untyped();
    let expected: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(
        send(&asker, ask_as_a_tool, (busy.clone(), "same".to_owned())).await?,
        expected
    );
    assert_eq!(
        send(&asker, ask_as_a_tool, (busy, "echo".to_owned())).await?,
        expected
    );
    Ok(())
}

// --- 13. one slow actor and a link that is retired ---------------------------------------------

#[command]
async fn host_two(_cx: Context) -> Result<(Proxy, Proxy), Error> {
    let slow = spawn().task().mailbox_capacity(1).await?;
    Ok((slow, spawn().task().await?))
}

#[command]
async fn visit(
    _cx: Context,
    slow: Proxy,
    other: Proxy,
    peers: Vec<Proxy>,
) -> Result<Vec<String>, Error> {
    let mut asks = Vec::new();
    for _ in 0..5 {
        asks.push(tokio::spawn(send(&slow, never, ()).into_future()));
        yield_now().await;
    }
    send(&other, double, 1).await?;
    let mut seen = Vec::new();
    for peer in &peers {
        send(peer, double, 0).await?;
    }
    for _ in 0..3 {
        let asked = send(&other, double, 1)
            .timeout(Duration::from_secs(2))
            .await;
        seen.push(format!("{asked:?}"));
    }
    for ask in asks {
        ask.abort();
    }
    Ok(seen)
}

#[pulsar::test]
async fn a_slow_actor_holds_up_no_other_of_its_process_when_the_link_is_retired() -> Result<()> {
    let (traveller, hosting) = (spawn().await?, spawn().await?);
    let (slow, other) = send(&hosting, host_two, ()).await?;
    let mut peers = Vec::new();
    for peer in (0..70).map(|_| spawn().begin()).collect::<Vec<_>>() {
        peers.push(peer?.await?);
    }
    let seen = send(&traveller, visit, (slow, other, peers)).await?;
    assert_eq!(seen, vec!["Ok(2)"; 3]);
    Ok(())
}

// --- 14. a descendant of the dead holds its sockets --------------------------------------------

#[command]
async fn outlast(cx: Context, to: Proxy) -> Result<Vec<String>, Error> {
    send(&to, double, 1).await?;
    let asked = tokio::spawn(
        send(&to, never, ())
            .timeout(Duration::from_secs(5))
            .into_future(),
    );
    yield_now().await;
    cx.set_extra("ready", true);
    let mut seen = vec![format!("{:?}", asked.await?)];
    // By now its next life is ready.
    for _ in 0..2 {
        let asked = send(&to, double, 1).timeout(Duration::from_secs(1)).await;
        seen.push(format!("{asked:?}"));
    }
    Ok(seen)
}

#[pulsar::test]
async fn a_death_is_learnt_although_a_descendant_of_the_dead_holds_its_sockets() -> Result<()> {
    let (asker, target) = (spawn().await?, spawn().permanent().await?);
    let asking = tokio::spawn(send(&asker, outlast, target.clone()).into_future());
    crate::ready(&asker).await?;
    sleep(Duration::from_millis(100)).await;
    // Beside `never`, which holds the turn.
    let its_pid = send(&target, info, ()).await?.actor.pid;
    let helper = run(&target, leave_sockets, ()).await?;
    assert!(helper);
    signal(its_pid, Signal::KILL)?;
    let seen = asking.await??;
    assert!(
        seen[0].contains("ActorDied") && seen[2] == "Ok(2)",
        "{seen:#?}"
    );
    Ok(())
}

/// Leaves all sockets of this process to a program that outlives it, as a `fork` would.
async fn leave_sockets(_cx: Context, _: ()) -> bool {
    let mut kept = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return false;
    };
    for entry in entries.flatten() {
        let number: i32 = entry.file_name().to_string_lossy().parse().unwrap_or(-1);
        let Ok(to) = std::fs::read_link(format!("/proc/self/fd/{number}")) else {
            continue;
        };
        if to.to_string_lossy().starts_with("socket:") {
            let Ok(fd) = dup(number) else { return false };
            if rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::empty()).is_err() {
                return false;
            }
            kept.push(fd);
        }
    }
    std::process::Command::new("sleep").arg("8").spawn().is_ok()
}

// --- 15. order while credit is waited for, over a real link -------------------------------------

/// Takes numbers with their sender, and says how many came out of order.
static LAST: Mutex<(u32, u32)> = Mutex::new((0, 0));

#[command(no_ack)]
async fn number(_cx: Context, number: u32) {
    let mut last = LAST
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if number < last.0 {
        last.1 += 1;
    }
    last.0 = number;
}

#[command]
async fn out_of_order(_cx: Context) -> u32 {
    LAST.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .1
}

/// Numbers are given when a send is first polled: that is the order in which they are sent.
#[command]
async fn number_from_two_tasks(_cx: Context, to: Proxy) -> Result<(), Error> {
    send(&to, double, 1).await?;
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (to, next) = (to.clone(), std::sync::Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            for _ in 0..5_000 {
                let mine = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                send(&to, number, mine).await?;
            }
            Ok::<_, CallError<Never>>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

#[pulsar::test]
async fn sends_of_one_actor_keep_their_order_while_they_wait_for_credit() -> Result<()> {
    let (sender, target) = (spawn().await?, spawn().mailbox_capacity(16).await?);
    send(&sender, number_from_two_tasks, target.clone()).await?;
    assert_eq!(send(&sender, ask_out_of_order, target).await?, 0);
    Ok(())
}

#[command]
async fn ask_out_of_order(_cx: Context, to: Proxy) -> Result<u32, Error> {
    Ok(send(&to, out_of_order, ()).await?)
}

// --- 16. the first life of a kept actor fails -----------------------------------------------------

#[pulsar::test]
async fn the_name_of_a_kept_actor_is_free_once_its_first_life_has_failed() -> Result<()> {
    async fn fail(_cx: Context, _: ()) -> Result<()> {
        Err(Error::msg("no"))
    }
    for _ in 0..10 {
        let spawned = spawn().name("failing").permanent().start(fail, ()).await;
        let Err(SpawnError::Died { .. }) = spawned else {
            return Err(Error::msg(format!("{spawned:?}")));
        };
    }
    Ok(())
}

// --- 17. stopped while its second life boots -------------------------------------------------------

#[pulsar::test]
async fn a_kept_actor_can_be_stopped_while_it_boots_again() -> Result<()> {
    async fn slowly(cx: Context, _: ()) -> Result<()> {
        match cx.incarnation().0 {
            1 => Ok(()),
            _ => std::future::pending().await,
        }
    }
    let kept = spawn().name("kept").permanent().start(slowly, ()).await?;
    signal(send(&kept, pid, ()).await?, Signal::KILL)?;
    loop {
        let all = arbiter().actors();
        let booting = |status: &pulsar::ActorStatus| status.restarts == 1 && status.pid.is_some();
        if all.iter().any(booting) {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(200)).await;
    arbiter().stop_actor(&kept).await?;
    sleep(Duration::from_millis(50)).await;
    spawn().name("kept").await?;
    Ok(())
}
