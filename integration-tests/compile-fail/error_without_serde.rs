use pulsar::prelude::*;

#[derive(Debug)]
struct SoldOut;

struct Shop;

#[pulsar::actor]
impl Shop {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn buy(&mut self, item: String) -> Result<String, SoldOut> {
        Ok(item)
    }
}

fn main() {}
