//! Frames with a few bytes changed.

use crate::random::Random;

/// Headers stand in the first bytes of a frame.
const HEADERS: usize = 140;

/// Values that decide on something.
const BYTES: [u8; 16] = [
    0, 1, 4, 6, 17, 41, 44, 47, 50, 51, 58, 60, 0x45, 0x46, 0x60, 0xff,
];
const WORDS: [u16; 16] = [
    0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x8864, 0x6558, 4789, 8472, 6081, 2152, 443,
    0x0021, 0x0057, 0x0281,
];

/// `frame` with up to three changes, or cut, or with bytes put in or taken out.
pub(super) fn mutated(frame: &[u8], random: &mut Random) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame.is_empty() {
        return frame;
    }
    for _ in 0..=random.below(3) {
        change(&mut frame, random);
    }
    match random.below(20) {
        0..2 => frame.truncate(random.below(frame.len() + 1)),
        2 => {
            let at = random.below(frame.len());
            let count = random.pick(&[1, 2, 4, 8]);
            frame.splice(at..at, vec![random.byte(); count]);
        }
        3 => {
            let at = random.below(frame.len());
            let end = frame.len().min(at + random.pick(&[1, 2, 4, 8]));
            frame.drain(at..end);
        }
        _ => {}
    }
    frame
}

fn change(frame: &mut [u8], random: &mut Random) {
    let at = random.below(frame.len().min(HEADERS));
    match random.below(4) {
        0 => frame[at] = random.byte(),
        1 => frame[at] ^= 1 << random.below(8),
        2 => frame[at] = random.pick(&BYTES),
        _ => {
            let word = random.pick(&WORDS).to_be_bytes();
            for (place, byte) in frame[at..].iter_mut().zip(word) {
                *place = byte;
            }
        }
    }
}
