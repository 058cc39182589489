use std::{io::ErrorKind, num::NonZeroU16, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::{collection::vec, option, prelude::*};

use super::{
    decode::{self, Answer, Asked, Garbled},
    encode, request,
};
use crate::{
    feed::{
        Format, NotAFeed, Options, Parsed, Rejection, Row, csv_layout::CsvLayout, sandbox::Missing,
    },
    indicator::{Indicator, Protocol, Seen, Sighting},
};

const LINES: u32 = 1_000;

fn asked() -> Asked {
    Asked {
        lines: LINES as usize,
        format: None,
    }
}

fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[u8; 4]>(), 0..=32_u8)
        .prop_map(|(address, length)| IpNet::V4(Ipv4Net::new(address.into(), length).unwrap()));
    let v6 = (any::<[u8; 16]>(), 0..=128_u8)
        .prop_map(|(address, length)| IpNet::V6(Ipv6Net::new(address.into(), length).unwrap()));
    prop_oneof![v4, v6]
}

fn indicator() -> impl Strategy<Value = Indicator> {
    let protocol = prop::sample::select(vec![6, 17, 33, 132, 136]).prop_map(Protocol);
    let port = (1..=u16::MAX).prop_map(|port| NonZeroU16::new(port).unwrap());
    (prefix(), option::of(protocol), option::of(port))
        .prop_map(|(prefix, protocol, port)| Indicator::new(prefix, protocol, port))
}

fn seen() -> impl Strategy<Value = Option<Seen>> {
    option::of((1..=u32::MAX).prop_map(|seconds| Seen::from_unix(seconds.into()).unwrap()))
}

fn family() -> impl Strategy<Value = Option<Arc<str>>> {
    option::of("[A-C]{1}|[^\n]{0,120}".prop_map(Arc::from))
}

fn row() -> impl Strategy<Value = Row> {
    let sighting = (
        family(),
        seen(),
        seen(),
        seen(),
        option::of(0..=100_u8),
        any::<Option<bool>>(),
    );
    (1..=LINES, indicator(), sighting).prop_map(|(line, indicator, sighting)| {
        let (family, first_seen, last_seen, expires, confidence, online) = sighting;
        Row {
            line,
            indicator,
            sighting: Sighting {
                family,
                first_seen,
                last_seen,
                expires,
                confidence,
                online,
            },
        }
    })
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (1..=LINES, ".{0,120}", ".{0,60}").prop_map(|(line, text, reason)| Rejection {
        line,
        text,
        reason,
    })
}

fn parsed() -> impl Strategy<Value = Parsed> {
    (
        prop::sample::select(Format::ALL.to_vec()),
        "[a-z ]{0,40}",
        vec(row(), 0..40),
        vec(indicator(), 0..10),
        any::<u32>(),
        vec(rejection(), 0..10),
        any::<Option<bool>>(),
        vec(".{0,80}", 0..5),
    )
        .prop_map(|of| {
            let mut parsed = Parsed {
                format: of.0,
                known_by: of.1.into(),
                rows: of.2,
                withdrawn: of.3,
                ignored: of.4.into(),
                rejected: of.5.len() as u64,
                rejections: of.5,
                complete: of.6,
                warnings: of.7,
            };
            parsed.in_order();
            parsed
        })
}

/// As a reader puts it: the majority decides.
fn content() -> impl Strategy<Value = Result<Parsed, NotAFeed>> {
    parsed().prop_map(|parsed| match parsed.rejected > parsed.total() / 2 {
        true => Err(NotAFeed::MostlyMalformed(Box::new(parsed))),
        false => Ok(parsed),
    })
}

fn encoded(content: &Result<Parsed, NotAFeed>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut answer = encode::Answer::new(&mut bytes, Missing::default());
    answer.end(content).unwrap();
    bytes
}

fn shown(content: &Result<Parsed, NotAFeed>) -> String {
    format!("{content:?}")
}

/// Whatever was sent, nothing comes out that the readers of this process could not have made.
fn assert_canonical(answer: &Answer) {
    let parsed = match &answer.content {
        Ok(parsed) => parsed,
        Err(NotAFeed::MostlyMalformed(parsed)) => parsed,
        Err(_) => return,
    };
    let rows = parsed.rows.iter();
    let named = rows
        .map(|row| row.indicator)
        .chain(parsed.withdrawn.clone());
    for one in named {
        assert_eq!(one, Indicator::new(one.prefix, one.protocol, one.port));
        assert!(one.protocol.is_none_or(Protocol::has_ports));
    }
    for row in &parsed.rows {
        assert!((1..=LINES).contains(&row.line));
        assert!(row.sighting.confidence.is_none_or(|sure| sure <= 100));
        let family = row.sighting.family.as_deref().unwrap_or_default();
        assert!(family.chars().count() <= 120);
    }
    for rejection in &parsed.rejections {
        assert!((1..=LINES).contains(&rejection.line));
        assert!(rejection.text.chars().count() <= 120);
        assert!(rejection.reason.chars().count() <= 500);
    }
    assert!(parsed.rejections.len() as u64 <= parsed.rejected);
}

proptest! {
    #[test]
    fn what_is_sent_arrives(content in content()) {
        let answer = decode::answer(&*encoded(&content), &asked()).unwrap();
        prop_assert_eq!(shown(&answer.content), shown(&content));
        prop_assert!(answer.missing.is_none());
    }

    #[test]
    fn noise_is_refused_or_canonical(bytes in vec(any::<u8>(), 0..2_000)) {
        let noise = [b"TBA1\0".to_vec(), bytes].concat();
        if let Ok(answer) = decode::answer(&*noise, &asked()) {
            assert_canonical(&answer);
        }
    }

    #[test]
    fn a_mutated_answer_is_refused_or_canonical(
        content in content(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encoded(&content);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(answer) = decode::answer(&*bytes, &asked()) {
            assert_canonical(&answer);
        }
    }

    #[test]
    fn an_answer_that_is_cut_short_is_refused(content in content(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&content);
        let cut = &bytes[..at.index(bytes.len())];
        let refused = decode::answer(cut, &asked());
        let ended = matches!(&refused, Err(Garbled::Io(error)) if error.kind() == ErrorKind::UnexpectedEof);
        prop_assert!(ended, "{:?}", refused);
    }
}

#[test]
fn every_reason_arrives() {
    for reason in [
        NotAFeed::Empty,
        NotAFeed::Html,
        NotAFeed::Compressed {
            kind: "gzip".into(),
        },
        NotAFeed::Binary {
            kind: "a".into(),
            fix: "b".into(),
        },
        NotAFeed::Unrecognised {
            looks_like: "a".into(),
            fix: "b".into(),
        },
        NotAFeed::NoEntries {
            format: Format::Ipset,
            expected: "c".into(),
        },
        NotAFeed::Mismatch {
            format: Format::Stix,
            reason: "d".to_owned(),
        },
        NotAFeed::Status {
            status: "e".to_owned(),
            fix: "f".into(),
        },
        NotAFeed::TooMany { most: 2_000_000 },
    ] {
        let sent = Err(reason);
        let answer = decode::answer(&*encoded(&sent), &asked()).unwrap();
        assert_eq!(shown(&answer.content), shown(&sent));
    }
}

/// One row, whose bytes stand between the counts before it and what follows.
fn with_row(change: impl Fn(&mut Vec<u8>, usize)) -> Result<Answer, Garbled> {
    let parsed = Parsed {
        format: Format::Plain,
        known_by: "".into(),
        rows: vec![Row {
            line: 7,
            indicator: "192.0.2.0/24:443/tcp".parse().unwrap(),
            sighting: Sighting {
                confidence: Some(50),
                ..Sighting::default()
            },
        }],
        withdrawn: Vec::new(),
        ignored: 0,
        rejections: Vec::new(),
        rejected: 0,
        complete: None,
        warnings: Vec::new(),
    };
    let mut bytes = encoded(&Ok(parsed));
    let row = 4 + 1 + 4;
    change(&mut bytes, row);
    decode::answer(&*bytes, &asked())
}

#[test]
fn what_no_reader_says_is_refused_with_what_is_wrong() {
    assert!(with_row(|_, _| ()).is_ok());
    let (flags, line, address, length, protocol, port, sure) = (0, 2, 6, 10, 11, 12, 14);
    for (at, value, wrong) in [
        (flags + 1, 0x80, "unknown fields"),
        (flags + 1, 3, "both online and offline"),
        (line, 0, "does not have"),
        (line + 3, 1, "does not have"),
        (address + 3, 1, "not canonical"),
        (length, 33, "too long"),
        (protocol, 1, "without ports"),
        (sure, 101, "above 100"),
    ] {
        let refused = with_row(|bytes, row| bytes[row + at] = value);
        assert!(
            matches!(refused, Err(Garbled::Wrong(what)) if what.contains(wrong)),
            "{wrong}: {refused:?}"
        );
    }
    let refused = with_row(|bytes, row| bytes[row + port..row + port + 2].fill(0));
    assert!(
        matches!(refused, Err(Garbled::Wrong("port 0"))),
        "{refused:?}"
    );
    let refused = with_row(|bytes, row| bytes[row - 4..row].fill(0xff));
    assert!(
        matches!(refused, Err(Garbled::Wrong(what)) if what.contains("more entries")),
        "{refused:?}"
    );
    let forced = Asked {
        format: Some(Format::Stix),
        ..asked()
    };
    let mut bytes = Vec::new();
    let mut answer = encode::Answer::new(&mut bytes, Missing::default());
    let none = NotAFeed::NoEntries {
        format: Format::Plain,
        expected: "".into(),
    };
    answer.end(&Err(none)).unwrap();
    assert!(
        matches!(decode::answer(&*bytes, &forced), Err(Garbled::Wrong(what)) if what.contains("another format"))
    );
}

/// A mapped address is IPv4 everywhere else, and would be judged as such nowhere.
#[test]
fn mapped_prefixes_are_refused() {
    let mut bytes = b"TBA1\0".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(
        "::ffff:192.0.2.1"
            .parse::<std::net::Ipv6Addr>()
            .unwrap()
            .octets(),
    );
    bytes.push(128);
    let refused = decode::answer(&*bytes, &asked());
    assert!(
        matches!(refused, Err(Garbled::Wrong(what)) if what.contains("canonical")),
        "{refused:?}"
    );
}

#[test]
fn long_texts_are_cut_by_the_reader_and_refused_by_the_parent() {
    let long = "ä".repeat(700);
    let sent = Err(NotAFeed::Mismatch {
        format: Format::Csv,
        reason: long.clone(),
    });
    let answer = decode::answer(&*encoded(&sent), &asked()).unwrap();
    let Err(NotAFeed::Mismatch { reason, .. }) = answer.content else {
        panic!()
    };
    assert_eq!(reason, "ä".repeat(500));

    let mut bytes = b"TBA1\0\0\0\0\0\x03".to_vec();
    bytes.extend(1_400_u16.to_le_bytes());
    bytes.extend(long.as_bytes());
    bytes.extend(b"TBE1");
    assert!(matches!(
        decode::answer(&*bytes, &asked()),
        Err(Garbled::Wrong("a text that is too long"))
    ));
}

/// Rows that come before the rest of a body are its rows, in their order.
#[test]
fn rows_that_were_given_early_arrive_in_order() {
    let mut parsed = with_row(|_, _| ()).unwrap().content.unwrap();
    let row = |line: u32| Row {
        line,
        ..parsed.rows[0].clone()
    };
    let lines = [3, 9, 1, 3, 2];
    let rows: Vec<Row> = lines.map(row).to_vec();
    let mut bytes = Vec::new();
    let mut answer = encode::Answer::new(&mut bytes, Missing::default());
    for some in [&rows[..2], &[], &rows[2..4]] {
        answer.rows(some).unwrap();
    }
    parsed.rows = rows[4..].to_vec();
    answer.end(&Ok(parsed)).unwrap();
    let read = decode::answer(&*bytes, &asked()).unwrap().content.unwrap();
    let found: Vec<u32> = read.rows.iter().map(|row| row.line).collect();
    assert_eq!(found, [1, 2, 3, 3, 9]);
}

/// Of a body that is no feed nothing is kept, whatever came before.
#[test]
fn rows_of_no_feed_are_dropped() {
    let parsed = with_row(|_, _| ()).unwrap().content.unwrap();
    let mut bytes = Vec::new();
    let mut answer = encode::Answer::new(&mut bytes, Missing::default());
    answer.rows(&parsed.rows).unwrap();
    answer.end(&Err(NotAFeed::Html)).unwrap();
    let read = decode::answer(&*bytes, &asked()).unwrap();
    assert!(matches!(read.content, Err(NotAFeed::Html)));
}

#[test]
fn more_families_than_are_numbered_arrive() {
    let row = |number: u32| Row {
        line: 1,
        indicator: "192.0.2.1".parse().unwrap(),
        sighting: Sighting {
            family: Some(format!("family {}", number % 6_000).into()),
            ..Sighting::default()
        },
    };
    let mut parsed = with_row(|_, _| ()).unwrap().content.unwrap();
    parsed.rows = (0..12_000).map(row).collect();
    let sent = Ok(parsed);
    let answer = decode::answer(&*encoded(&sent), &asked()).unwrap();
    let parsed = answer.content.unwrap();
    assert_eq!(
        Some(&parsed.rows),
        sent.as_ref().ok().map(|sent| &sent.rows)
    );
    let shared = |at: usize| parsed.rows[at].sighting.family.as_ref().map(Arc::as_ptr);
    assert_eq!(shared(0), shared(6_000));
}

#[test]
fn requests_arrive_and_noise_is_none() {
    let options = Options {
        csv: Some(CsvLayout::default()),
        format: Some(Format::Misp),
        unpublished: true,
        received: Seen::from_unix(1_600_000_000),
    };
    let mut bytes = Vec::new();
    request::write(&mut bytes, b"192.0.2.1\n", &options).unwrap();
    let (body, read) = request::read(&mut &*bytes).unwrap();
    assert_eq!((body.as_slice(), read), (&b"192.0.2.1\n"[..], options));

    assert!(request::read(&mut &b"GET / HTTP/1.1\r\n"[..]).is_err());
    assert!(request::read(&mut &b"TBQ1\xff\xff\xff\xff"[..]).is_err());
    assert!(request::read(&mut &bytes[..bytes.len() - 1]).is_err());
}
