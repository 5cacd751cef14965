//! HTTP servers and real clients in one process.

#![forbid(unsafe_code)]

mod draining;
mod http2;
mod serving;
mod support;
