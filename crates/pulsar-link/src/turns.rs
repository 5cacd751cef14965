//! One at a time seeks the way to a target.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::Seeking;

/// A line for each target that somebody seeks.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    lines: Lines,
}

type Lines = Arc<Mutex<HashMap<Seeking, Line>>>;

#[derive(Debug, Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Who has the turn or waits for it.
    people: usize,
}

/// The turn to seek the way to a target. The next gets it when this is dropped.
#[derive(Debug)]
#[must_use = "the turn is over when this is dropped"]
pub struct TurnGuard {
    // In this order: the next has its turn before the line is left.
    _turn: OwnedMutexGuard<()>,
    _queued: Queued,
}

/// Somebody's place in a line, left when this is dropped: also by who gives up waiting.
#[derive(Debug)]
struct Queued {
    lines: Lines,
    target: Seeking,
}

impl Turns {
    /// Waits for the turn to seek `target`, first come first served.
    pub(crate) async fn turn(&self, target: &Seeking) -> TurnGuard {
        let (turn, queued) = self.queue(target);
        TurnGuard {
            _turn: turn.lock_owned().await,
            _queued: queued,
        }
    }

    /// True while somebody has the turn to seek `target`, or waits for it.
    pub(crate) fn is_busy(&self, target: &Seeking) -> bool {
        self.lines.lock().contains_key(target)
    }

    fn queue(&self, target: &Seeking) -> (Arc<tokio::sync::Mutex<()>>, Queued) {
        let mut lines = self.lines.lock();
        let line = lines.entry(target.clone()).or_default();
        line.people += 1;
        let queued = Queued {
            lines: Arc::clone(&self.lines),
            target: target.clone(),
        };
        (Arc::clone(&line.turn), queued)
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(&self.target) {
            line.people -= 1;
            if line.people == 0 {
                lines.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn seekers_of_one_name_take_turns_in_the_order_of_coming() {
        let turns = Arc::new(Turns::default());
        let name = Seeking::Name("luca".to_owned());
        let first = turns.turn(&name).await;
        let (order, mut came) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for number in 0..5 {
            let (turns, name, order) = (Arc::clone(&turns), name.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let _turn = turns.turn(&name).await;
                order.send(number).unwrap();
                tokio::task::yield_now().await;
                order.send(number).unwrap();
            }));
            tokio::task::yield_now().await;
        }
        // Others are not held up.
        drop(turns.turn(&Seeking::Place(1)).await);
        waiting.remove(2).abort();
        tokio::task::yield_now().await;
        assert!(came.try_recv().is_err());
        drop(first);
        for expected in [0, 1, 3, 4] {
            assert_eq!(came.recv().await, Some(expected));
            assert_eq!(came.recv().await, Some(expected));
        }
        for waiter in waiting {
            waiter.await.unwrap();
        }
        assert!(turns.lines.lock().is_empty());
    }
}
