//! A program two of whose commands have the same name: its arbiter does not start.
#![forbid(unsafe_code)]

use pulsar::Ended;
use pulsar::prelude::*;

mod one {
    use pulsar::prelude::*;

    #[command]
    pub(crate) fn greet(_cx: Context) {}
}

mod other {
    use pulsar::prelude::*;

    #[command]
    pub(crate) fn greet(_cx: Context) {}
}

#[pulsar::main]
fn main() -> Result<Ended> {
    let _ = (one::greet, other::greet);
    arbiter().at_start(|cx| async move { cx.stop() })?;
    Ok(arbiter().start()?)
}
