//! Changes an input a little.

/// Numbers that are near to a limit somewhere.
const NUMBERS: [u32; 10] = [
    0,
    1,
    28,
    31,
    255,
    0xffff,
    (16 << 20) - 4,
    16 << 20,
    i32::MAX as u32,
    u32::MAX,
];
/// No input grows beyond this.
const MAX_BYTES: usize = 16 << 10;
/// Changes of one input, at most.
const MAX_CHANGES: u64 = 4;

/// Makes inputs of others. The same seed makes the same.
#[derive(Clone, Debug)]
pub struct Mutation {
    state: u64,
}

impl Mutation {
    /// From this seed on.
    pub const fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One of `inputs`, changed.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.draw() % MAX_CHANGES {
            self.change(&mut input, inputs);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(input.len());
        match self.draw() % 8 {
            0 => input.truncate(at),
            1 => input.insert(at, self.draw().to_le_bytes()[0]),
            2 => {
                let (from, to) = (at, self.below(input.len()));
                input.drain(from.min(to)..from.max(to));
            }
            3 => self.write_number(input, at),
            4 => {
                let piece = input[..at].to_vec();
                input.extend(piece);
            }
            5 => {
                let other = &others[self.below(others.len())];
                let piece = &other[self.below(other.len())..];
                input.truncate(at);
                input.extend(piece);
            }
            6 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.draw().to_le_bytes()[0];
                }
            }
        }
    }

    fn write_number(&mut self, input: &mut [u8], at: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())].to_le_bytes();
        for (byte, new) in input[at..].iter_mut().zip(number) {
            *byte = new;
        }
    }

    /// A number below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        let draw = self.draw() % (end as u64).max(1);
        draw as usize
    }

    /// The next number: splitmix64, which is short and good enough for this.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_makes_others() {
        let inputs = [b"one".to_vec(), b"another".to_vec(), Vec::new()];
        let made = |seed| {
            let mut mutation = Mutation::from_seed(seed);
            (0..100).map(|_| mutation.of(&inputs)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }
}
