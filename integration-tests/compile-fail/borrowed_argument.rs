use pulsar::prelude::*;

struct Greeter;

#[pulsar::actor]
impl Greeter {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn greet(&self, name: &str) -> String {
        format!("Hello {name}!")
    }
}

#[command]
fn greet(_cx: Context, name: &str) -> String {
    format!("Hello {name}!")
}

fn main() {}
