use pulsar::prelude::*;

struct Greeter {
    greeting: String,
}

#[pulsar::actor]
impl Greeter {
    fn start(_cx: Context) -> Self {
        Self {
            greeting: "Hello".to_owned(),
        }
    }

    #[command]
    fn greeting(&self) -> Option<&str> {
        Some(&self.greeting)
    }
}

fn main() {}
