//! Settings of actors, as tools show and change them.

use serde::{Deserialize, Serialize};

use crate::Json;

/// A setting of an actor's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SettingInfo {
    /// Its name.
    pub name: String,
    /// Its value now.
    pub value: Json,
    /// Whether it can be set while the actor runs.
    pub changeable: bool,
    /// What it is for.
    pub doc: String,
}

/// Why a setting was not read or set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The actor has no setting of this name.
    #[error("the actor has no setting {name}; it has {}", .known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// It cannot be set while the actor runs.
    #[error(
        "the setting {name} is fixed when the actor is spawned: declare it changeable, or spawn the actor anew"
    )]
    Fixed {
        /// The name.
        name: String,
    },
    /// This is no value for it.
    #[error("no value for the setting {name}: {reason}")]
    Invalid {
        /// The name.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// It has been declared before.
    #[error("the setting {name} is declared already")]
    Taken {
        /// The name.
        name: String,
    },
    /// The actor has as many settings as it may have.
    #[error("an actor has at most {limit} settings")]
    Limit {
        /// The limit.
        limit: usize,
    },
}

/// Why a parameter was not given to an actor as it asks for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The actor was spawned without it.
    #[error("the actor was spawned without the parameter {name}: give it by `.param({name:?}, …)`")]
    Missing {
        /// Its name.
        name: String,
    },
    /// It has another type.
    #[error("the parameter {name}: {reason}")]
    Invalid {
        /// Its name.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
}
