//! Chance that can be repeated (splitmix64), for the games that this crate's tests play with its portals.
//! Not for keys: whoever knows a seed knows everything that follows.

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// A number of bytes: often few, seldom more than anybody keeps.
    pub(crate) fn size(&mut self) -> usize {
        let most = [1, 100, 9_000, 70_000, 300_000][self.roll(5) as usize];
        self.roll(most) as usize + 1
    }
}
