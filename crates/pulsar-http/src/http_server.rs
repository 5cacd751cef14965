//! `HttpServer`: an application whose workers serve HTTP.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use axum::body::Body;
use clap::Args;
use http::{Request, Response};
use pulsar_app::{Application, ConfigError, NoSettings, Preparation, Settings, Worker};
use pulsar_core::{Context, FnRef, Result, SpawnError};
use pulsar_net::{SocketSettings, inherited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower::Service;

use crate::{ServeOptions, serve};

/// An HTTP server whose workers run any tower service or axum router.
///
/// The factory builds the service, once in each worker, from the application's own settings `S`,
/// which the worker's boot record carries. The monitor binds the listeners once and all workers
/// share them. A stop drains: requests in flight are finished, new connections are refused.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use axum::{Router, routing::get};
/// use pulsar_app::Worker;
/// use pulsar_core::Result;
/// use pulsar_http::HttpServer;
///
/// async fn site(_worker: Worker) -> Result<Router> {
///     Ok(Router::new().route("/", get(|| async { "Hello World!" })))
/// }
///
/// // With #[pulsar::main]:
/// async fn main_() -> ExitCode {
///     HttpServer::new("hello", site).run().await
/// }
/// # fn main() {}
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct HttpServer<S, Fut> {
    name: String,
    factory: Result<Factory<S, Fut>, SpawnError>,
}

/// A function that builds the service, as it travels to the workers.
type Factory<S, Fut> = FnRef<fn(Worker<S>) -> Fut>;

impl<S, Fut, Svc> HttpServer<S, Fut>
where
    S: Args + Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Svc>> + Send + 'static,
    Svc: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    Svc: Clone + Send + 'static,
    Svc::Future: Send,
{
    /// A server of this name, whose workers serve what `factory` builds. `factory` is a plain
    /// function: a named one, or a closure that captures nothing.
    pub fn new(name: impl Into<String>, factory: fn(Worker<S>) -> Fut) -> Self {
        Self {
            name: name.into(),
            factory: FnRef::new(factory),
        }
    }

    /// Runs the server, as [`pulsar_app::run`] runs any application; the program's exit code.
    pub async fn run(self) -> ExitCode {
        pulsar_app::run(self).await
    }
}

impl<S, Fut> Clone for HttpServer<S, Fut> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            factory: self.factory.clone(),
        }
    }
}

impl<S, Fut> fmt::Debug for HttpServer<S, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpServer({:?})", self.name)
    }
}

/// The settings of an HTTP server: its sockets, and the application's own.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HttpSettings<S: Args = NoSettings> {
    /// The application's own.
    #[command(flatten)]
    pub own: S,
    /// Where to listen.
    #[command(flatten)]
    pub sockets: SocketSettings,
}

impl<S, Fut, Svc> Application for HttpServer<S, Fut>
where
    S: Args + Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Svc>> + Send + 'static,
    Svc: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    Svc: Clone + Send + 'static,
    Svc::Future: Send,
{
    type Settings = HttpSettings<S>;

    fn name(&self) -> &str {
        &self.name
    }

    fn on_config(&self, _: &Settings, _: &HttpSettings<S>) -> Result<(), ConfigError> {
        match &self.factory {
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigError::new("the factory", error)),
        }
    }

    fn monitor_start(
        &self,
        settings: &HttpSettings<S>,
        preparation: &mut Preparation,
    ) -> Result<(), ConfigError> {
        settings.sockets.listen(&self.name, "http", preparation)
    }

    async fn worker_start(&self, worker: Worker<HttpSettings<S>>) -> Result<()> {
        let factory = self.factory.clone()?.get()?;
        let service = factory(worker.with_settings(worker.settings().own.clone())).await?;
        let cx = worker.context().clone();
        let options = ServeOptions::default();
        let counters = Arc::clone(&options.counters);
        let serving = serve(
            inherited(&cx)?,
            service,
            options,
            cx.stop_token(),
            cx.drain_timeout(),
        );
        let guard = StopOnEnd(cx.clone());
        cx.spawn(async move {
            let guard = guard;
            match serving.await {
                Ok(drained) if drained.cut > 0 => {
                    tracing::warn!(
                        cut = drained.cut,
                        "connections were cut at the drain timeout"
                    );
                }
                Ok(_) => tracing::debug!(?counters, "drained"),
                Err(error) => tracing::error!(%error, "serving failed: the worker stops"),
            }
            drop(guard);
        });
        Ok(())
    }
}

/// Stops the worker when its server has ended, however that came: a worker that serves nothing
/// shall not pass for a ready one.
struct StopOnEnd(Context);

impl Drop for StopOnEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}
