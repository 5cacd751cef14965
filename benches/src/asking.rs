//! How a contender is asked, one ask after the other.

use std::time::Duration;

use crate::message::check;
use crate::order::{Order, Reading};
use crate::samples::Course;

/// The silence before a cold ask: it ends all polling, and both sides sleep.
pub(crate) const SILENCE: Duration = Duration::from_millis(1);

/// Asks with the numbers from zero on, each after a silence, if there is to be any, which is not measured. `ask` gives the
/// other side's total, which is checked at the end.
///
/// # Errors
/// The first of `ask`; a wrong total.
pub(crate) fn one_by_one(
    order: &Order,
    silence: Option<Duration>,
    mut ask: impl FnMut(u64) -> anyhow::Result<u64>,
) -> anyhow::Result<Reading> {
    let (mut number, mut total) = (0, 0);
    let mut course = Course::begin(order);
    while course.goes_on() {
        if let Some(silence) = silence {
            std::thread::sleep(silence);
            course.skip();
        }
        total = ask(number)?;
        number += 1;
        course.lap();
    }
    check(total, number, order.payload)?;
    Ok(course.end().reading(""))
}
