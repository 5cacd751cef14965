use pulsar::prelude::*;

struct Order {
    _item: String,
}

struct Shop;

#[pulsar::actor]
impl Shop {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn buy(&mut self, order: Order) {
        drop(order);
    }
}

fn main() {}
