//! What is going to happen, and when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use pulsar_policy::{GroupEvent, News};

use crate::life_check::Heard;
use crate::process::Step;

/// Something that happens at some time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Happening {
    /// To a process.
    Process { life: usize, step: Step },
    /// The overseer of a life is told.
    Told { life: usize, heard: Heard },
    /// A group is told of a life.
    News {
        group: usize,
        child: usize,
        incarnation: u32,
        news: News,
    },
    /// A group is told by its operator, or by the group that it is in.
    Command { group: usize, event: GroupEvent },
    /// The loop of the supervisor takes nothing in for so long.
    Hold(Duration),
    /// Chance steps in.
    Meddle,
}

/// The first comes first; of those at one time, the one that was entered first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    items: BinaryHeap<Reverse<Item>>,
    entered: u64,
}

#[derive(Debug)]
struct Item {
    at: Duration,
    number: u64,
    happening: Happening,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: Duration, happening: Happening) {
        let number = self.entered;
        self.entered += 1;
        self.items.push(Reverse(Item {
            at,
            number,
            happening,
        }));
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.items.peek().map(|item| item.0.at)
    }

    pub(crate) fn take(&mut self) -> Option<(Duration, Happening)> {
        let item = self.items.pop()?.0;
        Some((item.at, item.happening))
    }
}

impl Happening {
    /// True if the loop of the supervisor takes it in: not while it is held.
    pub(crate) fn needs_the_loop(&self) -> bool {
        !matches!(self, Self::Process { .. } | Self::Hold(_) | Self::Meddle)
    }

    /// True if it is one more sign of life, of which there are many.
    pub(crate) fn is_beat(&self) -> bool {
        match self {
            Self::Process { step, .. } => matches!(step, Step::Notify | Step::TakeAsk),
            Self::Told { heard, .. } => matches!(heard, Heard::Notify | Heard::Seen { .. }),
            _ => false,
        }
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Item {}
