//! The arbiter: it spawns, names and oversees all actors of a system.
//!
//! * [`Master`]: what only the arbiter's process has: child processes, places, the main loop.
//! * [`Registry`]: who lives where, under which name, and how to reach them.
//! * [`raise`]: from an order to an actor, and to its end: carries out what the policy decides.
//! * [`Kept`]: an actor that begins anew when it ends; [`Chance`]: what varies its waits.
//! * [`broker`]: shows children the ways to others, and tells them of their ends.
//! * [`listing`]: lists of actors, as of their last notifies.
//! * [`handle`]: the arbiter as programs see it.
//! * [`halting`]: the end of the whole server, with an exit code.
//! * [`ended`]: how it has ended, as `main` returns it.
//! * [`orphans`]: processes that actors have made and that outlive them.
//! * [`program`]: `main` under an arbiter, from start to exit code; [`start`]: where it has no `async`.
//! * [`signals`]: TERM, INT and QUIT, where the program leaves them to the arbiter.
//! * [`Nursery`]: what the arbiter does for monitors; [`steering`]: what others may tell those.
//! * [`spawning`]: orders that come from other actors.

mod broker;
mod chance;
mod ended;
mod halting;
mod handle;
mod kept;
mod listing;
mod master;
mod nursery;
pub(crate) mod orphans;
mod program;
mod raise;
mod shutdown;
mod signals;
mod spawning;
mod start;
mod steering;
mod tenure;

pub(crate) use broker::Pairs;
pub use chance::Chance;
pub use ended::Ended;
pub(crate) use halting::halt_by;
pub use halting::{HaltError, halt};
pub use handle::{Arbiter, arbiter};
pub(crate) use kept::Kept;
pub(crate) use listing::known_to;
pub(crate) use master::Master;
pub use nursery::{MonitorOrder, Nursery};
pub(crate) use orphans::Orphans;
pub(crate) use program::run_main;
pub use raise::Raised;
pub(crate) use raise::{Hooking, Order, enter, identity, raise};
pub(crate) use shutdown::{MARGIN, kill_one, stop_tasks};

pub use start::StartError;
pub use steering::{Keepers, MAX_WORKERS, Reach, ScaleError, Steering};
pub(crate) use tenure::{Tenure, spawn_error};

pub(crate) use spawning::{Request, Spawned, notified, spawn_for, spawn_from_child};
