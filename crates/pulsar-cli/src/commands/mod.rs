//! The commands, one a file.

mod info;
mod kill;
mod list;
mod ps;
mod scale;
mod send;
mod stop;

pub(crate) use info::Info;
pub(crate) use kill::Kill;
pub(crate) use list::Commands;
pub(crate) use ps::Ps;
pub(crate) use scale::Scale;
pub(crate) use send::Send;
pub(crate) use stop::Stop;
