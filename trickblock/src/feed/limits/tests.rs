use std::io::{Cursor, Write, repeat};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn small() -> Caps {
    Caps {
        compressed: 2_000,
        decoded: 10_000,
        ratio: 10,
        ratio_floor: 1_000,
        line: 100,
        wall_clock: Duration::from_secs(5),
        floor: None,
    }
}

/// Counts what was asked of an endless stream, to prove that it was left early.
struct Endless<'a> {
    block: &'a [u8],
    taken: &'a Cell<usize>,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.block.len());
        buffer[..count].copy_from_slice(&self.block[..count]);
        self.taken.set(self.taken.get() + count);
        Ok(count)
    }
}

#[test]
fn plain_and_gzip_bodies_come_out_the_same() {
    let text = b"192.0.2.1\n192.0.2.2\n";

    let plain = read_capped(&text[..], &small(), false).unwrap();
    let by_magic = read_capped(gzip(text).as_slice(), &small(), false).unwrap();
    let by_header = read_capped(gzip(text).as_slice(), &small(), true).unwrap();

    assert_eq!(plain, &text[..]);
    assert_eq!(by_magic, plain);
    assert_eq!(by_header, plain);
}

#[test]
fn concatenated_gzip_members_are_one_body() {
    let both = [gzip(b"192.0.2.1\n"), gzip(b"192.0.2.2\n")].concat();

    let body = read_capped(both.as_slice(), &small(), false).unwrap();

    assert_eq!(body, &b"192.0.2.1\n192.0.2.2\n"[..]);
}

#[test]
fn empty_and_one_byte_bodies_are_bodies() {
    assert_eq!(read_capped(&b""[..], &small(), false).unwrap(), &b""[..]);
    assert_eq!(read_capped(&b"1"[..], &small(), false).unwrap(), &b"1"[..]);
}

#[test]
fn body_of_exactly_the_cap_is_read_and_one_byte_more_is_refused() {
    let caps = Caps {
        line: usize::MAX,
        ..small()
    };

    let fits = read_capped(repeat(b'x').take(10_000), &caps, false).unwrap();
    let over = read_capped(repeat(b'x').take(10_001), &caps, false);

    assert_eq!(fits.len(), 10_000);
    assert!(matches!(over, Err(LimitError::Decoded(10_000))), "{over:?}");
}

#[test]
fn endless_body_is_left_at_the_cap() {
    let taken = Cell::new(0);
    let stream = Endless {
        block: b"192.0.2.1\n",
        taken: &taken,
    };

    let result = read_capped(stream, &small(), false);

    assert!(matches!(result, Err(LimitError::Decoded(_))), "{result:?}");
    assert!(taken.get() <= 10_020, "read {} bytes", taken.get());
}

#[test]
fn bomb_is_left_at_the_ratio_floor() {
    let caps = Caps::default();
    let bomb = gzip(&vec![b'\n'; 32 << 20]);
    let mut reader = Cursor::new(&bomb);

    let result = read_capped(&mut reader, &caps, false);

    assert!(matches!(result, Err(LimitError::Ratio(100))), "{result:?}");
    assert!(
        reader.position() < 32 << 10,
        "read {} of {} bytes",
        reader.position(),
        bomb.len()
    );
}

#[test]
fn small_list_may_compress_beyond_the_ratio() {
    let text = b"192.0.2.1\n".repeat(90);

    let body = read_capped(gzip(&text).as_slice(), &small(), false).unwrap();

    assert_eq!(body.len(), text.len());
}

#[test]
fn compressed_cap_counts_wire_bytes() {
    let noise: Vec<u8> = (0..4_000_u32)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect();
    let caps = Caps {
        decoded: 1 << 20,
        line: usize::MAX,
        ..small()
    };

    let result = read_capped(gzip(&noise).as_slice(), &caps, false);

    assert!(
        matches!(result, Err(LimitError::Compressed(2_000))),
        "{result:?}"
    );
}

#[test]
fn truncated_and_damaged_gzip_are_told_apart_from_io() {
    let whole = gzip(b"192.0.2.1\n192.0.2.2\n192.0.2.3\n");
    let cut = &whole[..whole.len() - 9];
    let mut flipped = whole.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 0x40;

    for broken in [cut, flipped.as_slice(), &b"\x1f\x8bnot really gzip"[..]] {
        let result = read_capped(broken, &small(), false);
        assert!(matches!(result, Err(LimitError::Gzip(_))), "{result:?}");
    }
}

#[test]
fn announced_gzip_that_is_plain_text_is_refused() {
    let result = read_capped(&b"192.0.2.1\n"[..], &small(), true);

    assert!(matches!(result, Err(LimitError::Gzip(_))), "{result:?}");
}

#[test]
fn long_line_is_named_by_number_even_across_chunks() {
    let text = format!("192.0.2.1\n{}\n", "7".repeat(101));
    let caps = Caps {
        line: 3 * CHUNK,
        decoded: 1 << 20,
        ..small()
    };
    let long = format!("a\nb\n{}", "7".repeat(3 * CHUNK + 1));

    let short = read_capped(text.as_bytes(), &small(), false);
    let across = read_capped(long.as_bytes(), &caps, false);

    assert!(
        matches!(
            short,
            Err(LimitError::Line {
                number: 2,
                cap: 100
            })
        ),
        "{short:?}"
    );
    assert!(
        matches!(across, Err(LimitError::Line { number: 3, .. })),
        "{across:?}"
    );
}

/// What comes first decides whether lines are bounded, not how much of it comes at once.
#[test]
fn blanks_before_a_document_count_the_same_in_any_pieces() {
    struct Bytes<'a>(&'a [u8]);
    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (now, later) = self.0.split_at(self.0.len().min(1));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }
    for (end, document) in [("{}", true), ("\n<a>", true), ("", true), ("x", false)] {
        let body = " ".repeat(200) + end;
        let caps = small();
        let whole = read_capped(body.as_bytes(), &caps, false);
        let pieces = read_capped(Bytes(body.as_bytes()), &caps, false);
        assert_eq!(
            (whole.is_ok(), pieces.is_ok()),
            (document, document),
            "{end:?}"
        );
    }
}

#[test]
fn a_line_ends_with_lf_crlf_or_cr() {
    for end in ["\n", "\r\n", "\r"] {
        let most = "7".repeat(100);
        let text = format!("{most}{end}{most}{end}");
        assert!(
            read_capped(text.as_bytes(), &small(), false).is_ok(),
            "{end:?}"
        );
        let text = format!("a{end}{end}{most}7{end}");
        // One byte at a time, so that the end of a line is in two pieces.
        let mut lines = Lines::new(100);
        let pieces: Vec<_> = text
            .as_bytes()
            .chunks(1)
            .map(|piece| lines.scan(piece))
            .collect();
        let refused = pieces.into_iter().find_map(Result::err);
        assert!(
            matches!(
                refused,
                Some(LimitError::Line {
                    number: 3,
                    cap: 100
                })
            ),
            "{end:?}: {refused:?}"
        );
    }
}

#[test]
fn json_and_xml_may_be_one_line() {
    for start in ["[", "{", "<mcconf>", "\u{feff}\n ["] {
        let text = format!("{start}{}", "x".repeat(200));
        assert!(
            read_capped(text.as_bytes(), &small(), false).is_ok(),
            "{start}"
        );
    }
}

#[test]
fn slow_reader_ends_by_the_rate_whether_packed_or_not() {
    struct Dripping<R>(R);
    impl<R: Read> Read for Dripping<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(10));
            self.0.read(&mut buffer[..1])
        }
    }
    let caps = Caps {
        floor: Some(Floor {
            rate: 10_000,
            window: Duration::from_millis(50),
        }),
        ..small()
    };
    let text = b"192.0.2.1\n".repeat(50);
    let packed = gzip(&noisy(600));

    let plain = read_capped(Dripping(text.as_slice()), &caps, false);
    let packed = read_capped(Dripping(packed.as_slice()), &caps, true);
    let patient = read_capped(Dripping(&text[..40]), &small(), false);

    for slow in [plain, packed] {
        let error = slow.unwrap_err();
        assert!(
            matches!(&error, LimitError::TooSlow(slow) if slow.seen < 10_000 && slow.floor == 10_000),
            "{error:?}"
        );
    }
    assert_eq!(patient.unwrap(), &text[..40]);
}

/// Bytes that do not compress, in short lines.
fn noisy(count: u32) -> Vec<u8> {
    let noise = (0..count).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes());
    noise.flat_map(|bytes| [bytes[0], b'\n']).collect()
}

#[test]
fn slow_reader_ends_by_the_wall_clock() {
    struct Drip;
    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(5));
            buffer[0] = b'\n';
            Ok(1)
        }
    }
    let caps = Caps {
        wall_clock: Duration::from_millis(50),
        ..small()
    };
    let start = Instant::now();

    let result = read_capped(Drip, &caps, false);

    assert!(
        matches!(result, Err(LimitError::WallClock(_))),
        "{result:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
}

proptest! {
    #[test]
    fn any_text_survives_gzip(lines in prop::collection::vec("[ -~]{0,60}", 0..50)) {
        let text = lines.join("\n");
        let body = read_capped(gzip(text.as_bytes()).as_slice(), &small(), false).unwrap();
        prop_assert_eq!(body, text.as_bytes());
    }

    #[test]
    fn any_bytes_end_in_a_body_or_an_error(data in prop::collection::vec(any::<u8>(), 0..5_000), announced: bool) {
        if let Ok(body) = read_capped(data.as_slice(), &small(), announced) {
            prop_assert!(body.len() <= 10_000);
        }
    }
}
