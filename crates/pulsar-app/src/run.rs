//! From the command line to the exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pulsar_control::{Claim, ControlDirectory, InstanceName, Server, printable};
use pulsar_core::{Context, Error, LogConfig, Result, Spawn, arbiter, spawn};
use pulsar_monitor::{Escalation, MonitorHandle, Pool};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::command_line::{Parsed, parse, program_name};
use crate::operations::Operations;
use crate::signals::{Ending, Signals};
use crate::{Application, ConfigError, Preparation, Settings, Worker};

/// Exit code: bad usage, settings or environment.
const EXIT_USAGE: u8 = 2;
/// How long workers have that are to end fast.
const FAST_GRACE: Duration = Duration::from_secs(1);

/// Runs an application until it is asked to stop; the program's exit code.
///
/// It reads the command line and the environment, claims the control socket, prepares the
/// monitor, starts the workers, prints the application's lines once the first worker is ready,
/// and obeys signals: TERM stops gracefully; INT and QUIT, or a second TERM, fast.
///
/// 0: stopped as asked. 1: a failure while running; its reason is the last line on stderr.
/// 2: bad usage, settings or environment, in one line that names the setting.
pub async fn run<A: Application>(application: A) -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let program = program_name(&words);
    let (base, own) = match parse::<A::Settings>(words) {
        Ok(Parsed::Settings(base, own)) => (base, own),
        Ok(Parsed::Print(text)) => return print(&text),
        Err(error) => return refuse(&program, &error),
    };
    let service = match Service::prepare(application, base, own, &program) {
        Ok(service) => service,
        Err(error) => return refuse(&program, &error),
    };
    match service.serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&program, &error.one_line());
            ExitCode::FAILURE
        }
    }
}

/// The monitor has the application's name, and its workers that with a number of up to four
/// digits; checked here, where it is a mistake of the program, rather than in a worker's boot.
fn check_name(name: &str) -> Result<(), ConfigError> {
    match pulsar_core::is_name(&format!("{name}-1024")) {
        true => Ok(()),
        false => Err(ConfigError::new(
            format!("the application's name {name:?}"),
            "expected at most 59 ASCII letters, digits and -_.:",
        )),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(program: &str, error: &ConfigError) -> ExitCode {
    complain(program, &error.to_string());
    ExitCode::from(EXIT_USAGE)
}

/// An application whose settings and environment are in order.
struct Service<A: Application> {
    application: A,
    base: Settings,
    own: A::Settings,
    preparation: Preparation,
    claim: Claim,
    signals: Signals,
}

impl<A: Application> Service<A> {
    fn prepare(
        application: A,
        base: Settings,
        own: A::Settings,
        program: &str,
    ) -> Result<Self, ConfigError> {
        // Before anything is made that a signal should not leave behind.
        let signals = Signals::listen().map_err(|error| ConfigError::new("signals", error))?;
        arbiter().leave_signals();
        arbiter().log(LogConfig {
            filter: base.log_level.clone(),
        });
        check_name(application.name())?;
        application.on_config(&base, &own)?;
        let name = base.name.as_deref().unwrap_or(program);
        let name = InstanceName::new(name).map_err(ConfigError::line)?;
        let directory = ControlDirectory::for_current_user();
        let claim = directory.claim(&name).map_err(ConfigError::line)?;
        let mut preparation = Preparation::default();
        application.monitor_start(&own, &mut preparation)?;
        Ok(Self {
            application,
            base,
            own,
            preparation,
            claim,
            signals,
        })
    }

    async fn serve(mut self) -> Result<()> {
        let operations = Arc::new(Operations::new(self.claim.name().as_str()));
        let workers = Pool::new(self.application.name(), self.base.workers(), self.worker())
            // It is told below, and the exit code with it.
            .escalation(Escalation::Tell);
        let control_stop = CancellationToken::new();
        let control = Server::start(self.claim, operations, control_stop.clone())?;
        let pool = workers.start().await?;
        let announcements = std::mem::take(&mut self.preparation.announcements);
        let outcome = watch(&pool, &mut self.signals, announcements).await;
        self.application.monitor_stopping();
        // The monitor's own copy of a listener goes first: when the workers close theirs, new
        // connections are refused rather than left waiting for nobody.
        self.preparation.descriptors.clear();
        let ending = outcome.as_ref().copied().unwrap_or(Ending::Graceful);
        stop(&pool, ending, &mut self.signals).await;
        drop(self.preparation);
        control_stop.cancel();
        control.stopped().await;
        outcome.map(drop)
    }

    fn worker(&self) -> Spawn {
        let boot = WorkerBoot {
            application: self.application.clone(),
            base: self.base.clone(),
            own: self.own.clone(),
        };
        let mut worker = spawn()
            .placement(self.base.concurrency.into())
            .timeout(self.base.timeout())
            .exit_timeout(self.base.exit_timeout())
            .start(worker_start::<A>, boot);
        for (name, descriptor) in &self.preparation.descriptors {
            worker = worker.descriptor(name.clone(), Arc::clone(descriptor));
        }
        self.application.actor_params(worker)
    }
}

/// What a worker gets from its monitor.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct WorkerBoot<A: Application> {
    application: A,
    base: Settings,
    own: A::Settings,
}

/// The `start` hook of workers.
async fn worker_start<A: Application>(cx: Context, boot: WorkerBoot<A>) -> Result<()> {
    boot.base.declare(&cx)?;
    let worker = Worker::new(cx.clone(), boot.base, boot.own);
    boot.application.worker_start(worker.clone()).await?;
    let actor = cx.clone();
    cx.spawn(async move {
        actor.stop_asked().await;
        boot.application.worker_stopping(worker).await;
    });
    Ok(())
}

/// Watches over the pool until it is to end; how, or why it failed.
async fn watch(
    pool: &MonitorHandle,
    signals: &mut Signals,
    announcements: Vec<String>,
) -> Result<Ending> {
    let arbiter = arbiter();
    let ended = arbiter.ended(pool.proxy());
    tokio::pin!(ended);
    let mut announcements = Some(announcements);
    loop {
        tokio::select! {
            // First: a pool that gives up ends in order after it has said so.
            biased;
            Some(reason) = pool.gave_up() => return Err(failure(pool, &reason)),
            cause = &mut ended => return match cause {
                // Somebody has stopped the application by its name.
                Ok(cause) if cause.is_orderly() => Ok(Ending::Graceful),
                Ok(cause) => Err(Error::msg(format!("the monitor {cause}"))),
                Err(error) => Err(error.into()),
            },
            ending = signals.next() => return Ok(ending),
            () = arbiter.stop_asked() => return Ok(Ending::Graceful),
            true = pool.first_ready(), if announcements.is_some() => {
                announce(&announcements.take().unwrap_or_default());
            }
        }
    }
}

/// Says on stdout where the application is to be found. That nobody reads it any more ends
/// nothing.
fn announce(lines: &[String]) {
    let mut stdout = std::io::stdout().lock();
    let written = lines
        .iter()
        .try_for_each(|line| writeln!(stdout, "{}", printable(line)));
    if let Err(error) = written.and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "stdout cannot be written");
    }
}

fn failure(pool: &MonitorHandle, reason: &str) -> Error {
    match pool.status().last_failure {
        Some(cause) => Error::msg(format!("{reason}; the last worker {cause}")),
        None => Error::msg(reason),
    }
}

/// The last line: on stderr, where nobody may be reading; the exit code says it too.
fn complain(program: &str, problem: &str) {
    let _ = writeln!(std::io::stderr(), "{program}: {}", printable(problem));
}

/// Stops the pool. A further signal, or an ending that is fast from the start, leaves the
/// workers a second and then kills them.
async fn stop(pool: &MonitorHandle, ending: Ending, signals: &mut Signals) {
    let arbiter = arbiter();
    let stopping = arbiter.stop_actor(pool.proxy());
    tokio::pin!(stopping);
    if ending == Ending::Graceful {
        tokio::select! {
            _ = &mut stopping => return,
            _ = signals.next() => {}
        }
    }
    if tokio::time::timeout(FAST_GRACE, &mut stopping)
        .await
        .is_ok()
    {
        return;
    }
    // With all its workers. If it has ended meanwhile, that is what was wanted.
    let _ = arbiter.kill_actor(pool.proxy()).await;
    let _ = stopping.await;
}
