//! The applications that are measured from outside: each a process of its own, under an arbiter.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context;
use pulsar::arbiter;

use super::{http, scale};
use crate::order::{Order, VARIABLE};

/// An application's process, as its measurer has it. Dropping it kills it.
pub(crate) struct Application {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Application {
    /// Starts it as an operator would, with these flags.
    pub(crate) fn start(order: &Order, contender: &str, flags: &[&str]) -> anyhow::Result<Self> {
        let order = Order {
            contender: contender.to_owned(),
            ..order.clone()
        };
        let mut process = Command::new("/proc/self/exe")
            .args(flags)
            .env(VARIABLE, serde_json::to_string(&order)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("no stdout")?;
        Ok(Self {
            process,
            stdout: BufReader::new(stdout),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints and that has `mark`: what stands behind.
    pub(crate) fn line_after(&mut self, mark: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        while self.stdout.read_line(&mut line)? > 0 {
            if let Some((_, text)) = line.split_once(mark) {
                return Ok(text.trim().to_owned());
            }
            line.clear();
        }
        anyhow::bail!("the application has ended and printed no {mark:?}")
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> anyhow::Result<()> {
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the application: {status}");
        Ok(())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In the application's process: runs it until it is told to stop. None if this is the name of no application.
pub(crate) fn serve(order: &Order) -> Option<anyhow::Result<()>> {
    let name = order.contender.as_str();
    [http::APPLICATION, scale::APPLICATION]
        .contains(&name)
        .then(|| run(order.clone()))
}

fn run(order: Order) -> anyhow::Result<()> {
    arbiter().at_start(move |_cx| async move {
        let code = match order.contender.as_str() {
            http::APPLICATION => http::run(&order).await,
            _ => scale::run(&order).await,
        };
        arbiter().stop();
        match code == std::process::ExitCode::SUCCESS {
            true => pulsar::Result::Ok(()),
            false => Err(pulsar::Error::msg("the application has failed")),
        }
    })?;
    let _ended = arbiter().start()?;
    Ok(())
}
