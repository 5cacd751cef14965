//! The commands, one a file.

mod info;
mod list;
mod ps;
mod send;
mod stop;

pub(crate) use info::Info;
pub(crate) use list::Commands;
pub(crate) use ps::Ps;
pub(crate) use send::Send;
pub(crate) use stop::Stop;
