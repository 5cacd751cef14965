use pulsar::prelude::*;

struct Receipt;

struct Shop;

#[pulsar::actor]
impl Shop {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn buy(&mut self, _item: String) -> Receipt {
        Receipt
    }
}

fn main() {}
