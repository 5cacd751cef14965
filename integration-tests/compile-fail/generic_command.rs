use pulsar::prelude::*;

struct Keeper;

#[pulsar::actor]
impl Keeper {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn keep<T: Send>(&mut self, thing: T) {
        drop(thing);
    }
}

#[command]
fn keep<T: Send>(_cx: Context, thing: T) {
    drop(thing);
}

fn main() {}
