//! Chance that can be repeated: the same seed gives the same numbers, whatever the machine.
//! SplitMix64: small, and good enough to lose packets and to pick faults; never for a secret.

pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1, without the 1.
    pub fn part(&mut self) -> f64 {
        ((self.number() >> 11) as f64) / ((1_u64 << 53) as f64)
    }

    /// From 0 to `sides`, without `sides`; 0 where there are none.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.number() % sides.max(1)
    }

    /// From `low` to `high`, without `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// Whether something happens that does so with this probability. Nothing is drawn for what never does.
    pub fn strikes(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.part() < probability
    }
}
