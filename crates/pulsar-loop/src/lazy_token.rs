//! A cancellation token that most never wait for.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// A cancellation token that takes its memory when somebody first waits for it.
#[derive(Default, Debug)]
pub struct LazyToken {
    made: OnceLock<CancellationToken>,
    is_cancelled: AtomicBool,
}

impl LazyToken {
    /// The token, from now on.
    pub fn token(&self) -> &CancellationToken {
        let token = self.made.get_or_init(CancellationToken::new);
        // Whoever cancels sets this before it looks for the token: it finds that, or this finds it set.
        if self.is_cancelled() {
            token.cancel();
        }
        token
    }

    /// Cancels it. Only ever once in effect.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
        if let Some(token) = self.made.get() {
            token.cancel();
        }
    }

    /// True once it is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    /// Waits until it is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it takes nothing.
    pub async fn cancelled(&self) {
        if !self.is_cancelled() {
            self.token().cancelled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_waits_before_and_who_comes_after_learns_it() {
        let token = LazyToken::default();
        let mut before = Box::pin(token.cancelled());
        assert!((&mut before).now_or_never().is_none());
        assert!(!token.is_cancelled());
        token.cancel();
        assert!(before.now_or_never().is_some());
        assert!(token.cancelled().now_or_never().is_some());
        let unwaited = LazyToken::default();
        unwaited.cancel();
        assert!(unwaited.is_cancelled() && unwaited.made.get().is_none());
        assert!(unwaited.token().is_cancelled());
    }

    #[test]
    fn no_end_comes_between_the_making_and_the_look() {
        for _ in 0..2_000 {
            let token = LazyToken::default();
            std::thread::scope(|scope| {
                scope.spawn(|| token.cancel());
                token.token();
            });
            assert!(token.token().is_cancelled());
            assert!(
                token
                    .made
                    .get()
                    .is_some_and(CancellationToken::is_cancelled)
            );
        }
    }
}
