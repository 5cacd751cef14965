//! Who sits where and who has forks: decisions alone, without waiting.

use std::fmt;

use pulsar::prelude::Aid;
use serde::{Deserialize, Serialize};

/// The seats around a table, with one fork between each two.
///
/// A guest is given both forks or none, so nobody holds one and waits for the other: no deadlock.
/// A guest who waits goes before a neighbour who has asked later. So while one waits, each
/// neighbour begins at most one more meal: nobody starves.
#[derive(Debug, Default)]
pub(crate) struct Seating {
    seats: Vec<Seat>,
    /// The seats there are, taken or not; 0 until the first guest has come.
    laid: usize,
    /// The number of the next guest who sits down or asks: it tells who was first.
    next: u64,
}

#[derive(Debug)]
struct Seat {
    guest: Aid,
    /// When the guest sat down: it tells one life of theirs from the next.
    since: u64,
    doing: Doing,
    tally: Tally,
}

/// What a guest is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    /// They have died; another life of theirs may come.
    Away,
    Thinking,
    Waiting {
        since: u64,
    },
    Eating,
}

/// What a guest has done so far, over all their lives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) name: String,
    pub(crate) eaten: u32,
    /// How often the forks were not there at once.
    pub(crate) waited: u32,
    pub(crate) eats: bool,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            eaten,
            waited,
            ..
        } = self;
        write!(f, "{name} ate {eaten} times, waited {waited} times")
    }
}

/// Why the table does not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum Refusal {
    #[error("all seats at the table are taken")]
    Full,
    #[error("only who sits at the table is given forks: sit down first")]
    Stranger,
}

impl Seating {
    /// Seats a guest at a table for so many, which the first guest decides. One who comes again
    /// has the same seat and tally as before, and no forks.
    pub(crate) fn sit(
        &mut self,
        guest: Aid,
        name: String,
        seats: usize,
    ) -> Result<(u64, Tally), Refusal> {
        if self.laid == 0 {
            self.laid = seats;
        }
        let since = self.number();
        let at = match self.find(guest) {
            Ok(at) => at,
            Err(_) => self.take_seat(guest, name)?,
        };
        self.seats[at].since = since;
        self.release(at, Doing::Thinking);
        Ok((since, self.seats[at].tally()))
    }

    /// A guest wants to eat: forks are theirs now, or as soon as it is their turn. To ask again
    /// changes nothing.
    pub(crate) fn ask(&mut self, guest: Aid) -> Result<(), Refusal> {
        let at = self.find(guest)?;
        if self.seats[at].doing != Doing::Thinking {
            return Ok(());
        }
        let since = self.number();
        self.seats[at].doing = Doing::Waiting { since };
        self.serve(at);
        if self.seats[at].doing != Doing::Eating {
            self.seats[at].tally.waited += 1;
        }
        Ok(())
    }

    /// A guest has eaten. Without forks nothing changes.
    pub(crate) fn put_back(&mut self, guest: Aid) -> Result<Tally, Refusal> {
        let at = self.find(guest)?;
        if self.seats[at].doing == Doing::Eating {
            self.seats[at].tally.eaten += 1;
            self.release(at, Doing::Thinking);
        }
        Ok(self.seats[at].tally())
    }

    /// A guest's life has ended, and with it what they were at. Nothing changes if they have sat
    /// down again since.
    pub(crate) fn leave(&mut self, guest: Aid, since: u64) {
        match self.find(guest) {
            Ok(at) if self.seats[at].since == since => self.release(at, Doing::Away),
            _ => {}
        }
    }

    pub(crate) fn tally(&self, guest: Aid) -> Result<Tally, Refusal> {
        self.find(guest).map(|at| self.seats[at].tally())
    }

    pub(crate) fn waits(&self, guest: Aid) -> bool {
        let at = self.find(guest);
        at.is_ok_and(|at| matches!(self.seats[at].doing, Doing::Waiting { .. }))
    }

    /// What each guest has done, around the table.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.seats.iter().map(Seat::tally).collect()
    }

    /// True once all seats are taken and each guest has eaten so often.
    pub(crate) fn all_have_eaten(&self, meals: u32) -> bool {
        let full = self.seats.iter().filter(|seat| seat.tally.eaten >= meals);
        self.laid > 0 && full.count() == self.laid
    }

    fn find(&self, guest: Aid) -> Result<usize, Refusal> {
        let at = self.seats.iter().position(|seat| seat.guest == guest);
        at.ok_or(Refusal::Stranger)
    }

    /// Gives a new guest the next free seat.
    fn take_seat(&mut self, guest: Aid, name: String) -> Result<usize, Refusal> {
        if self.seats.len() == self.laid {
            return Err(Refusal::Full);
        }
        self.seats.push(Seat {
            guest,
            since: self.next,
            doing: Doing::Away,
            tally: Tally {
                name,
                eaten: 0,
                waited: 0,
                eats: false,
            },
        });
        Ok(self.seats.len() - 1)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whoever sits here has no forks any more, nor a turn: the neighbours' may have come.
    fn release(&mut self, at: usize, doing: Doing) {
        self.seats[at].doing = doing;
        for neighbour in self.beside(at) {
            self.serve(neighbour);
        }
    }

    /// Gives forks to whoever sits here, if they wait and it is their turn.
    fn serve(&mut self, at: usize) {
        let Some(Doing::Waiting { since }) = self.seats.get(at).map(|seat| seat.doing) else {
            return;
        };
        let held_back = self.beside(at).into_iter().any(|neighbour| {
            match self.seats.get(neighbour).map(|seat| seat.doing) {
                Some(Doing::Eating) => true,
                Some(Doing::Waiting { since: theirs }) => theirs < since,
                Some(Doing::Thinking | Doing::Away) | None => false,
            }
        });
        if !held_back {
            self.seats[at].doing = Doing::Eating;
        }
    }

    /// The seats to the left and to the right; at a table for two, the same one twice.
    fn beside(&self, at: usize) -> [usize; 2] {
        [(at + self.laid - 1) % self.laid, (at + 1) % self.laid]
    }
}

impl Seat {
    fn tally(&self) -> Tally {
        Tally {
            eats: self.doing == Doing::Eating,
            ..self.tally.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(number: usize) -> Aid {
        format!("b7k3m9q2-{number}").parse().unwrap()
    }

    fn seated(guests: usize) -> Seating {
        let mut seating = Seating::default();
        for number in 0..guests {
            seating
                .sit(guest(number), format!("guest-{number}"), guests)
                .unwrap();
        }
        seating
    }

    fn eats(seating: &Seating, number: usize) -> bool {
        seating.tally(guest(number)).unwrap().eats
    }

    /// Numbers that look random, the same for the same seed.
    struct Dice(u64);

    impl Dice {
        fn throw(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % sides as u64).unwrap()
        }
    }

    /// A dinner at which guests do what the dice say, and some die.
    fn dine(guests: usize, seed: u64) {
        let (mut dice, mut seating) = (Dice(seed), seated(guests));
        let mut overtaken = vec![[0; 2]; guests];
        for _ in 0..1000 {
            let before = seating.tallies();
            let number = dice.throw(guests);
            match seating.seats[number].doing {
                Doing::Thinking => {
                    overtaken[number] = [0; 2];
                    seating.ask(guest(number)).unwrap();
                }
                Doing::Eating if dice.throw(10) > 0 => {
                    seating.put_back(guest(number)).unwrap();
                }
                Doing::Waiting { .. } if dice.throw(10) > 0 => {}
                Doing::Away => {
                    seating.sit(guest(number), String::new(), guests).unwrap();
                }
                Doing::Eating | Doing::Waiting { .. } => {
                    seating.leave(guest(number), seating.seats[number].since);
                }
            }
            check(&seating, &before, &mut overtaken);
        }
    }

    fn check(seating: &Seating, before: &[Tally], overtaken: &mut [[u32; 2]]) {
        let guests = before.len();
        let now = seating.tallies();
        for number in 0..guests {
            let beside = seating.beside(number);
            let waits = seating.waits(guest(number));
            for (side, neighbour) in beside.into_iter().enumerate() {
                assert!(!(now[number].eats && now[neighbour].eats), "{seating:?}");
                let begins = now[neighbour].eats && !before[neighbour].eats;
                overtaken[number][side] += u32::from(waits && begins);
                assert!(overtaken[number][side] <= 1, "{seating:?}");
            }
        }
        let any_waits = (0..guests).any(|number| seating.waits(guest(number)));
        assert!(
            !any_waits || now.iter().any(|tally| tally.eats),
            "{seating:?}"
        );
    }

    #[test]
    fn neighbours_never_eat_together_and_whoever_waits_is_overtaken_once_at_most() {
        for guests in 2..8 {
            for seed in 1..20 {
                dine(guests, seed);
            }
        }
    }

    #[test]
    fn forks_of_a_guest_who_dies_go_to_those_who_wait() {
        let mut seating = seated(3);
        for number in 0..3 {
            seating.ask(guest(number)).unwrap();
        }
        assert!(eats(&seating, 0) && seating.waits(guest(1)) && seating.waits(guest(2)));
        seating.leave(guest(0), seating.seats[0].since);
        assert!(!eats(&seating, 0) && eats(&seating, 1) && seating.waits(guest(2)));
    }

    #[test]
    fn a_guest_who_comes_again_keeps_the_tally_and_has_no_forks() {
        let mut seating = seated(2);
        let first = seating.seats[0].since;
        seating.ask(guest(0)).unwrap();
        seating.put_back(guest(0)).unwrap();
        seating.ask(guest(0)).unwrap();
        let (_, tally) = seating.sit(guest(0), String::new(), 2).unwrap();
        assert_eq!((tally.eaten, tally.eats), (1, false));
        // What is told late of the life before takes nothing from this one.
        seating.ask(guest(0)).unwrap();
        seating.leave(guest(0), first);
        assert!(eats(&seating, 0));
    }

    #[test]
    fn all_have_eaten_only_when_all_seats_are_taken() {
        let mut seating = Seating::default();
        seating.sit(guest(0), String::new(), 2).unwrap();
        seating.ask(guest(0)).unwrap();
        seating.put_back(guest(0)).unwrap();
        assert!(!seating.all_have_eaten(1));
        seating.sit(guest(1), String::new(), 2).unwrap();
        assert!(!seating.all_have_eaten(1));
        seating.ask(guest(1)).unwrap();
        seating.put_back(guest(1)).unwrap();
        assert!(seating.all_have_eaten(1) && !seating.all_have_eaten(2));
    }

    #[test]
    fn a_stranger_gets_no_forks_and_at_a_full_table_no_seat() {
        let mut seating = seated(2);
        assert_eq!(seating.ask(guest(7)), Err(Refusal::Stranger));
        let late = seating.sit(guest(7), String::new(), 3);
        assert_eq!(late, Err(Refusal::Full));
    }
}
