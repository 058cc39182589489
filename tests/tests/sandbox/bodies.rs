//! A reader reads what this process would read.

use trickblock::{
    feed::{
        self, Format, Options,
        sandbox::{Program, Reader, Unread},
    },
    indicator::Seen,
};
use trickblock_tests::cli::binary;

pub fn reader() -> Reader {
    Reader::confined(Program::new(binary().unwrap(), ["parse-child"]))
}

/// The same rows, families, counts and words, or the same reason.
fn assert_same(reader: &Reader, body: &[u8], options: &Options) {
    let here = feed::parse(body, options.clone()).map_err(|reason| format!("{reason:?}"));
    let there = reader.parse(body, options).map_err(|unread| match unread {
        Unread::NotAFeed(reason) => format!("{reason:?}"),
        Unread::Stopped(stopped) => panic!("{stopped}"),
    });
    assert_eq!(there, here, "{}", String::from_utf8_lossy(body));
}

pub fn every_format_is_read_as_in_process() {
    let reader = reader();
    let utf16: Vec<u8> = "\u{feff}192.0.2.1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let bodies: [&[u8]; 26] = [
        b"192.0.2.1\n198.51.100.0/25:443 ; x\n[2001:db8::1]:80\nevil.example\n192.0.2.300\n",
        b"192.0.2.1-192.0.2.77\n203.0.113.5/24\n",
        b"create c2 hash:net\nadd c2 192.0.2.0/24 timeout 300\nadd c2 192.0.2.7 nomatch\n",
        b"# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n# END 1 entries",
        b"\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
          \"2021-01-17 07:30:05\",\"192.0.2.1\",\"443\",\"online\",\"2021-01-18\",\"Dridex\"\r\n\
          \"2021-01-17 07:30:05\",\"192.0.2.2\",\"443\",\"offline\",\"\",\"Emotet\"\r\n# END 2 entries",
        b"[{\"ip_address\":\"192.0.2.1\",\"port\":443,\"status\":\"online\",\"first_seen\":\"2021-01-17 07:30:05\",\"malware\":\"QakBot\"}]",
        b"[]",
        b"<mcconf><servs><srv>192.0.2.1:443</srv><psrv>198.51.100.2:449</psrv></servs></mcconf>",
        b"nonsense\nmore of it\n192.0.2.1\n",
        b"{\"query_status\":\"ok\",\"data\":[{\"ioc\":\"192.0.2.1:443\",\"ioc_type\":\"ip:port\",\"confidence_level\":75}]}",
        b"{\"query_status\":\"unknown_auth_key\"}",
        b"# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\"\n\"2026-09-01 00:00:00\", \"1\", \"192.0.2.1:443\", \"ip:port\"\n",
        b"{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"type\":\"metadata\",\"records\":1}\n",
        b"192.0.2.0/24 ; SBL1\n",
        b"{\"Event\":{\"Attribute\":[{\"type\":\"ip-dst|port\",\"value\":\"192.0.2.1|443\",\"timestamp\":\"1612345678\"}]}}",
        b"{\"type\":\"bundle\",\"objects\":[{\"type\":\"indicator\",\"id\":\"i\",\"pattern\":\"[ipv4-addr:value = '192.0.2.1']\",\"valid_from\":\"2024-01-01T00:00:00Z\"}]}",
        b"alert tcp $HOME_NET any -> [192.0.2.1,192.0.2.2] [443,8080] (msg:\"x\"; sid:1;)\nalert udp 192.0.2.3 any -> any any (sid:2;)\n",
        b"{\"new\":[{\"type\":\"ban\",\"scope\":\"Ip\",\"value\":\"192.0.2.1\",\"duration\":\"3h59m58.1s\"}],\"deleted\":[{\"type\":\"ban\",\"scope\":\"Ip\",\"value\":\"192.0.2.9\"}]}",
        b"192.0.2.1\n192.0.2.999\n192.0.2.998\n192.0.2.997\n",
        b"",
        b"<html>login</html>",
        b"\x1f\x8b\x08\0",
        b"\0\x01\x02\x03\x04\x05",
        b"# only a comment\n",
        b"caf\xe9\n192.0.2.1\n",
        &utf16,
    ];
    for body in bodies {
        assert_same(&reader, body, &Options::default());
        assert_same(&reader, body, &Options::from(Some(Format::Plain)));
    }
    let options = Options {
        csv: None,
        format: None,
        unpublished: true,
        received: Seen::from_unix(1_700_000_000),
    };
    assert_same(&reader, bodies[0], &options);
    assert!(reader.missing().is_some());
}

/// More than any buffer between them holds, in both directions.
pub fn large_bodies_arrive() {
    let reader = reader();
    let rows = (0..200_000_u32).map(|row| {
        format!(
            "198.18.{}.{}:{}\n",
            row >> 8 & 127,
            row & 255,
            1 + row / 32_768
        )
    });
    let body: String = rows.collect();
    assert_same(&reader, body.as_bytes(), &Options::default());
    let ranges = "0.0.0.1-255.255.255.254\n".repeat(100_000);
    assert_same(&reader, ranges.as_bytes(), &Options::default());
    assert_same(&reader, &vec![b'x'; 1 << 20], &Options::default());
}
