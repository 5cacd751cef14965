//! Work on a loop of one's own that is awaited elsewhere: while there is any, one thread drives the
//! loop for it.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The work of one loop that is awaited elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Driven(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    works: usize,
    /// Dropped with the last work. There while there is any.
    until: Option<oneshot::Sender<()>>,
}

/// One piece of work, until this is dropped.
pub(crate) struct Work(Driven);

impl Driven {
    /// One more piece of work. If there was none the loop is to be driven until what is given resolves.
    pub(crate) fn begin(&self) -> (Work, Option<oneshot::Receiver<()>>) {
        let mut state = self.0.lock();
        state.works += 1;
        let first = state.works == 1;
        let until = first.then(|| {
            let (until, ended) = oneshot::channel();
            state.until = Some(until);
            ended
        });
        (Work(self.clone()), until)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.works -= 1;
        // Under the lock: work that comes next finds none, and has the loop driven anew.
        if state.works == 0 {
            state.until = None;
        }
    }
}
