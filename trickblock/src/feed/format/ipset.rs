//! `ipset save` output and FireHOL's ipset/netset files.

use std::{collections::HashMap, num::NonZeroU16};

use ipnet::IpNet;

use super::{
    entry::{self, Entry},
    lines::{MAX_LINE, lines},
    plain,
};
use crate::{
    feed::collect::{Collector, MAX_ROWS, Note},
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
    let exceptions = Exceptions::of(text);
    if exceptions.count > MAX_ROWS {
        out.overflow();
        return;
    }
    for (number, line) in lines(text) {
        if let Some(comment) = line.strip_prefix('#') {
            stated = stated.or_else(|| firehol_count(comment));
        } else if let Some(command) = line.strip_prefix("add ") {
            add(out, number, line, command, &exceptions);
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
    #[error(transparent)]
    Entry(#[from] entry::BadEntry),
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
    let number = plain::stated(words.next()?)?;
    matches!(words.next()?, "subnets," | "subnets" | "unique").then_some(number)
}

fn add(out: &mut Collector, number: u32, line: &str, command: &str, exceptions: &Exceptions<'_>) {
    let read = element(line, command).and_then(|element| Ok((element.meaning()?, element)));
    match read {
        Ok((meaning, element)) => {
            if meaning.host_bits {
                out.note(number, Note::HostBits);
            }
            if element.nomatch {
                out.note(number, Note::Nomatch);
            }
            if element.nomatch || meaning.indicators.is_empty() {
                out.ignore();
                return;
            }
            for indicator in meaning.indicators {
                take(
                    out,
                    number,
                    indicator,
                    exceptions.of_set(element.set, indicator),
                );
            }
        }
        Err(reason) => out.reject(number, line, reason),
    }
}

/// Files an indicator without the exceptions of its set; one that nothing is left of is ignored.
fn take(out: &mut Collector, number: u32, indicator: Indicator, exceptions: &[IpNet]) {
    let around = exceptions.partition_point(|exception| *exception <= indicator.prefix);
    let before = around.checked_sub(1).and_then(|at| exceptions.get(at));
    if before.is_some_and(|exception| exception.contains(&indicator.prefix)) {
        out.ignore();
        return;
    }
    let inner = inside(exceptions, indicator.prefix);
    split(out, number, indicator, inner);
}

/// Accepts the prefix by halves until no exception is left in them.
fn split(out: &mut Collector, number: u32, indicator: Indicator, inner: &[IpNet]) {
    let prefix = indicator.prefix;
    if out.is_full() || inner.first() == Some(&prefix) {
        return;
    }
    if inner.is_empty() {
        out.accept(number, indicator, Sighting::default());
        return;
    }
    for half in prefix
        .subnets(prefix.prefix_len().saturating_add(1))
        .into_iter()
        .flatten()
    {
        let part = Indicator::new(half, indicator.protocol, indicator.port);
        split(out, number, part, inside(inner, half));
    }
}

/// The part of the sorted, disjoint `prefixes` that lies inside `outer`.
fn inside(prefixes: &[IpNet], outer: IpNet) -> &[IpNet] {
    let start = prefixes.partition_point(|prefix| *prefix < outer);
    let rest = prefixes.get(start..).unwrap_or_default();
    let end = rest.partition_point(|prefix| outer.contains(prefix));
    rest.get(..end).unwrap_or_default()
}

type Service = (Option<Protocol>, Option<NonZeroU16>);

/// The `nomatch` entries of each set and service, sorted and disjoint.
#[derive(Default)]
struct Exceptions<'a> {
    sets: HashMap<(&'a str, Service), Vec<IpNet>>,
    count: usize,
}

impl<'a> Exceptions<'a> {
    /// They may stand behind the prefixes they are exceptions of, so they are collected first.
    fn of(text: &'a str) -> Self {
        let mut all = Self::default();
        for (_, line) in lines(text).filter(|(_, line)| line.contains(" nomatch")) {
            if all.count <= MAX_ROWS {
                all.collect(line);
            }
        }
        for prefixes in all.sets.values_mut() {
            *prefixes = IpNet::aggregate(prefixes);
            prefixes.sort_unstable();
        }
        all
    }

    fn collect(&mut self, line: &'a str) {
        let element = line
            .strip_prefix("add ")
            .and_then(|command| element(line, command).ok());
        let Some(element) = element.filter(|element| element.nomatch) else {
            return;
        };
        for indicator in element
            .meaning()
            .into_iter()
            .flat_map(|read| read.indicators)
        {
            let service = (indicator.protocol, indicator.port);
            let prefixes = self.sets.entry((element.set, service)).or_default();
            prefixes.push(indicator.prefix);
            self.count = self.count.saturating_add(1);
        }
    }

    fn of_set(&self, set: &'a str, indicator: Indicator) -> &[IpNet] {
        let service = (indicator.protocol, indicator.port);
        self.sets.get(&(set, service)).map_or(&[], Vec::as_slice)
    }
}

struct Element<'a> {
    set: &'a str,
    text: &'a str,
    /// An exception from a wider prefix of the same set.
    nomatch: bool,
}

/// What an element covers; nothing when it is no address.
struct Meaning {
    indicators: Vec<Indicator>,
    host_bits: bool,
}

impl Element<'_> {
    fn meaning(&self) -> Result<Meaning, BadEntry> {
        let of = |indicators| Meaning {
            indicators,
            host_bits: false,
        };
        if let Some((host, service)) = self.text.split_once(',') {
            return Ok(of(vec![with_service(host, service)?]));
        }
        Ok(match entry::read(self.text)? {
            Entry::One(written) => Meaning {
                indicators: vec![written.indicator],
                host_bits: written.host_bits,
            },
            Entry::Range(prefixes) => of(prefixes
                .map(|prefix| Indicator::new(prefix, None, None))
                .collect()),
            Entry::NotNetwork => of(Vec::new()),
        })
    }
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
    let set = words.next().ok_or(BadEntry::Short)?;
    let text = words.next().ok_or(BadEntry::Short)?;
    let mut nomatch = false;
    while let Some(word) = words.next() {
        match word {
            "nomatch" => nomatch = true,
            _ if OPTIONS.contains(&word) => drop(words.next()),
            _ => return Err(BadEntry::Option(word.to_owned())),
        }
    }
    Ok(Element { set, text, nomatch })
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
    fn exceptions_are_taken_out_of_their_set() {
        let parsed = read(
            "add n 198.51.100.0/29\nadd n 198.51.100.5 timeout 5 nomatch\nadd n 198.51.100.5\n\
             add m 198.51.100.0/29\nadd n 192.0.2.1\n",
        );
        let expected = [
            "198.51.100.0/30",
            "198.51.100.4/32",
            "198.51.100.6/31",
            "198.51.100.0/29",
            "192.0.2.1/32",
        ];
        assert_eq!(shown(&parsed), expected);
        assert_eq!((parsed.rows[2].line, parsed.rows[3].line), (1, 4));
        assert_eq!((parsed.ignored, parsed.total()), (2, 7));
        assert!(parsed.warnings[0].contains("nomatch") && parsed.warnings[0].contains("line 2"));
    }

    #[test]
    fn exceptions_keep_to_their_service_and_may_be_ranges() {
        let parsed = read(
            "add s 192.0.2.0/31,tcp:80\nadd s 192.0.2.0/31,tcp:443\nadd s 192.0.2.1,tcp:80 nomatch\n\
             add n 2001:db8::/126\nadd n 2001:db8::1-2001:db8::2 nomatch\nadd n ::/0 comment \" nomatch\"\n\
             add n 192.0.2.300 nomatch\nadd w 192.0.2.0/24\nadd w 192.0.0.0/16 nomatch\n",
        );
        let found = shown(&parsed);
        let expected = [
            "192.0.2.0/32:80/tcp",
            "192.0.2.0/31:443/tcp",
            "2001:db8::/128",
            "2001:db8::3/128",
        ];
        assert_eq!(found[..4], expected);
        // All of IPv6 without two neighbours of different /127: one part for each bit around them.
        assert_eq!(found.len(), 4 + 128);
        assert_eq!((parsed.rejected, parsed.ignored), (1, 4));
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
