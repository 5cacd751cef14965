//! Memory that is handed to another process.

use pulsar::prelude::*;

use super::ask::counter;
use crate::order::{Order, Reading};
use crate::samples::Course;

pub(super) async fn read(order: &Order, bytes: usize) -> anyhow::Result<Reading> {
    let counter = counter(order).await?;
    let mut memory = SharedBytes::writer(bytes)?;
    (memory[0], memory[bytes - 1]) = (1, 2);
    let memory = memory.freeze()?;
    let mut course = Course::begin(order);
    while course.goes_on() {
        let sum = counter.ends(memory.clone()).await?;
        course.lap();
        anyhow::ensure!(sum == 3, "the ends add up to {sum}");
    }
    Ok(course.end().reading(""))
}
