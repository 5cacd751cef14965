//! An actor that computes on all cores and still answers: its executor has the work, and its event loop
//! stays free. The program compares how fast it answers with its threads idle and with all of them busy.
//!
//! `cargo run --release -p cruncher`
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pulsar::prelude::*;
use pulsar::{Executor, Job};

/// Pings of one measurement. Idle and busy take turns, so that what else the machine does is in both.
const PINGS: usize = 500;
const ROUNDS: usize = 6;

/// Looks for primes, on as many threads as there are cores.
struct Cruncher {
    cx: Context,
    goes_on: Arc<AtomicBool>,
    jobs: Vec<Job<u64>>,
}

#[pulsar::actor]
impl Cruncher {
    fn start(cx: Context) -> Self {
        Self {
            cx,
            goes_on: Arc::default(),
            jobs: Vec::new(),
        }
    }

    /// Begins, on all threads.
    #[command]
    async fn begin(&mut self) -> Result<()> {
        self.goes_on.store(true, Ordering::Relaxed);
        let executor = self.cx.executor();
        for thread in 0..Executor::default_threads() {
            let goes_on = Arc::clone(&self.goes_on);
            let first = 1_000_000 * (thread as u64 + 1);
            let job = move || primes_from(first, &goes_on);
            self.jobs.push(executor.submit(job).await?);
        }
        Ok(())
    }

    /// Ends; how many primes it has found.
    #[command]
    async fn end(&mut self) -> Result<u64> {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut found = 0;
        for job in self.jobs.drain(..) {
            found += job.await?;
        }
        Ok(found)
    }
}

fn primes_from(first: u64, goes_on: &AtomicBool) -> u64 {
    let is_prime =
        |number: u64| (2..1_000).all(|divisor: u64| !black_box(number).is_multiple_of(divisor));
    let numbers = (first..).take_while(|_| goes_on.load(Ordering::Relaxed));
    numbers.filter(|number| is_prime(*number)).count() as u64
}

#[pulsar::main]
async fn main() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread] {
        let cruncher = Cruncher::spawn().placement(placement).await?;
        let (mut idle, mut busy, mut found) = (Vec::new(), Vec::new(), 0);
        for _ in 0..ROUNDS {
            idle.extend(pings(&cruncher.untyped()).await?);
            cruncher.begin().await?;
            busy.extend(pings(&cruncher.untyped()).await?);
            found += cruncher.end().await?;
        }
        let (idle, busy) = (Spread::of(idle), Spread::of(busy));
        let ratio = busy.median.as_secs_f64() / idle.median.as_secs_f64();
        println!(
            "{placement}: a ping takes {idle} idle, {busy} with all threads busy; ratio of the medians {ratio:.2}"
        );
        println!("{placement}: {found} primes were found meanwhile");
    }
    Ok(())
}

async fn pings(target: &Proxy) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        send(target, ping, ()).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// How long something takes.
struct Spread {
    median: Duration,
    /// The 99th percentile.
    late: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self {
            median: times[times.len() / 2],
            late: times[times.len() * 99 / 100],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1?} (p99 {:.0?})", self.median, self.late)
    }
}
