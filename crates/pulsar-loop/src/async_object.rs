//! Objects that live on an event loop.

use crate::EventLoop;

/// An object that does its work on one event loop, whoever calls it. Its methods return a
/// [`Task`](crate::Task); the attribute `#[task]` makes such a method of an `async fn`.
///
/// Objects are cheap handles: a method's task holds a clone.
pub trait AsyncObject {
    /// The loop on which the object works: the current actor's, or one of its own.
    fn event_loop(&self) -> EventLoop;
}

/// A loop is an object of itself.
impl AsyncObject for EventLoop {
    fn event_loop(&self) -> EventLoop {
        self.clone()
    }
}
