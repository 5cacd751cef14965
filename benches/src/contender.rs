//! A contender: a process of its own, which fulfils one order.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::measure::{FLOOR, OURS};
use crate::order::{Absent, Answer, Order, Reading, VARIABLE};
use crate::{floor, ours, peers, process};

/// A contender that has not answered by then hangs: the longest, 10,000 actors, take less than a minute.
const READING_LIMIT: Duration = Duration::from_secs(240);
/// How much of what a failed contender wrote to stderr is shown.
const TAIL_LINES: usize = 8;
/// The line of its output that is the answer begins with this.
const MARK: &str = "answer: ";

/// In the contender's process: does the work and writes the answer to stdout; or it is a server that a contender
/// measures, and serves.
pub(crate) fn fulfil(order: &Order) -> anyhow::Result<()> {
    if let Some(served) = ours::serve(order).or_else(|| peers::serve(order)) {
        return served;
    }
    let result = match order.contender.as_str() {
        OURS => ours::read(order),
        FLOOR => floor::read(order),
        peer => peers::read(peer, order),
    };
    let answer = match result {
        Ok(reading) => Answer::Reading(reading),
        Err(error) => match error.downcast::<Absent>() {
            Ok(absent) => Answer::Absent(absent.0),
            Err(error) => return Err(error),
        },
    };
    let line = format!("\n{MARK}{}\n", serde_json::to_string(&answer)?);
    std::io::stdout().write_all(line.as_bytes())?;
    Ok(())
}

/// In the process that compares: has an order fulfilled by a process of its own. `scratch` is a folder for its files.
///
/// # Errors
/// [`Absent`]; the contender has failed, or hangs.
pub(crate) fn read(order: &Order, scratch: &Path) -> anyhow::Result<Reading> {
    let log_path = scratch.join("stderr");
    let log = File::create(&log_path)?;
    let child = Command::new("/proc/self/exe")
        .arg0_named(&order.contender)
        .env(VARIABLE, serde_json::to_string(order)?)
        // Control sockets and the like of this run are nobody else's business.
        .env("XDG_RUNTIME_DIR", scratch)
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("failed to start the contender")?;
    answer(child).with_context(|| {
        let text = std::fs::read_to_string(&log_path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.len().saturating_sub(TAIL_LINES);
        format!("it wrote: {}", lines[tail..].join(" | "))
    })
}

trait Named {
    fn arg0_named(&mut self, name: &str) -> &mut Self;
}

impl Named for Command {
    /// So that `ps` shows who is at work.
    fn arg0_named(&mut self, name: &str) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, format!("pulsar-bench-{name}"))
    }
}

fn answer(mut child: Child) -> anyhow::Result<Reading> {
    let mut stdout = child.stdout.take().context("no stdout")?;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.read_to_string(&mut text).map(|_| text);
        // Nobody waits any longer: it came too late.
        let _ = sender.send(read);
    });
    let Ok(text) = receiver.recv_timeout(READING_LIMIT) else {
        kill_family(child.id());
        child.wait()?;
        bail!("no answer within {} s", READING_LIMIT.as_secs());
    };
    let status = child.wait()?;
    let text = text?;
    let line = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    let line = line.with_context(|| format!("no answer, and {status}"))?;
    match serde_json::from_str(line)? {
        Answer::Reading(reading) => Ok(reading),
        Answer::Absent(why) => Err(Absent(why).into()),
    }
}

/// The contender is not reaped yet, so its pid is its own.
fn kill_family(pid: u32) {
    for pid in process::family(pid).unwrap_or_default() {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    }
}
