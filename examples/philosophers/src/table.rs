//! The table: an actor that hands out forks.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pulsar::prelude::*;
use tokio::sync::watch;

use crate::seating::{Refusal, Seating, Tally};
use crate::settings::Dinner;

/// The table's name, by which philosophers find it.
pub(crate) const NAME: &str = "table";

/// Hands out forks, two at a time. It lives in the arbiter's process, where the end of every
/// philosopher is known at once.
pub(crate) struct Table {
    /// Changes are seen by the commands that wait for forks.
    seating: Arc<watch::Sender<Seating>>,
    /// How often everybody shall eat.
    meals: Option<u32>,
}

/// Lays the table, on the loop of the actor that calls this.
pub(crate) fn lay(dinner: &Dinner) -> Result<(), SpawnError> {
    let table = Table::spawn(dinner.meals)
        .name(NAME)
        .task()
        .periodic_task(report)
        .every(dinner.report_period());
    // Its name is taken from here on. Its start cannot fail, and who asks before is kept waiting.
    table.begin().map(drop)
}

// All commands are concurrent: one that waits for forks shall not keep others from putting theirs
// back. A philosopher is known by its sender's id, which is the same in all lives of a worker.
#[pulsar::actor]
impl Table {
    async fn start(_cx: Context, meals: Option<u32>) -> Self {
        Self {
            seating: Arc::default(),
            meals,
        }
    }

    /// Takes a seat at this table for so many, or comes back to it, without forks.
    #[command(concurrent)]
    pub(crate) async fn sit(
        &self,
        cx: Context,
        name: String,
        seats: usize,
    ) -> Result<Tally, Refusal> {
        let guest = guest(&cx)?;
        let mut seated = Err(Refusal::Full);
        self.seating
            .send_modify(|seating| seated = seating.sit(guest, name, seats));
        let (since, tally) = seated?;
        let seating = Arc::clone(&self.seating);
        cx.spawn(clear_up(cx.clone(), seating, guest, since));
        Ok(tally)
    }

    /// Asks for both forks, and waits for them at most so long; whether it has them now. If not,
    /// its turn is kept.
    #[command(concurrent)]
    pub(crate) async fn take_forks(
        &self,
        cx: Context,
        patience: Duration,
    ) -> Result<bool, Refusal> {
        let guest = guest(&cx)?;
        let mut asked = Ok(());
        self.seating
            .send_modify(|seating| asked = seating.ask(guest));
        asked?;
        let mut changes = self.seating.subscribe();
        tokio::select! {
            _ = changes.wait_for(|seating| !seating.waits(guest)) => {}
            () = tokio::time::sleep(patience) => {}
            () = cx.stop_asked() => {}
        }
        self.seating.borrow().tally(guest).map(|tally| tally.eats)
    }

    /// Puts the forks back after a meal. The last meal of all ends the dinner.
    #[command(concurrent)]
    pub(crate) async fn put_back_forks(&self, cx: Context) -> Result<Tally, Refusal> {
        let guest = guest(&cx)?;
        let mut tally = Err(Refusal::Stranger);
        self.seating
            .send_modify(|seating| tally = seating.put_back(guest));
        let over = |meals| self.seating.borrow().all_have_eaten(meals);
        if self.meals.is_some_and(over) {
            arbiter().stop();
        }
        tally
    }

    /// What each has done so far, around the table.
    #[command(concurrent)]
    pub(crate) async fn tallies(&self) -> Vec<Tally> {
        self.seating.borrow().tallies()
    }

    async fn stopping(&mut self) {
        for tally in self.seating.borrow().tallies() {
            say(&tally.to_string());
        }
    }
}

/// Who sent the command that runs.
fn guest(cx: &Context) -> Result<Aid, Refusal> {
    cx.sender().ok_or(Refusal::Stranger)
}

/// Takes the forks of a philosopher whose life has ended.
async fn clear_up(cx: Context, seating: Arc<watch::Sender<Seating>>, guest: Aid, since: u64) {
    let arbiter = arbiter();
    tokio::select! {
        // An error: it is not even known any more.
        _ = arbiter.ended(guest) => seating.send_modify(|seating| seating.leave(guest, since)),
        () = cx.stop_asked() => {}
    }
}

/// The table's periodic task: says who has eaten how often.
async fn report(cx: Context) -> Result<()> {
    let tallies = cx.proxy().typed::<Table>().tallies().await?;
    let eaten = |tally: &Tally| format!("{} {}", tally.name, tally.eaten);
    let eaten: Vec<_> = tallies.iter().map(eaten).collect();
    if !eaten.is_empty() {
        say(&format!("so far: {}", eaten.join(", ")));
    }
    Ok(())
}

/// Says a line on stdout. That nobody reads it any more ends no dinner.
fn say(line: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        tracing::debug!(%error, "stdout cannot be written");
    }
}
