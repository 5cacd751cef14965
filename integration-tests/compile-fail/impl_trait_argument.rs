use pulsar::prelude::*;

struct Greeter;

#[pulsar::actor]
impl Greeter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn greet(&self, name: impl Into<String>) -> String {
        format!("Hello {}!", name.into())
    }
}

#[command]
fn greet(_cx: Context, name: impl Into<String>) -> String {
    format!("Hello {}!", name.into())
}

fn main() {}
