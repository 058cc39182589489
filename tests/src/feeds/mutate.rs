//! Makes documents wrong.

use crate::random::Random;

/// No mutation makes a body longer.
const LONGEST: usize = 64 << 10;

/// What some reader somewhere stumbled over.
const PIECES: [&[u8]; 46] = [
    b"\0",
    b"\0\0\0\0",
    b"\r",
    b"\r\n\r\n",
    b"\n",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1f\x8b",
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "e\u{301}\u{1f3f4}".as_bytes(),
    "٣".as_bytes(),
    b"18446744073709551616",
    b"4294967296",
    b"65536",
    b"-1",
    b"1e999",
    b"0x7f",
    b"010",
    b"::ffff:192.0.2.1",
    b"fe80::1%eth0",
    b"0.0.0.0/0",
    b"::/0",
    b"0.0.0.1-255.255.255.254",
    b"1::1-f::e",
    b"/33",
    b":0",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"# END 99999999999999999999 entries\n",
    b"# Entries : 9 subnets,\n",
    b"<!--",
    b"-->",
    b" nomatch",
    b" OR ",
    b" AND ",
    b"null",
    b"{}",
];

const SWAPS: [(u8, u8); 10] = [
    (b',', b';'),
    (b',', b'\t'),
    (b'"', b'\''),
    (b'\'', b'"'),
    (b':', b'|'),
    (b'.', b','),
    (b'\n', b'\r'),
    (b' ', b'\t'),
    (b'[', b'('),
    (b'{', b'['),
];

const NESTS: [(&str, &str); 6] = [
    ("[", "]"),
    ("(", ")"),
    ("{\"a\":", "}"),
    ("{\"response\":[", "]}"),
    ("<srv>", "</srv>"),
    ("\"", "\""),
];

/// Changes `body` a few times. `other` is another document, whose parts may be spliced in.
pub fn mutate(body: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=random.below(4) {
        once(&mut body, other, random);
        body.truncate(LONGEST);
    }
    body
}

fn once(body: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    match random.below(14) {
        0 => flip(body, random),
        1 | 2 => put(body, random.pick(&PIECES), random),
        3 => body.truncate(random.below(body.len() + 1)),
        4 => {
            let part = part(body, random);
            body.drain(part);
        }
        5 => repeat(body, random),
        6 => {
            let spliced = other[part(other, random)].to_vec();
            put(body, &spliced, random);
        }
        7 => swap(body, random),
        8 => nest(body, random),
        9 => {
            let moved: Vec<u8> = body.drain(part(body, random)).collect();
            put(body, &moved, random);
        }
        10 => digits(body, random),
        11 => long(body, random),
        12 => encode(body, random),
        _ => lines(body, random),
    }
}

/// A short part most of the time.
fn part(body: &[u8], random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(body.len() + 1);
    let most = if random.percent(70) { 40 } else { body.len() };
    let end = start + random.below(most.min(body.len() - start) + 1);
    start..end
}

fn flip(body: &mut [u8], random: &mut Random) {
    if body.is_empty() {
        return;
    }
    for _ in 0..=random.below(3) {
        let at = random.below(body.len());
        body[at] = match random.percent(50) {
            true => body[at] ^ (1 << random.below(8)),
            false => random.byte(),
        };
    }
}

fn put(body: &mut Vec<u8>, piece: &[u8], random: &mut Random) {
    let at = match random.below(10) {
        0 => 0,
        1 => body.len(),
        _ => random.below(body.len() + 1),
    };
    body.splice(at..at, piece.iter().copied());
}

fn repeat(body: &mut Vec<u8>, random: &mut Random) {
    let part = part(body, random);
    let (end, piece) = (part.end, body[part].to_vec());
    let times = 1 << random.below(12);
    let room = LONGEST.saturating_sub(body.len()) / piece.len().max(1);
    body.splice(end..end, piece.repeat(room.min(times)));
}

fn swap(body: &mut [u8], random: &mut Random) {
    let (from, to) = random.pick(&SWAPS);
    let some = random.percent(30);
    for byte in body.iter_mut().filter(|byte| **byte == from) {
        if !some || random.percent(20) {
            *byte = to;
        }
    }
}

fn nest(body: &mut Vec<u8>, random: &mut Random) {
    let (open, close) = random.pick(&NESTS);
    let depth = 1 << random.below(11);
    let part = part(body, random);
    let closed = if random.percent(80) { depth } else { 0 };
    body.splice(part.end..part.end, close.repeat(closed).into_bytes());
    body.splice(part.start..part.start, open.repeat(depth).into_bytes());
}

/// One number becomes another.
fn digits(body: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(body.len() + 1);
    let Some(start) = body[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let digits = body[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    let number = random.pick(&["0", "00", "256", "65536", "4294967296", "-1", "9", "1.5"]);
    body.splice(start..end, number.bytes());
}

/// Longer than any line or pattern may be.
fn long(body: &mut Vec<u8>, random: &mut Random) {
    let piece = random.pick(&[" ", "\t", "0", "x", ".", ":", "\"", "("]);
    let count = random.pick(&[130, 4_097, 5_000, 33_000]);
    put(body, piece.repeat(count).as_bytes(), random);
}

fn encode(body: &mut Vec<u8>, random: &mut Random) {
    let text = String::from_utf8_lossy(body).into_owned();
    let units = text.encode_utf16();
    *body = match random.below(4) {
        0 => [0xff, 0xfe]
            .into_iter()
            .chain(units.flat_map(u16::to_le_bytes))
            .collect(),
        1 => [0xfe, 0xff]
            .into_iter()
            .chain(units.flat_map(u16::to_be_bytes))
            .collect(),
        2 => [b"\xef\xbb\xbf".as_slice(), body].concat(),
        _ => text.to_uppercase().into_bytes(),
    };
}

/// Whole lines, which are what most formats are made of.
fn lines(body: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    let [one, other] = [0; 2].map(|_: usize| random.below(lines.len()));
    match random.below(3) {
        0 => lines.swap(one, other),
        1 => lines.insert(one, lines[other]),
        _ => drop(lines.remove(one)),
    }
    let end: &[u8] = if random.percent(30) { b"\r\n" } else { b"\n" };
    *body = lines.join(end);
}
