//! The types of a `Result`.

/// Names the types of a `Result`, also behind an alias. For `#[command]`'s expansion.
#[doc(hidden)]
pub trait ResultParts {
    /// The success type.
    type Ok;
    /// The error type.
    type Err;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}
