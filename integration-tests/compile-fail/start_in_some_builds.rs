use pulsar::prelude::*;

struct Sometimes;

#[pulsar::actor]
impl Sometimes {
    #[cfg(unix)]
    fn start(_cx: Context) -> Self {
        Self
    }
}

struct Seldom;

#[pulsar::actor]
impl Seldom {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[cfg(unix)]
    fn stopping(&mut self) {}
}

fn main() {}
