//! From bytes to text.

use std::borrow::Cow;

use super::NotAFeed;

/// A decoded body without its byte order mark.
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// Some bytes stood for no character and were replaced by U+FFFD.
    pub(super) replaced: bool,
}

const REPLACED: char = char::REPLACEMENT_CHARACTER;

/// What a body begins with that can be named at once.
const COMPRESSED: [(&[u8], &str); 6] = [
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
];

const CAPTURES: [&[u8]; 5] = [
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
];

/// Decodes UTF-8, or UTF-8 and UTF-16 with a byte order mark. Undecodable bytes are replaced;
/// only a body that is plainly no text is refused.
pub(super) fn text(body: &[u8]) -> Result<Text<'_>, NotAFeed> {
    refuse_known_binary(body)?;
    let text = match body {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => utf8(body),
    };
    if text.text.trim().is_empty() {
        return Err(NotAFeed::Empty);
    }
    Ok(text)
}

/// Whether more than a tenth of the beginning is control characters or undecodable: a few are
/// damage, many are another kind of file.
pub(super) fn is_binary(text: &str) -> bool {
    let odd = |c: &char| *c == REPLACED || (c.is_control() && !c.is_ascii_whitespace());
    let (mut all, mut binary) = (0_u32, 0_u32);
    for c in text.chars().take(8192) {
        all += 1;
        binary += u32::from(odd(&c));
    }
    binary * 10 > all
}

fn refuse_known_binary(body: &[u8]) -> Result<(), NotAFeed> {
    if let Some((_, kind)) = COMPRESSED.iter().find(|(magic, _)| body.starts_with(magic)) {
        return Err(NotAFeed::Compressed {
            kind: (*kind).into(),
        });
    }
    if CAPTURES.iter().any(|magic| body.starts_with(magic)) {
        return Err(NotAFeed::Binary {
            kind: "a packet capture".into(),
            fix: "give it to `trickblock replay --pcap`".into(),
        });
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Text<'_> {
    let text = String::from_utf8_lossy(bytes);
    // Only a copy can hold replacements that the feed did not contain itself.
    let replaced = matches!(text, Cow::Owned(_));
    Text { text, replaced }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Text<'static> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut replaced = !odd.is_empty();
    let units = pairs.iter().map(|pair| unit(*pair));
    let decoded = char::decode_utf16(units).map(|c| {
        replaced |= c.is_err();
        c.unwrap_or(REPLACED)
    });
    let mut text: String = decoded.collect();
    if !odd.is_empty() {
        text.push(REPLACED);
    }
    Text {
        text: Cow::Owned(text),
        replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &[u8]) -> (String, bool) {
        let text = text(body).unwrap();
        (text.text.into_owned(), text.replaced)
    }

    #[test]
    fn byte_order_marks_choose_the_encoding() {
        let little: Vec<u8> = "\u{feff}a\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = "\u{feff}a\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for body in [b"a\n".to_vec(), "\u{feff}a\n".into(), little, big] {
            assert_eq!(decoded(&body), ("a\n".to_owned(), false));
        }
    }

    #[test]
    fn damage_is_replaced_and_reported() {
        assert_eq!(decoded(b"a\xff"), ("a\u{fffd}".to_owned(), true));
        assert_eq!(decoded(b"\xff\xfea\0b"), ("a\u{fffd}".to_owned(), true));
        assert_eq!(
            decoded(b"\xff\xfe\x00\xd8a\0"),
            ("\u{fffd}a".to_owned(), true)
        );
    }

    #[test]
    fn what_is_no_text_is_named() {
        assert!(matches!(text(b""), Err(NotAFeed::Empty)));
        assert!(matches!(text(b"\xef\xbb\xbf \r\n"), Err(NotAFeed::Empty)));
        assert!(matches!(
            text(b"\x1f\x8b\x08"),
            Err(NotAFeed::Compressed { kind }) if kind == "gzip"
        ));
        assert!(matches!(
            text(b"\xd4\xc3\xb2\xa1\x02"),
            Err(NotAFeed::Binary { .. })
        ));
        assert!(is_binary("\0\u{1}a\u{fffd}"));
        assert!(!is_binary("192.0.2.1\t10\r\n\0"));
    }
}
