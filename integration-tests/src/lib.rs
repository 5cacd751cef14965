//! Tests with real processes, real signals and real sockets. They stand in `tests/`.
#![forbid(unsafe_code)]
