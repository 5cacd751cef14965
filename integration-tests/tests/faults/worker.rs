//! The sudden death of a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use integration_tests::{Laboratory, Visitor};
use pulsar_testkit::wait_until;
use rustix::process::Signal;
use serde_json::json;

use crate::BINARIES;

/// Connections under load to each of the two workers.
const CONNECTIONS: usize = 3;
/// No client asks more often, nor for longer.
const MAX_REQUESTS: usize = 1_000_000;
const MAX_LOAD: Duration = Duration::from_secs(30);
/// Requests that each connection has answered before the fault, and some after it.
const REQUESTS: usize = 50;

/// A client that asks again and again who answers.
struct Client {
    pid: u32,
    answered: Arc<AtomicUsize>,
    asking: JoinHandle<Result<(), std::io::Error>>,
}

impl Client {
    fn start(mut visitor: Visitor, stop: &Arc<AtomicBool>) -> Self {
        let (stop, answered) = (Arc::clone(stop), Arc::new(AtomicUsize::new(0)));
        let (pid, counter) = (visitor.pid(), Arc::clone(&answered));
        let asking = thread::spawn(move || {
            let begun = Instant::now();
            for _ in 0..MAX_REQUESTS {
                if stop.load(Ordering::Relaxed) || begun.elapsed() > MAX_LOAD {
                    break;
                }
                // A connection stays with its worker: another pid would be another's answer.
                assert_eq!(visitor.ask_pid()?, pid);
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self {
            pid,
            answered,
            asking,
        }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits for so many more answers.
    fn await_more(&self, more: usize) {
        let goal = self.answered() + more;
        let reached = wait_until(MAX_LOAD, || (self.answered() >= goal).then_some(()));
        assert!(reached.is_some(), "{} is not answered", self.pid);
    }
}

#[test]
fn fault_01_under_load_only_the_connections_of_the_killed_worker_break() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    let (victim, survivor) = (pids[0], pids[1]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = pids
        .iter()
        .flat_map(|pid| [*pid; CONNECTIONS])
        .map(|pid| Client::start(laboratory.visitor_of(pid), &stop))
        .collect();
    for client in &clients {
        client.await_more(REQUESTS);
    }
    laboratory
        .program
        .signal_below(victim, Signal::KILL)
        .unwrap();
    let row = laboratory.replacement_of(victim, Duration::from_secs(1));
    let survivors = || clients.iter().filter(|client| client.pid == survivor);
    survivors().for_each(|client| client.await_more(REQUESTS));
    stop.store(true, Ordering::Relaxed);
    assert_eq!(survivors().count(), CONNECTIONS);
    for client in clients {
        let outcome = client.asking.join().unwrap();
        assert_eq!(outcome.is_err(), client.pid == victim, "{outcome:?}");
    }
    assert_eq!(row["incarnation"], 2, "{row}");
    assert_eq!(row["restarts"], 1, "{row}");
    let died = json!({"signal": 9, "core_dumped": false});
    let last_exit = json!({"cause": "Signal", "detail": died, "pid": victim});
    assert_eq!(row["last_exit"], last_exit);
    laboratory.stop(Signal::TERM);
}

#[test]
fn fault_01_requests_in_flight_fail_at_once_in_the_killed_worker_only() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    let mut of_victim = laboratory.visitor_of(pids[0]);
    let mut of_survivor = laboratory.visitor_of(pids[1]);
    of_victim.send("/sleep/20000");
    of_survivor.send("/sleep/1000");
    laboratory
        .program
        .signal_below(pids[0], Signal::KILL)
        .unwrap();
    let killed = Instant::now();
    assert!(of_victim.reply().is_err());
    let after = killed.elapsed();
    assert!(after < Duration::from_secs(1), "it broke after {after:?}");
    assert_eq!(of_survivor.reply().unwrap().body, "slept");
    laboratory.stop(Signal::TERM);
}

#[test]
fn fault_01_the_replacement_serves() {
    let laboratory = Laboratory::open(BINARIES, &["--workers", "2"]);
    let pids = laboratory.worker_pids(2);
    laboratory
        .program
        .signal_below(pids[0], Signal::KILL)
        .unwrap();
    let row = laboratory.replacement_of(pids[0], Duration::from_secs(1));
    let replacement = u32::try_from(row["pid"].as_u64().unwrap()).unwrap();
    assert!(!pids.contains(&replacement));
    assert_eq!(laboratory.visitor_of(replacement).pid(), replacement);
    assert_eq!(laboratory.visitor_of(pids[1]).pid(), pids[1]);
    laboratory.stop(Signal::TERM);
}
