//! Threads that were given up and have not ended.

use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::SpawnError;

/// How many there may be before no further thread actor is made. Each may hold a core and all that its actor
/// had: some are a rare mishap that the system outlives, more are a mistake that restarts only
/// make worse.
const MOST_ABANDONED: usize = 8;

/// The threads of actors that did not end when they had to.
#[derive(Debug, Default)]
pub(crate) struct Abandoned(Mutex<Vec<JoinHandle<()>>>);

impl Abandoned {
    /// One more.
    pub(crate) fn add(&self, thread: JoinHandle<()>) {
        let mut threads = self.0.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    /// Whether one more thread actor may be made.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Limit`] while too many that were abandoned have not ended.
    pub(crate) fn check(&self) -> Result<(), SpawnError> {
        let mut threads = self.0.lock();
        threads.retain(|thread| !thread.is_finished());
        match threads.len() < MOST_ABANDONED {
            true => Ok(()),
            false => Err(SpawnError::Limit {
                message: format!(
                    "{} threads of actors were abandoned as their loops do not turn, and no more than \
                     {MOST_ABANDONED} may be: run what computes or blocks for long in the executor, or \
                     make such an actor a process, which can be killed",
                    threads.len()
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn threads_are_refused_while_too_many_abandoned_ones_run() {
        let abandoned = Abandoned::default();
        let mut holds = Vec::new();
        for _ in 0..MOST_ABANDONED {
            abandoned.check().unwrap();
            let (hold, held) = channel::<()>();
            abandoned.add(thread::spawn(move || {
                let _ = held.recv();
            }));
            holds.push(hold);
        }
        let refused = abandoned.check().unwrap_err().to_string();
        assert!(refused.contains("executor"), "{refused}");
        // One of them ends after all.
        holds.pop();
        while abandoned.check().is_err() {
            thread::yield_now();
        }
    }
}
