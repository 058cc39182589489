//! What must hold for every body, however hostile.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

const SEEDS: [&str; 15] = [
    "# list\n192.0.2.1\n192.0.2.0/24\t10\n198.51.100.1:443/tcp # x\n[2001:db8::1]:443\n\
     192.0.2.0 - 192.0.2.9\nhxxp://203.0.113[.]7:8080/a\nevil.example\n",
    "create c2 hash:ip,port\nadd c2 192.0.2.1,tcp:443 timeout 30\nadd c2 2001:db8::/32 nomatch\n\
     add c2 192.0.2.0/24 comment \"x y\"\n# Entries : 3 subnets, 9 unique IPs\n",
    "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
     \"2021-01-17 07:30:05\",\"192.0.2.1\",\"443\",\"online\",\"2021-03-19\",\"Dridex\"\r\n\
     # END 1 entries",
    "[{\"ip_address\":\"192.0.2.1\",\"port\":443,\"malware\":\"Emotet\",\"first_seen\":null}]",
    "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n203.0.113.9\n# END 2 entries",
    "\u{feff}<mcconf><servs>\n<srv>192.0.2.1:443</srv><psrva>1.2:3</psrva>\n<srv>x.onion:1</srv>\
     <handler>http://192.0.2.2:8082</handler></servs>",
    "ip,port,malware\n192.0.2.1,443,Emotet\n\"2001:db8::1\",80,\n",
    "{\"query_status\":\"ok\",\"data\":[{\"ioc\":\"192.0.2.1:443\",\"ioc_type\":\"ip:port\",\n\
     \"threat_type\":\"botnet_cc\",\"confidence_level\":75},{\"ioc\":\"x.example\",\"ioc_type\":\"domain\"}]}",
    "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"confidence_level\"\n\
     \"2026-09-01 00:00:00\", \"1\", \"192.0.2.1:443\", \"ip:port\", \"botnet_cc\", \"75\"\n\
     # Number of entries: 1\n",
    "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"ripencc\"}\n\
     {\"type\":\"metadata\",\"records\":1}\n",
    "; DROP\n192.0.2.0/24 ; SBL1\n198.51.100.0/22 ; SBL2\n",
    "{\"Event\":{\"published\":true,\"Attribute\":[{\"type\":\"ip-dst|port\",\"value\":\"192.0.2.1|443\"}],\n\
     \"Object\":[{\"Attribute\":[{\"type\":\"ip-dst\",\"value\":\"192.0.2.2\"},{\"type\":\"port\",\"value\":\"80\",\
     \"object_relation\":\"dst-port\"}]}]}}",
    "{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"id\":\"indicator--1\",\"pattern\":\n\
     \"[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port IN (80,443)]\"}]}",
    "alert tcp $HOME_NET any -> [192.0.2.1,192.0.2.2] [443,8080:8081] (msg:\"a;b\"; sid:1;)\n\
     alert udp 192.0.2.3 any -> any any (sid:2;)\nalert tcp 192.0.2.3 any -> any any (sid:3;)\n",
    "{\"new\":[{\"type\":\"ban\",\"scope\":\"Ip\",\"value\":\"192.0.2.1\",\"duration\":\"3h59m58.1s\"}],\n\
     \"deleted\":[{\"type\":\"ban\",\"scope\":\"Range\",\"value\":\"192.0.2.0/24\",\"duration\":\"-1s\"}]}",
];

fn any_format() -> impl Strategy<Value = Option<Format>> {
    prop::option::of(select(Format::ALL.to_vec()))
}

/// A valid feed with some bytes overwritten, cut out, or inserted.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 0..12);
    (select(SEEDS.to_vec()), edits).prop_map(|(seed, edits)| {
        let mut body = seed.as_bytes().to_vec();
        for (index, byte, edit) in edits {
            let at = index.index(body.len().max(1)).min(body.len());
            match edit {
                0 if at < body.len() => body[at] = byte,
                1 if at < body.len() => drop(body.remove(at)),
                2 => body.truncate(at),
                _ => body.insert(at, byte),
            }
        }
        body
    })
}

/// Everything a caller may rely on.
fn holds(body: &[u8], forced: Option<Format>) -> Result<(), TestCaseError> {
    let parsed = match parse(body, forced) {
        Ok(parsed) => parsed,
        Err(NotAFeed::MostlyMalformed(parsed)) => {
            prop_assert!(parsed.rejected > parsed.total() / 2);
            *parsed
        }
        Err(reason) => {
            prop_assert!(!reason.to_string().is_empty());
            return Ok(());
        }
    };
    let rows = u64::try_from(parsed.rows.len()).unwrap();
    prop_assert_eq!(parsed.total(), rows + parsed.ignored + parsed.rejected);
    prop_assert_eq!(
        u64::try_from(parsed.rejections.len()).unwrap(),
        parsed.rejected
    );
    prop_assert!(parsed.rows.is_sorted_by_key(|row| row.line));
    prop_assert!(parsed.rows.iter().all(|row| row.line >= 1));
    for Row { indicator, .. } in &parsed.rows {
        let again = Indicator::new(indicator.prefix, indicator.protocol, indicator.port);
        prop_assert_eq!(&again, indicator, "not canonical");
        let reread = indicator.to_string().parse::<Indicator>();
        prop_assert_eq!(reread, Ok(*indicator));
        prop_assert!(indicator.protocol.is_none() || indicator.port.is_some());
    }
    prop_assert!(
        parsed
            .rejections
            .iter()
            .all(|rejection| rejection.text.chars().count() <= 120)
    );
    Ok(())
}

fn any_indicator() -> impl Strategy<Value = Indicator> {
    let v4 = (any::<u32>(), 0_u8..=32)
        .prop_map(|(bits, length)| ipnet::IpNet::new(Ipv4Addr::from(bits).into(), length).unwrap());
    let v6 = (any::<u128>(), 0_u8..=128)
        .prop_map(|(bits, length)| ipnet::IpNet::new(Ipv6Addr::from(bits).into(), length).unwrap());
    let port = prop::option::of(any::<std::num::NonZeroU16>());
    let protocol = prop::option::of(select(vec!["tcp", "udp", "sctp", "dccp", "udplite"]));
    (prop_oneof![v4, v6], port, protocol).prop_map(|(prefix, port, protocol)| {
        let protocol = protocol.filter(|_| port.is_some());
        Indicator::new(prefix, protocol.map(|name| name.parse().unwrap()), port)
    })
}

/// The ways in which lists dress up a line.
fn dressed(indicator: Indicator, style: u8) -> String {
    match style {
        0 => format!("{indicator}\r\n"),
        1 => format!("  \"{indicator}\" \n"),
        2 => format!("{indicator}\t42\n"),
        3 => format!("{indicator}, 0.5 # comment\r"),
        4 => format!("# before\n\n{indicator};x\n"),
        _ => format!("{}\n", indicator.to_string().replace('.', "[.]")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..600), forced in any_format()) {
        holds(&body, forced)?;
    }

    #[test]
    fn arbitrary_text_of_the_right_alphabet_never_panics(
        body in "[0-9a-f.:/,;#<>srv\\[\\]\"{} \n\r-]{0,200}",
        forced in any_format(),
    ) {
        holds(body.as_bytes(), forced)?;
    }

    #[test]
    fn damaged_feeds_never_panic(body in mutated(), forced in any_format()) {
        holds(&body, forced)?;
    }

    #[test]
    fn what_is_written_is_what_is_read(rows in vec((any_indicator(), 0_u8..6), 1..40)) {
        let body: String = rows.iter().map(|(indicator, style)| dressed(*indicator, *style)).collect();
        let parsed = parse(body.as_bytes(), None).unwrap();
        let found: Vec<_> = parsed.rows.iter().map(|row| row.indicator).collect();
        let expected: Vec<_> = rows.iter().map(|(indicator, _)| *indicator).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!((parsed.format, parsed.rejected, parsed.ignored), (Format::Plain, 0, 0));
    }
}

/// The seeds themselves are good feeds, or the mutations would prove little.
#[test]
fn seeds_are_recognised() {
    let formats = [
        Format::Plain,
        Format::Ipset,
        Format::FeodoCsv,
        Format::FeodoJson,
        Format::FeodoTxt,
        Format::Trickbot,
        Format::Csv,
        Format::ThreatfoxJson,
        Format::ThreatfoxCsv,
        Format::SpamhausJson,
        Format::SpamhausTxt,
        Format::Misp,
        Format::Stix,
        Format::Suricata,
        Format::Crowdsec,
    ];
    assert!(Format::ALL.iter().all(|format| formats.contains(format)));
    for (seed, format) in SEEDS.iter().zip(formats) {
        // A table of one's own is never guessed.
        let forced = (format == Format::Csv).then_some(format);
        let parsed = parse(seed.as_bytes(), forced).unwrap();
        assert_eq!((parsed.format, parsed.rejected), (format, 0), "{seed}");
        assert!(!parsed.rows.is_empty(), "{seed}");
    }
}

#[test]
fn formats_are_read_and_written_by_name() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        let json = serde_json::to_string(&format).unwrap();
        assert_eq!(serde_json::from_str::<Format>(&json).unwrap(), format);
    }
    let message = "feodo".parse::<Format>().unwrap_err().to_string();
    assert!(
        message.contains("`feodo`") && message.contains("feodo-csv"),
        "{message}"
    );
}

/// A short line can be a range of 250 prefixes: what a body expands to is bounded as well.
#[test]
fn ranges_cannot_multiply_without_end() {
    let line = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n";
    assert!(parse(line.as_bytes(), None).unwrap().rows.len() > 200);
    let error = parse(line.repeat(20_000).as_bytes(), None).unwrap_err();
    assert!(
        matches!(error, NotAFeed::TooMany { most: 2_000_000 }),
        "{error}"
    );
}
