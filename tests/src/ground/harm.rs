//! What a bad line does to the bytes of a packet: IPv4 as it comes out of a TUN device.
//! A turned bit is found by a checksum; words that change places leave the sum of the internet as it was.

use crate::chance::Chance;

/// IPv4's number of TCP.
const TCP: u8 = 6;

pub(super) fn turn_a_bit(packet: &mut [u8], chance: &mut Chance) {
    let place = chance.below(packet.len() as u64) as usize;
    if let Some(byte) = packet.get_mut(place) {
        *byte ^= 1 << chance.below(8);
    }
}

/// Two of the 16-bit words that TCP carries change places. Nothing happens to what carries less than two.
pub(super) fn swap_words(packet: &mut [u8], chance: &mut Chance) {
    let Some(payload) = tcp_payload(packet) else {
        return;
    };
    let words = (payload.len() / 2) as u64;
    if words < 2 {
        return;
    }
    let (one, other) = (chance.below(words) as usize, chance.below(words) as usize);
    for half in 0..2 {
        payload.swap(one * 2 + half, other * 2 + half);
    }
}

/// Header lengths are multiples of four bytes, so words of the payload are words of the sum.
fn tcp_payload(packet: &mut [u8]) -> Option<&mut [u8]> {
    let first = *packet.first()?;
    let internet = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || *packet.get(9)? != TCP {
        return None;
    }
    let transport = usize::from(*packet.get(internet + 12)? >> 4) * 4;
    packet.get_mut(internet + transport..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet = vec![0_u8; 20 + 20];
        (packet[0], packet[9], packet[32]) = (0x45, TCP, 0x50);
        packet.extend((0..=255).rev());
        packet
    }

    /// The ones' complement sum of TCP, without its pseudo-header, which no harm touches.
    fn sum(packet: &[u8]) -> u16 {
        let words = packet[20..].chunks(2);
        let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    #[test]
    fn words_that_change_places_are_noticed_by_no_checksum() {
        let (before, mut after) = (packet(), packet());

        swap_words(&mut after, &mut Chance::of(3));

        assert_ne!(after, before);
        assert_eq!(after[..40], before[..40]);
        assert_eq!(sum(&after), sum(&before));
    }

    #[test]
    fn a_turned_bit_is_one_bit() {
        let (before, mut after) = (packet(), packet());

        turn_a_bit(&mut after, &mut Chance::of(3));

        let turned: u32 = before
            .iter()
            .zip(&after)
            .map(|(one, other)| (one ^ other).count_ones())
            .sum();
        assert_eq!(turned, 1);
    }

    #[test]
    fn what_is_no_tcp_and_what_carries_nothing_stay_as_they_are() {
        for mut odd in [vec![], vec![0x60; 50], packet()[..41].to_vec()] {
            let before = odd.clone();
            swap_words(&mut odd, &mut Chance::of(3));
            assert_eq!(odd, before);
        }
    }
}
