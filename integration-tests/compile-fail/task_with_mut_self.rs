use pulsar::{AsyncObject, EventLoop, task};

#[derive(Clone)]
struct Client(EventLoop);

impl AsyncObject for Client {
    fn event_loop(&self) -> EventLoop {
        self.0.clone()
    }
}

impl Client {
    #[task]
    async fn get(&mut self, key: String) -> String {
        key
    }
}

fn main() {}
