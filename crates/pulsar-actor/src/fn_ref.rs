//! Functions that travel in arguments.

use std::marker::PhantomData;

use pulsar_sys::{CodeOffset, FnPointer};
use serde::{Deserialize, Serialize};

use crate::SpawnError;
use crate::remote_fn::hook_error;

/// A plain function that can be passed, in a hook's arguments, to an actor in another process of
/// the same program.
///
/// Only named functions and closures that capture nothing become function pointers; the type
/// system refuses others.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct FnRef<F> {
    offset: CodeOffset,
    function: PhantomData<fn() -> F>,
}

impl<F: FnPointer> FnRef<F> {
    /// A reference to `function`.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if it lies outside the program's own executable, as the functions of
    /// shared libraries do.
    pub fn new(function: F) -> Result<Self, SpawnError> {
        Ok(Self {
            offset: CodeOffset::of(function).map_err(hook_error)?,
            function: PhantomData,
        })
    }

    /// The function, in this process.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Hook`] if the reference was not made by this build of the program.
    pub fn get(&self) -> Result<F, SpawnError> {
        self.offset.resolve().map_err(hook_error)
    }
}

impl<F> Clone for FnRef<F> {
    fn clone(&self) -> Self {
        Self {
            offset: self.offset,
            function: PhantomData,
        }
    }
}

impl<F> std::fmt::Debug for FnRef<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FnRef({})", std::any::type_name::<F>())
    }
}
