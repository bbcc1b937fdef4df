//! Chance that is the same everywhere and for ever: the figures of the document come from it.

/// Splitmix64.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time that is forgotten as it passes, of this mean in seconds: nanoseconds.
    pub(super) fn exponential(&mut self, mean: f64) -> u64 {
        let fraction = f64::from(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX));
        let uniform = (fraction + 0.5) / 4_294_967_296.0;
        nanoseconds(-mean * uniform.ln())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a simulation, never negative"
)]
pub(super) fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
