//! The one source of chance: same seed and same calls, same accidents.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Seeded chance for sys_ids, tokens, shuffled answers and faults.
#[derive(Debug)]
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Another die whose throws follow from this one's.
    pub(crate) fn fork(&mut self) -> Self {
        Self(StdRng::seed_from_u64(self.0.random()))
    }

    /// A new key: 32 lower-case hex digits.
    pub(crate) fn sys_id(&mut self) -> String {
        format!("{:032x}", self.0.random::<u128>())
    }

    /// An opaque token of `len` letters and digits.
    pub(crate) fn token(&mut self, len: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..len)
            .map(|_| char::from(LETTERS[self.0.random_range(0..LETTERS.len())]))
            .collect()
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        self.0.random_range(0..=most)
    }

    /// True with probability `p` (0 never, 1 always).
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.0.random::<f64>() < p
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new(0)
    }
}
