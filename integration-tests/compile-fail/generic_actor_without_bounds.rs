use pulsar::prelude::*;

struct Stack<T> {
    items: Vec<T>,
}

#[pulsar::actor]
impl<T> Stack<T> {
    fn start(_cx: Context) -> Self {
        Self { items: Vec::new() }
    }

    #[command]
    fn push(&mut self, item: T) {
        self.items.push(item);
    }
}

struct Holder<T> {
    held: Option<T>,
}

#[pulsar::actor(local)]
impl<T> Holder<T> {
    fn start(_cx: Context) -> Self {
        Self { held: None }
    }

    #[command]
    fn take(&mut self) -> Option<T> {
        self.held.take()
    }
}

fn main() {}
