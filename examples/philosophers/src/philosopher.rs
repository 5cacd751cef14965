//! A philosopher: what a worker of this application does.

use std::time::Duration;

use pulsar::prelude::*;
use tokio::time::sleep;

use crate::seating::Tally;
use crate::settings::Dinner;
use crate::table::{self, Table};

/// How much longer than its patience a philosopher waits for the table's answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// One who thinks, waits for forks and eats.
pub(crate) struct Philosopher {
    cx: Context,
    dinner: Dinner,
    table: Proxy<Table>,
    eaten: u32,
}

impl Philosopher {
    /// Finds the table and takes a seat there: its own, if an earlier life has had one.
    pub(crate) async fn sit_down(worker: &Worker<Dinner>) -> Result<Self> {
        let cx = worker.context().clone();
        let table: Proxy<Table> = find(table::NAME).await?;
        let seats = worker.base().workers();
        let tally = table.sit(cx.name().to_owned(), seats).await?;
        let mut philosopher = Self {
            cx,
            dinner: worker.settings().clone(),
            table,
            eaten: 0,
        };
        philosopher.note(&tally);
        Ok(philosopher)
    }

    /// Begins to dine, as a part of the worker. If that fails the worker stops, and another takes
    /// its place.
    pub(crate) fn begin(self) {
        let cx = self.cx.clone();
        let dining = async move {
            let cx = self.cx.clone();
            tokio::select! {
                () = cx.stop_asked() => {}
                dined = self.dine() => {
                    if let Err(error) = dined {
                        tracing::error!(error = error.one_line(), "dinner is over");
                        cx.stop();
                    }
                }
            }
        };
        cx.spawn(dining);
    }

    async fn dine(mut self) -> Result<()> {
        while self.dinner.meals.is_none_or(|meals| self.eaten < meals) {
            self.does("thinking");
            sleep(self.dinner.thinking_period()).await;
            self.does("waiting");
            while !self.has_forks().await? {}
            self.does("eating");
            sleep(self.dinner.eating_period()).await;
            let tally = self.table.put_back_forks().await?;
            self.note(&tally);
        }
        // The worker stays: who leaves the table is replaced.
        self.does("talking");
        Ok(())
    }

    /// Asks for forks, and waits for them as long as patience lasts.
    async fn has_forks(&self) -> Result<bool> {
        let patience = self.dinner.waiting_period();
        let asked = self.table.take_forks(patience);
        Ok(asked.timeout(patience + ANSWER_TIME).await?)
    }

    /// Keeps in mind what it has done, and shows it: `pulsar info philosophers-1`.
    fn note(&mut self, tally: &Tally) {
        self.eaten = tally.eaten;
        self.cx.set_extra("eaten", tally.eaten);
        self.cx.set_extra("waited", tally.waited);
    }

    fn does(&self, what: &str) {
        self.cx.set_extra("doing", what);
    }
}
