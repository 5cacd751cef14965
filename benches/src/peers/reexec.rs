//! A process by executing this program anew, to a loop of tokio's: what a program without a template does.

use std::io::{Read, stdin};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::floor::live_on_a_loop;
use crate::order::{Order, Reading, VARIABLE, Work, reading};
use crate::process::pss_kb;
use crate::samples::Course;

/// The name of the order to be such a process.
pub(super) const CHILD: &str = "reexec_child";
const REST: Duration = Duration::from_millis(300);

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    match order.work {
        Work::ProcessMemory(processes) => memory(order, processes),
        _ => spawn_one_by_one(order),
    }
}

/// In the child: its standard input is the socket to its parent.
pub(super) fn live() -> anyhow::Result<()> {
    let socket = stdin().as_fd().try_clone_to_owned()?;
    Ok(live_on_a_loop(socket.into())?)
}

/// A process that has said its first word.
fn spawn(order: &Order) -> anyhow::Result<(UnixStream, Child)> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let order = Order {
        contender: CHILD.to_owned(),
        ..order.clone()
    };
    let child = Command::new("/proc/self/exe")
        .env(VARIABLE, serde_json::to_string(&order)?)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    ours.read_exact(&mut [0; 8])?;
    Ok((ours, child))
}

fn spawn_one_by_one(order: &Order) -> anyhow::Result<Reading> {
    let mut course = Course::begin(order);
    while course.goes_on() {
        course.skip();
        let (socket, mut child) = spawn(order)?;
        course.lap();
        drop(socket);
        child.wait()?;
    }
    Ok(course.end().reading(""))
}

fn memory(order: &Order, processes: usize) -> anyhow::Result<Reading> {
    let alive = (0..processes).map(|_| spawn(order));
    let mut alive = alive.collect::<anyhow::Result<Vec<_>>>()?;
    std::thread::sleep(REST);
    let pids = alive.iter().map(|(_, child)| child.id());
    let sum = pids.map(pss_kb).sum::<anyhow::Result<f64>>()?;
    for (socket, mut child) in alive.drain(..) {
        drop(socket);
        child.wait()?;
    }
    Ok(reading("pss_kb", sum / processes as f64))
}
