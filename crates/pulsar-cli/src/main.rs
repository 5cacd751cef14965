//! `pulsar`: see and steer running arbiters.
//!
//! # Layout
//!
//! Each command is a file in `commands`, named as it is typed; the table below lists them. `session` is what
//! all of them share, `output` writes to stdout, `report` says what failed, `table` and `tree` lay out lists,
//! `outline` lays out objects.
#![forbid(unsafe_code)]

mod commands;
mod outline;
mod output;
mod report;
mod session;
mod table;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pulsar_control::InstanceName;

use crate::commands::{Commands, Info, Kill, Ps, Scale, Send, Stop};
use crate::session::Session;

/// See and steer running Pulsar arbiters.
#[derive(Debug, Parser)]
#[command(name = "pulsar", version, max_term_width = 100)]
struct Cli {
    /// The instance; without it the only one that runs.
    #[arg(long, global = true, env = "PULSAR_NAME")]
    name: Option<InstanceName>,

    /// Print JSON, failures too.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ps(Ps),
    Info(Info),
    Send(Send),
    Commands(Commands),
    Stop(Stop),
    Kill(Kill),
    Scale(Scale),
}

impl Command {
    async fn run(self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Ps(ps) => ps.run(session).await,
            Self::Info(info) => info.run(session).await,
            Self::Send(send) => send.run(session).await,
            Self::Commands(commands) => commands.run(session).await,
            Self::Stop(stop) => stop.run(session).await,
            Self::Kill(kill) => kill.run(session).await,
            Self::Scale(scale) => scale.run(session).await,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let session = Session::new(cli.name, cli.json);
    match run(cli.command, &session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::report(&error, cli.json),
    }
}

fn run(command: Command, session: &Session) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command.run(session))
}
