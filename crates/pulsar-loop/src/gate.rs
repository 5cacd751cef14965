//! Which part of a task was woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

const WORK: u8 = 1;
const REST: u8 = 2;

/// Tells two parts of one task apart, the work of an actor and the rest of its life, by giving each a waker of its
/// own: a message wakes the work, and only that is polled.
#[derive(Default)]
pub struct Gate(Option<Wakers>);

struct Wakers {
    parts: Arc<Parts>,
    work: Waker,
    rest: Waker,
}

struct Parts {
    task: Waker,
    woken: AtomicU8,
}

/// Wakes the work.
struct Work(Arc<Parts>);
/// Wakes the rest.
struct Rest(Arc<Parts>);

/// The parts that are to be polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// The work.
    pub work: bool,
    /// The rest.
    pub rest: bool,
}

impl Gate {
    /// What is to be polled in this poll of the task: what was woken since the last. Both, where the task was woken
    /// otherwise, or has got another waker.
    pub fn due(&mut self, task: &Context<'_>) -> Due {
        let woken = match &self.0 {
            Some(wakers) if wakers.parts.task.will_wake(task.waker()) => {
                wakers.parts.woken.swap(0, Ordering::Acquire)
            }
            _ => {
                self.0 = Some(Wakers::of(task.waker().clone()));
                0
            }
        };
        Due {
            work: woken != REST,
            rest: woken != WORK,
        }
    }

    /// The waker of the work. None before the first [`due`](Self::due).
    pub fn work(&self) -> Option<&Waker> {
        self.0.as_ref().map(|wakers| &wakers.work)
    }

    /// The waker of the rest. None before the first [`due`](Self::due).
    pub fn rest(&self) -> Option<&Waker> {
        self.0.as_ref().map(|wakers| &wakers.rest)
    }
}

impl Wakers {
    fn of(task: Waker) -> Self {
        let woken = AtomicU8::new(0);
        let parts = Arc::new(Parts { task, woken });
        Self {
            work: Arc::new(Work(Arc::clone(&parts))).into(),
            rest: Arc::new(Rest(Arc::clone(&parts))).into(),
            parts,
        }
    }
}

impl Parts {
    fn wake(&self, part: u8) {
        // Released: what was done before the waking is seen by the poll.
        self.woken.fetch_or(part, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl Wake for Work {
    fn wake(self: Arc<Self>) {
        self.0.wake(WORK);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake(WORK);
    }
}

impl Wake for Rest {
    fn wake(self: Arc<Self>) {
        self.0.wake(REST);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake(REST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const BOTH: Due = Due {
        work: true,
        rest: true,
    };

    #[test]
    fn what_was_woken_is_due_once_and_both_where_nobody_knows() {
        let task = Arc::new(Task::default());
        let waker = Arc::clone(&task).into();
        let polled = Context::from_waker(&waker);
        let mut gate = Gate::default();
        assert_eq!(gate.due(&polled), BOTH);
        gate.work().unwrap().wake_by_ref();
        let work = Due {
            work: true,
            rest: false,
        };
        assert_eq!(gate.due(&polled), work);
        gate.rest().unwrap().wake_by_ref();
        let rest = Due {
            work: false,
            rest: true,
        };
        assert_eq!(gate.due(&polled), rest);
        assert_eq!(gate.due(&polled), BOTH);
        gate.rest().unwrap().wake_by_ref();
        gate.work().unwrap().wake_by_ref();
        assert_eq!(gate.due(&polled), BOTH);
        assert_eq!(task.0.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn another_waker_of_the_task_is_woken_from_then_on() {
        let (first, second) = (Arc::new(Task::default()), Arc::new(Task::default()));
        let mut gate = Gate::default();
        let waker = Arc::clone(&first).into();
        gate.due(&Context::from_waker(&waker));
        let waker = Arc::clone(&second).into();
        let polled = Context::from_waker(&waker);
        assert_eq!(gate.due(&polled), BOTH);
        gate.work().unwrap().wake_by_ref();
        let woken = [&first, &second].map(|task| task.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1]);
    }
}
