//! Processes that are forked in a template, and threads: until their first word, and after their last.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::id;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use pulsar_bench_raw::{Template, fork};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

use crate::order::{Order, Reading, reading};
use crate::process::{children, pss_kb};
use crate::samples::{Course, Samples, machine_time, per_second};

const REST: Duration = Duration::from_millis(300);
/// Processes that are spawned at once before they are ended.
const PROCESSES: usize = 64;

/// What a forked process does before its first word.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Bare,
    /// It makes a runtime of tokio and speaks on its loop.
    Runtime,
}

impl Kind {
    fn template(self) -> anyhow::Result<Template> {
        Ok(Template::start(move |socket| {
            let lived = match self {
                Self::Bare => live(socket),
                Self::Runtime => live_on_a_loop(socket),
            };
            i32::from(lived.is_err())
        })?)
    }
}

/// Says that it is there, and lives until the other end is closed.
fn live(mut socket: UnixStream) -> std::io::Result<()> {
    socket.write_all(&word())?;
    socket.read(&mut [0]).map(drop)
}

/// The same on a loop of tokio's.
pub(crate) fn live_on_a_loop(socket: UnixStream) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        socket.set_nonblocking(true)?;
        let mut socket = tokio::net::UnixStream::from_std(socket)?;
        socket.write_all(&word()).await?;
        socket.read(&mut [0]).await.map(drop)
    })
}

/// The first word: when it is said.
fn word() -> [u8; 8] {
    let nanos = u64::try_from(machine_time().as_nanos()).unwrap_or_default();
    nanos.to_ne_bytes()
}

fn first_word(socket: &mut UnixStream) -> anyhow::Result<Duration> {
    let mut word = [0; 8];
    socket
        .read_exact(&mut word)
        .context("it has ended without a word")?;
    Ok(Duration::from_nanos(u64::from_ne_bytes(word)))
}

pub(crate) fn spawn_one_by_one(order: &Order, kind: Kind) -> anyhow::Result<Reading> {
    let template = kind.template()?;
    let mut course = Course::begin(order);
    while course.goes_on() {
        course.skip();
        let mut child = template.spawn()?;
        first_word(&mut child)?;
        course.lap();
    }
    Ok(course.end().reading(""))
}

pub(super) fn spawn_at_once(order: &Order, at_once: usize) -> anyhow::Result<Reading> {
    let template = Kind::Runtime.template()?;
    let (mut count, mut spent) = (0, Duration::ZERO);
    while spent < order.effort {
        let begun = Instant::now();
        let mut children = Vec::new();
        let mut oldest = 0;
        while oldest < PROCESSES {
            if children.len() < PROCESSES && children.len() - oldest < at_once {
                children.push(template.spawn()?);
            } else {
                first_word(&mut children[oldest])?;
                oldest += 1;
            }
        }
        spent += begun.elapsed();
        count += children.len() as u64;
    }
    Ok(reading("per_s", per_second(count, spent)))
}

pub(super) fn spawn_threads(order: &Order) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    while course.goes_on() {
        course.skip();
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || -> std::io::Result<()> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { sender.send(()).map_err(std::io::Error::other) })
        });
        receiver.recv()?;
        course.lap();
        let ended = thread.join();
        ended.ok().context("the thread has panicked")??;
    }
    Ok(course.end().reading(""))
}

pub(crate) fn memory(processes: usize, kind: Kind) -> anyhow::Result<Reading> {
    let template = kind.template()?;
    let mut alive = Vec::with_capacity(processes);
    for _ in 0..processes {
        let mut child = template.spawn()?;
        first_word(&mut child)?;
        alive.push(child);
    }
    std::thread::sleep(REST);
    let template_pid = children(id())?.into_iter().max().context("no template")?;
    let pids = children(template_pid)?;
    anyhow::ensure!(
        pids.len() == processes,
        "{} of {processes} are there",
        pids.len()
    );
    let sum = pids
        .iter()
        .map(|pid| pss_kb(*pid))
        .sum::<anyhow::Result<f64>>()?;
    Ok(reading("pss_kb", sum / pids.len() as f64))
}

/// A witness in one process reads the end of a socket that another, the mortal, holds; then the next mortal is forked.
pub(super) fn deaths(order: &Order) -> anyhow::Result<Reading> {
    let template = Kind::Runtime.template()?;
    let mut course = Course::begin(order);
    let mut replacements = Samples::default();
    while course.goes_on() {
        let (held, mut watched) = UnixStream::pair()?;
        let mut mortal = fork(|| {
            std::thread::sleep(Duration::MAX);
            0
        })?;
        drop(held);
        let (mut told, mut tells) = UnixStream::pair()?;
        let _witness = fork(|| {
            let seen = tells.write_all(&[1]).and_then(|()| watched.read(&mut [0]));
            let told = seen.and_then(|_| tells.write_all(&word()));
            i32::from(told.is_err())
        })?;
        told.read_exact(&mut [0])?;
        let killed = machine_time();
        mortal.kill()?;
        mortal.wait()?;
        let mut next = template.spawn()?;
        let replaced = first_word(&mut next)?;
        let learnt = first_word(&mut told)?;
        course.lap_of(learnt - killed);
        if course.elapsed() > order.warm_up() {
            replacements.add(replaced - killed);
        }
    }
    let mut both = course.end().reading("caller_");
    both.extend(replacements.reading("replacement_"));
    Ok(both)
}
