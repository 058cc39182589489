//! `ipset save` output and FireHOL's ipset/netset files.

use super::{
    entry,
    lines::{MAX_LINE, lines},
    plain,
};
use crate::{
    feed::collect::{Collector, Note},
    indicator::{Indicator, Malformed, Protocol, Sighting, port, prefix},
};

/// Lines that set something up and name no entry.
const COMMANDS: [&str; 7] = [
    "create ", "flush", "destroy", "swap ", "rename ", "COMMIT", "version ",
];

/// Options that say something about an entry without changing what it covers; all take a value.
const OPTIONS: [&str; 6] = [
    "timeout", "packets", "bytes", "skbmark", "skbprio", "skbqueue",
];

/// Reads both layouts, and lists that mix them.
pub(super) fn read(text: &str, out: &mut Collector) {
    let mut stated = None;
    for (number, line) in lines(text) {
        if let Some(comment) = line.strip_prefix('#') {
            stated = stated.or_else(|| firehol_count(comment));
        } else if let Some(command) = line.strip_prefix("add ") {
            add(out, number, line, command);
        } else if !COMMANDS.iter().any(|command| line.starts_with(command)) {
            plain::read_line(out, number, line);
        }
    }
    if let Some(stated) = stated {
        out.confirm(stated);
    }
}

#[derive(Debug, thiserror::Error)]
enum BadEntry {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(
        "`{0}` is not `protocol:port`; only an address, a prefix, or either with one port can be matched"
    )]
    Service(String),
    #[error("protocol `{0}` has no ports, and a protocol alone cannot be matched")]
    Portless(String),
    #[error("the set has more dimensions than an address and a port")]
    Dimensions,
    #[error("unknown option `{0}`")]
    Option(String),
    #[error("the set name or the entry is missing")]
    Short,
    #[error("the line is longer than 4096 bytes")]
    Long,
}

/// FireHOL states `# Entries         : 4497 subnets, 611634754 unique IPs`: lines first if they
/// differ from addresses.
fn firehol_count(comment: &str) -> Option<u64> {
    let value = comment
        .trim()
        .strip_prefix("Entries")?
        .trim_start()
        .strip_prefix(':')?;
    let mut words = value.split_whitespace();
    let number = words.next()?.parse().ok()?;
    matches!(words.next()?, "subnets," | "subnets" | "unique").then_some(number)
}

fn add(out: &mut Collector, number: u32, line: &str, command: &str) {
    match element(line, command) {
        Ok(Element { nomatch: true, .. }) => {
            out.note(number, Note::Nomatch);
            out.ignore();
        }
        Ok(Element { text, .. }) => match text.split_once(',') {
            None => entry::file(out, number, text, line),
            Some((host, service)) => match with_service(host, service) {
                Ok(indicator) => out.accept(number, indicator, Sighting::default()),
                Err(reason) => out.reject(number, line, reason),
            },
        },
        Err(reason) => out.reject(number, line, reason),
    }
}

struct Element<'a> {
    text: &'a str,
    /// An exception from a wider prefix of the same set.
    nomatch: bool,
}

fn element<'a>(line: &str, command: &'a str) -> Result<Element<'a>, BadEntry> {
    if line.len() > MAX_LINE {
        return Err(BadEntry::Long);
    }
    // A comment is the last option that `ipset save` writes, and may hold anything.
    let head = command
        .split_once(" comment ")
        .map_or(command, |(head, _)| head);
    let mut words = head.split_whitespace();
    let text = words.nth(1).ok_or(BadEntry::Short)?;
    let mut nomatch = false;
    while let Some(word) = words.next() {
        match word {
            "nomatch" => nomatch = true,
            _ if OPTIONS.contains(&word) => drop(words.next()),
            _ => return Err(BadEntry::Option(word.to_owned())),
        }
    }
    Ok(Element { text, nomatch })
}

/// `tcp:443`, or a bare port, which ipset reads as TCP.
fn with_service(host: &str, service: &str) -> Result<Indicator, BadEntry> {
    if service.contains(',') {
        return Err(BadEntry::Dimensions);
    }
    let (name, number) = service.split_once(':').unwrap_or(("tcp", service));
    let bad = || BadEntry::Service(service.to_owned());
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let protocol = name.parse::<Protocol>().map_err(|_| bad())?;
    if !protocol.has_ports() {
        return Err(BadEntry::Portless(name.to_owned()));
    }
    Ok(Indicator::new(
        prefix(host)?,
        Some(protocol),
        Some(port(number)?),
    ))
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, Parsed, parse};

    fn read(body: &str) -> Parsed {
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::Ipset);
        parsed
    }

    fn shown(parsed: &Parsed) -> Vec<String> {
        parsed
            .rows
            .iter()
            .map(|row| row.indicator.to_string())
            .collect()
    }

    #[test]
    fn saved_sets_with_ports_and_options() {
        let parsed = read(
            "create c2 hash:ip,port family inet timeout 0 comment\n\
             add c2 192.0.2.1,tcp:443 timeout 300 packets 0 bytes 0\n\
             add c2 192.0.2.2,udp:53 comment \"nomatch, they said\"\n\
             add c2 2001:db8::1,tcp:443\n\
             create nets hash:net\n\
             add nets 198.51.100.0/24\n\
             add nets 203.0.113.7\n\
             add nets 192.0.2.8-192.0.2.9\n\
             add nets 192.0.2.3,447\n",
        );
        let expected = [
            "192.0.2.1/32:443/tcp",
            "192.0.2.2/32:53/udp",
            "[2001:db8::1/128]:443/tcp",
            "198.51.100.0/24",
            "203.0.113.7/32",
            "192.0.2.8/31",
            "192.0.2.3/32:447/tcp",
        ];
        assert_eq!(shown(&parsed), expected);
        assert_eq!(
            (parsed.rows[0].line, parsed.rejected, parsed.complete),
            (2, 0, None)
        );
    }

    #[test]
    fn exceptions_are_ignored_with_a_warning() {
        let parsed = read("add n 198.51.100.0/24\nadd n 198.51.100.7 timeout 5 nomatch\n");
        assert_eq!((shown(&parsed).len(), parsed.ignored), (1, 1));
        assert!(parsed.warnings[0].contains("nomatch") && parsed.warnings[0].contains("line 2"));
    }

    #[test]
    fn what_cannot_be_matched_is_rejected_with_a_reason() {
        for (entry, reason) in [
            ("192.0.2.1,tcp:80,198.51.100.1", "dimensions"),
            ("192.0.2.1,icmp:ping", "icmp:ping"),
            ("192.0.2.1,47:0", "no ports"),
            ("192.0.2.1,tcp:0", "port 0"),
            ("192.0.2.1,tcp:80-90", "tcp:80-90"),
            ("192.0.2.1,eth0", "eth0"),
            ("192.0.2.1 forever", "unknown option `forever`"),
            ("02:00:00:00:00:01", "not an IP address"),
        ] {
            let parsed = read(&format!("add s 192.0.2.9\nadd s {entry}\n"));
            assert_eq!(parsed.rejected, 1, "{entry}");
            assert!(
                parsed.rejections[0].reason.contains(reason),
                "{:?}",
                parsed.rejections[0]
            );
        }
    }

    #[test]
    fn firehol_states_how_many_lines_it_has() {
        let header = "# ipv4 hash:net ipset\n# Entries         : 2 subnets, 257 unique IPs\n";
        let whole = read(&format!("{header}198.51.100.0/24\n203.0.113.1\n"));
        assert_eq!(whole.complete, Some(true));
        let cut = read(&format!("{header}198.51.100.0/24\n"));
        assert_eq!(cut.complete, Some(false));
        assert!(cut.warnings[0].contains("states 2 entries but 1"));
    }
}
