use pulsar::task;

#[derive(Clone)]
struct Client;

impl Client {
    #[task]
    async fn get(&self, key: String) -> String {
        key
    }
}

fn main() {}
