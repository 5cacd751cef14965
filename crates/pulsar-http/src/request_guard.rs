//! A request whose response has not ended yet.

use std::any::Any;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Method, Request, Version};

use crate::panic;
use crate::shared::Shared;

/// A request whose response has not ended yet: it lasts until this is dropped. It knows what was asked for, in case of a panic.
pub(crate) struct RequestGuard {
    connection: Arc<Shared>,
    method: Method,
    /// Its bytes are shared with the request.
    path: Option<PathAndQuery>,
}

impl RequestGuard {
    /// A request's header has come; it is counted.
    pub(crate) fn begin<B>(connection: &Arc<Shared>, request: &Request<B>) -> Self {
        let http2 = request.version() == Version::HTTP_2;
        connection.activity.begin(http2);
        connection.server.counters.count_request();
        Self {
            connection: Arc::clone(connection),
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
        }
    }

    pub(crate) fn connection(&self) -> &Shared {
        &self.connection
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Logs and counts a panic. The path without the query, which may hold what no log should.
    pub(crate) fn panicked(&self, payload: &(dyn Any + Send)) {
        let path = self.path.as_ref().map_or("", PathAndQuery::path);
        panic::log(&self.method, path, payload);
        self.connection.server.counters.count_panic();
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.connection.activity.end();
    }
}
