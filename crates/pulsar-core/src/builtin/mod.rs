//! The built-in commands of this layer.
//!
//! * [`management`]: between actors and their managers: `notify`, `spawn`.
//! * [`steering`]: what is said to the arbiter of others, or of all: `halt`,
//!   `kill_actor`, `actors`.

mod management;
mod steering;

pub use management::{NotManaged, notify};
pub use steering::{KillError, actors, kill_actor};

pub(crate) use management::spawn;
pub(crate) use steering::halt;
