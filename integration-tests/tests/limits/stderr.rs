//! What actors say on their standard error streams.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pulsar::prelude::*;
use pulsar_testkit::{Process, Program, wait_until};
use rustix::process::Signal;

use crate::{death, end_by, limited};

#[command]
fn say(_cx: Context, text: String) -> Result<()> {
    Ok(std::io::stderr().write_all(text.as_bytes())?)
}

/// What is told of the end of the life before, once the next has begun.
async fn last_stderr(actor: &Proxy) -> Result<Vec<String>> {
    while send(actor, ping, ()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let status = arbiter()
        .actors()
        .into_iter()
        .find(|status| status.aid == actor.aid());
    let last = status.and_then(|status| status.last_exit);
    Ok(last.expect("it has had a life before").stderr)
}

#[pulsar::test]
async fn the_last_lines_on_stderr_are_told_with_the_end() -> Result<()> {
    let actor = spawn().keep_stderr(2).permanent().await?;
    send(&actor, say, "one\ntwo\nthr").await?;
    send(&actor, say, "ee\nfo\u{1b}[1mur").await?;
    let _ = death(send(&actor, end_by, "exit").await);
    assert_eq!(last_stderr(&actor).await?, ["three", "fo\u{1b}[1mur"]);
    // Those of one life are not those of the next.
    let _ = death(send(&actor, end_by, "exit").await);
    assert!(last_stderr(&actor).await?.is_empty());
    Ok(())
}

#[pulsar::test]
async fn a_last_word_of_many_bytes_is_read_to_the_end() -> Result<()> {
    let actor = spawn().keep_stderr(1).permanent().await?;
    // Fits into no pipe: the last of it is written when the first has been read.
    let text = format!("{}the end\n", "a line like others\n".repeat(20_000));
    let saying = send(&actor, say_and_exit, text);
    let _ = death(saying.await);
    assert_eq!(last_stderr(&actor).await?, ["the end"]);
    Ok(())
}

#[command]
fn say_and_exit(_cx: Context, text: String) -> Result<()> {
    std::io::stderr().write_all(text.as_bytes())?;
    pulsar_testkit::Fault::Exit.commit()
}

/// Says this and ends, once somebody has written to the descriptor `go`.
#[command]
fn say_when_told(cx: Context, text: String) -> Result<()> {
    let go = cx
        .take_descriptor("go")
        .ok_or(Error::msg("it has been told already"))?;
    std::thread::spawn(move || {
        let mut go = UnixStream::from(go);
        let _ = go.read_exact(&mut [0]);
        let _ = std::io::stderr().write_all(text.as_bytes());
        pulsar_testkit::Fault::Exit.commit()
    });
    Ok(())
}

#[pulsar::test]
async fn what_was_said_before_the_end_is_read_though_the_end_is_known_first() -> Result<()> {
    let (mut tell, go) = UnixStream::pair()?;
    let go: Arc<OwnedFd> = Arc::new(go.into());
    let actor = spawn()
        .keep_stderr(1)
        .descriptor("go", go)
        .permanent()
        .await?;
    let pid = send(&actor, info, ()).await?.actor.pid;
    // Fits into the pipe, and takes more than one turn of the loop to read.
    let text = format!("{}the end\n", "a line like others\n".repeat(3_000));
    send(&actor, say_when_told, text).await?;
    let ended = arbiter();
    let ended = ended.ended(&actor);
    // Holds the arbiter's loop until the process has said all and is dead.
    tell.write_all(b"x")?;
    let dead = wait_until(Duration::from_secs(20), || {
        (!Process::of(pid).runs()).then_some(())
    });
    assert!(dead.is_some());
    assert_eq!(ended.await?, Cause::Code(3));
    assert_eq!(last_stderr(&actor).await?, ["the end"]);
    Ok(())
}

#[pulsar::test]
async fn without_it_nothing_is_kept() -> Result<()> {
    let actor = spawn().permanent().await?;
    send(&actor, say, "a word\n").await?;
    let _ = death(send(&actor, end_by, "exit").await);
    assert!(last_stderr(&actor).await?.is_empty());
    Ok(())
}

#[test]
fn lines_are_passed_on_as_they_are_while_the_actor_lives() {
    let program = Program::launch(limited("talk"));
    assert_eq!(
        program.line().as_deref(),
        Some("said"),
        "{}",
        program.stderr()
    );
    let line = "a line with \u{1b}[1mlight\u{1b}[0m\n";
    let patience = Duration::from_secs(5);
    let passed = wait_until(patience, || program.stderr().contains(line).then_some(()));
    assert!(passed.is_some(), "{}", program.stderr());
    program.signal(Signal::TERM).unwrap();
    assert_eq!(program.outcome().code, Some(0));
}

#[test]
fn an_arbiter_whose_stderr_nobody_reads_goes_on_and_tells_what_it_dropped() {
    let mut command = limited("flood");
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = piped.spawn().unwrap();
    let mut line = String::new();
    let stdout = program.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line, "pong\n");
    // Only now somebody reads; the program ends when it has been told so.
    let mut stderr = program.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    program.stdin.take().unwrap().write_all(b"\n").unwrap();
    let text = reading.join().unwrap().unwrap();
    assert!(program.wait().unwrap().success());
    let said = 64 * (8 << 10);
    let passed = text
        .lines()
        .filter(|line| *line == "0123456789abcde")
        .count();
    let dropped = text.lines().find_map(|line| {
        let count = line.strip_prefix("pulsar: ")?.split(' ').next()?;
        count.parse::<usize>().ok()
    });
    assert!(passed > 0 && passed < said, "{passed}");
    assert_eq!(dropped, Some(said - passed));
}

/// Starts a process that holds this one's stderr, and ends.
#[command]
fn leave_a_holder(_cx: Context) -> Result<()> {
    let holder = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    eprintln!("{}", holder.id());
    pulsar_testkit::Fault::Exit.commit()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[pulsar::test]
async fn a_descendant_that_holds_stderr_holds_up_nothing_and_no_descriptor_stays() -> Result<()> {
    let before = open_files();
    let actor = spawn().keep_stderr(1).permanent().await?;
    let begun = Instant::now();
    let cause = death(send(&actor, leave_a_holder, ()).await);
    assert_eq!(cause, Cause::Code(3));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let last = last_stderr(&actor).await?;
    let holder = last.first().and_then(|pid| pid.parse().ok());
    let holder = rustix::process::Pid::from_raw(holder.expect("its last word is a pid"));
    let holder = holder.expect("a process has an id");
    // It lives, and holds the pipe; the arbiter does not.
    rustix::process::test_kill_process(holder)?;
    arbiter().kill_actor(&actor).await?;
    tokio::task::yield_now().await;
    let after = open_files();
    rustix::process::kill_process(holder, Signal::KILL)?;
    assert_eq!(after, before);
    Ok(())
}
