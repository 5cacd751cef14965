//! Ten thousand deaths.

use std::time::Instant;

use pulsar::prelude::*;

use crate::alone;
use crate::held::Held;

/// Deaths of processes; of threads and tasks there are as many as make ten thousand in all.
const PROCESSES: usize = 8_000;
const THREADS: usize = 1_000;
const TASKS: usize = 1_000;
/// That live at once.
const AT_ONCE: usize = 50;

/// What the allocator may keep more than after the first deaths: some hundred bytes for each death, far less
/// than what any actor takes.
const KEPT_BYTES: u64 = 4 << 20;

/// So many actors live and are killed.
async fn live_and_die(placement: Placement, deaths: usize) -> Result<()> {
    let begun = Instant::now();
    for _ in 0..deaths / AT_ONCE {
        let lives = (0..AT_ONCE).map(|_| {
            tokio::spawn(async move {
                let actor = spawn().placement(placement).await?;
                arbiter().kill_actor(&actor).await?;
                Ok::<_, Error>(())
            })
        });
        for life in lives.collect::<Vec<_>>() {
            life.await??;
        }
    }
    println!(
        "{deaths} of {placement}: {:.2} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

#[pulsar::test]
async fn fault_16_ten_thousand_deaths_leave_nothing_behind() -> Result<()> {
    let _turn = alone()?;
    // The first ones fill what the allocator keeps.
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        live_and_die(placement, 2 * AT_ONCE).await?;
    }
    let before = Held::now()?;
    live_and_die(Placement::Thread, THREADS).await?;
    live_and_die(Placement::Task, TASKS).await?;
    live_and_die(Placement::Process, PROCESSES).await?;
    assert_eq!(arbiter().actors().len(), 1, "only the arbiter is left");
    // That no child and no zombie is left is checked after each test.
    before.is_all_again(KEPT_BYTES).await
}
