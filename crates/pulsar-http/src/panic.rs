//! What becomes of a panic in a handler.

use std::any::Any;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use pulsar_core::panic_message;

/// Logs the panic of the handler of this request.
pub(crate) fn log(method: &Method, path: &str, payload: &(dyn Any + Send)) {
    tracing::error!(
        %method,
        path,
        panic = panic_message(payload),
        "a handler panicked; the request fails, the worker goes on"
    );
}

/// What the client gets instead of the answer: nothing that an attacker could use.
pub(crate) fn response() -> Response<Body> {
    let mut response = Response::new(Body::from("internal server error\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
