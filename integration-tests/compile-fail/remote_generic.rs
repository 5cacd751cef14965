//! A remote function that is generic.

use pulsar::prelude::*;

#[pulsar::remote]
async fn dosomething<T>(_cx: Context, _value: T) {}

fn main() {}
