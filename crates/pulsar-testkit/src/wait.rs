//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// How often the condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits until `look` finds something, and gives it; `None` after `limit`. For conditions of
/// other processes, of which nothing tells.
pub fn wait_until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}
