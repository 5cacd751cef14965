//! What hooks and handlers return.

use crate::{Error, Result};

/// What a hook or the handler of an event may return: nothing, or a `Result` of nothing.
pub trait HookOutput {
    /// Its result.
    ///
    /// # Errors
    ///
    /// Whatever it failed with.
    fn into_result(self) -> Result<()>;
}

impl HookOutput for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Error>> HookOutput for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Into::into)
    }
}
