use pulsar::prelude::*;

struct Stock {
    _items: Vec<String>,
}

struct Shop {
    _stock: Stock,
}

#[pulsar::actor]
impl Shop {
    fn start(_cx: Context, stock: Stock) -> Self {
        Self { _stock: stock }
    }
}

fn main() {}
