//! Learns of exits by SIGCHLD.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::Brood;

/// How soon after exits that links have told of it is looked for others.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// While exits are learnt by the ends of links, one that nothing but the signal tells may be learnt so much later.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Begins to listen. To be called before the first child is made, so that no exit is missed.
///
/// # Errors
///
/// The system's, if the handler cannot be installed.
pub fn listen() -> io::Result<Signal> {
    signal(SignalKind::child())
}

/// Reaps for as long as the loop turns, and calls `died` when somebody has exited. One signal may stand for many exits: each
/// time all that have exited are reaped, at once or a moment later.
pub async fn watch(brood: &Brood, mut exits: Signal, died: impl Fn()) {
    let mut search = Search::default();
    let mut timer = pin!(sleep_until(Instant::now()));
    loop {
        let due = search.due();
        if let Some(due) = due.filter(|due| *due != timer.deadline()) {
            timer.as_mut().reset(due);
        }
        tokio::select! {
            came = exits.recv() => if came.is_none() {
                return;
            },
            () = &mut timer, if due.is_some() => {}
        }
        // Most exits are of those whose links have ended; that costs little for each.
        let mut any = brood.reap_ending();
        let pause = brood.is_crowded().then(|| brood.look_pause());
        if search.is_time(Instant::now(), any, pause) {
            any |= brood.reap();
        }
        if any {
            died();
        }
    }
}

/// When it is to be looked for any child that has exited: for those whose exits nothing but the signal tells.
#[derive(Default, Debug)]
struct Search(Option<Due>);

/// A look that is still to come.
#[derive(Debug)]
struct Due {
    at: Instant,
    /// When it was first due.
    since: Instant,
    /// Exits have been learnt since by the ends of links.
    learns: bool,
}

impl Search {
    fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|due| due.at)
    }

    /// Whether it is time to look, after a signal or when one is due; else one is due. `any`: exits were learnt just now by the
    /// ends of links. A crowd is looked at after a pause. Where many of it end at once, there always are some of whose
    /// links it is not learnt yet, so that the look is put off for as long as others are learnt.
    fn is_time(&mut self, now: Instant, any: bool, pause: Option<Duration>) -> bool {
        let waits = any || pause.is_some();
        match &mut self.0 {
            None if waits => {
                let at = now + pause.unwrap_or(SHORTEST_PAUSE);
                self.0 = Some(Due {
                    at,
                    since: now,
                    learns: false,
                });
                return false;
            }
            None => {}
            Some(due) => {
                due.learns |= any;
                if now < due.at && waits {
                    return false;
                }
                if let Some(pause) = pause
                    && due.learns
                    && now < due.since + LONGEST_PAUSE
                {
                    (due.at, due.learns) = (now + pause, false);
                    return false;
                }
            }
        }
        self.0 = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Option<Duration> = Some(Duration::from_millis(20));

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn few_children_are_looked_at_at_once_unless_their_links_tell() {
        let (mut search, now) = (Search::default(), Instant::now());
        assert!(search.is_time(now, false, None));
        assert_eq!(search.due(), None);
        assert!(!search.is_time(now, true, None));
        assert!(search.is_time(now + SHORTEST_PAUSE, false, None));
        assert_eq!(search.due(), None);
    }

    #[test]
    fn a_crowd_is_looked_at_after_a_pause() {
        let (mut search, now) = (Search::default(), Instant::now());
        assert!(!search.is_time(now, false, PAUSE));
        assert!(!search.is_time(now + ms(1), false, PAUSE));
        assert_eq!(search.due(), Some(now + ms(20)));
        assert!(search.is_time(now + ms(20), false, PAUSE));
    }

    #[test]
    fn a_look_at_a_crowd_is_put_off_while_links_tell_but_not_for_ever() {
        let (mut search, begun) = (Search::default(), Instant::now());
        let mut now = begun;
        while !search.is_time(now, true, PAUSE) {
            now = search.due().unwrap();
        }
        assert_eq!(now.duration_since(begun), ms(260));
        // Once they tell no more it is not put off.
        assert!(!search.is_time(now, true, PAUSE));
        assert!(!search.is_time(now + ms(20), true, PAUSE));
        assert!(search.is_time(now + ms(40), false, PAUSE));
    }
}
