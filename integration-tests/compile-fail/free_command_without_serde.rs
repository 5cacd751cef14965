use pulsar::prelude::*;

struct Order {
    _item: String,
}

struct Receipt;

#[command]
fn buy(_cx: Context, order: Order) {
    drop(order);
}

#[command]
fn receipt(_cx: Context) -> Receipt {
    Receipt
}

fn main() {}
