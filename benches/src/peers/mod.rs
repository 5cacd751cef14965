//! Those we are measured beside. `mod built_in` are crates; the others are programs, used where they are installed, or
//! need nothing but tokio.

#[cfg(feature = "peers")]
mod actix;
#[cfg(feature = "peers")]
mod actix_web;
mod axum;
mod erlang;
#[cfg(feature = "peers")]
mod iceoryx2;
#[cfg(feature = "peers")]
mod ipc_channel;
#[cfg(feature = "peers")]
mod kameo;
mod nats;
mod nginx;
mod program;
mod python;
#[cfg(feature = "peers")]
mod ractor;
mod redis;
mod reexec;
mod tokio_socket;

use crate::floor::{Kind, memory, spawn_one_by_one};
use crate::order::{Order, Reading, Work, absent};

/// Does a piece of work; what was measured.
pub(crate) fn read(peer: &str, order: &Order) -> anyhow::Result<Reading> {
    match peer {
        "tokio_socket" => tokio_socket::read(order),
        "axum" => axum::read(order),
        "fork_bare" => match order.work {
            Work::ProcessMemory(processes) => memory(processes, Kind::Bare),
            _ => spawn_one_by_one(order, Kind::Bare),
        },
        "reexec" => reexec::read(order),
        "erlang" => erlang::read(order),
        "nats" => nats::read(order),
        "nginx" => nginx::read(order),
        "python" => python::read(order),
        "redis" => redis::read(order),
        peer => built_in(peer, order),
    }
}

#[cfg(feature = "peers")]
fn built_in(peer: &str, order: &Order) -> anyhow::Result<Reading> {
    match peer {
        "actix" => actix::read(order),
        "actix_web" => actix_web::read(order),
        "iceoryx2" => iceoryx2::read(order),
        "ipc_channel" => ipc_channel::read(order),
        "kameo" => crate::local::on_tokio::<kameo::Counter>(order),
        "ractor" => crate::local::on_tokio::<ractor::Counter>(order),
        peer => Err(absent(format!("nobody is called {peer}"))),
    }
}

#[cfg(not(feature = "peers"))]
fn built_in(_peer: &str, _order: &Order) -> anyhow::Result<Reading> {
    Err(absent("this program is built without the feature peers"))
}

/// In the process of a server that a peer's contender measures: serves. None if this is the name of no such server.
pub(crate) fn serve(order: &Order) -> Option<anyhow::Result<()>> {
    (order.contender == reexec::CHILD).then(reexec::live)
}
