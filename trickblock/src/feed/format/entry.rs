//! One entry as lists write it: quoted, defanged, in a URL, as a range, or not an address at all.

use std::{borrow::Cow, net::IpAddr, num::NonZeroU16};

use ipnet::{IpSubnets, Ipv4Subnets, Ipv6Subnets};

use crate::{
    feed::collect::{Collector, Note},
    indicator::{Indicator, Malformed, Protocol, Sighting, Written, address, written},
};

/// What an entry means.
pub(in crate::feed) enum Entry {
    One(Written),
    /// A range as the prefixes it consists of.
    Range(IpSubnets),
    /// A domain, a URL of a domain or its path, a hash, an onion service.
    NotNetwork,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::feed) enum BadEntry {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the range ends before it begins, or mixes IPv4 and IPv6")]
    Range,
    #[error("the URL names no port and its scheme has no usual one")]
    UrlPort,
}

const DEFANGED: [(&str, &str); 9] = [
    ("[://]", "://"),
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("[:]", ":"),
    ("[/]", "/"),
];

/// Reads an entry without blanks around it.
pub(in crate::feed) fn read(text: &str) -> Result<Entry, BadEntry> {
    let text = unquote(text);
    let text = refang(text);
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(scheme, rest);
    }
    let malformed = match written(&text) {
        Ok(written) => return Ok(Entry::One(written)),
        Err(malformed) => malformed,
    };
    if let Some(range) = range(&text) {
        return range;
    }
    if is_hash(&text) || is_path(&text) || is_domain(host_of(&text)) {
        return Ok(Entry::NotNetwork);
    }
    match authority_of(&text) {
        Some(authority) => url("http", authority),
        None => Err(malformed.into()),
    }
}

/// Reads an entry and files it under `line`; `shown` is what a rejection quotes.
pub(super) fn file(out: &mut Collector, line: u32, text: &str, shown: &str) {
    match read(text) {
        Ok(Entry::One(written)) => {
            if written.host_bits {
                out.note(line, Note::HostBits);
            }
            out.accept(line, written.indicator, Sighting::default());
        }
        Ok(Entry::Range(prefixes)) => {
            for prefix in prefixes {
                if out.is_full() {
                    break;
                }
                out.accept(
                    line,
                    Indicator::new(prefix, None, None),
                    Sighting::default(),
                );
            }
        }
        Ok(Entry::NotNetwork) => out.ignore(),
        Err(reason) => out.reject(line, shown, reason),
    }
}

/// Whether a line could be an entry: it is one, or it has the shape of an address gone wrong.
pub(in crate::feed) fn looks_like_one(line: &str) -> bool {
    let first = line
        .split([' ', '\t', ',', '#', ';'])
        .next()
        .unwrap_or_default();
    let shape = |byte: u8| byte.is_ascii_hexdigit() || b".:/-[]\"'".contains(&byte);
    let numbered = first.contains(['.', ':']) && first.bytes().any(|byte| byte.is_ascii_digit());
    (numbered && first.bytes().all(shape)) || read(first).is_ok()
}

/// Removes one pair of quotes around a text.
pub(super) fn unquote(text: &str) -> &str {
    for quote in ['"', '\'', '`'] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.trim();
        }
    }
    text
}

/// Whether a host is an onion service or a domain name: labels, the last of them not a number.
pub(super) fn is_domain(host: &str) -> bool {
    let host = host.trim_start_matches("*.").trim_matches('.');
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let Some((_, last)) = host.rsplit_once('.') else {
        return false;
    };
    let name = last.chars().count() >= 2 && last.starts_with(char::is_alphabetic);
    name && host.len() <= 255 && host.split('.').all(label)
}

fn refang(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains(['[', '(', '{']) {
        for (defanged, plain) in DEFANGED {
            if text.contains(defanged) {
                text = Cow::Owned(text.replace(defanged, plain));
            }
        }
    }
    let is_hxxp = text
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("hxxp"));
    match text.get(4..) {
        Some(rest) if is_hxxp => Cow::Owned(format!("http{rest}")),
        _ => text,
    }
}

/// A URL stands for the service it names: an address in it is taken with its port only.
fn url(scheme: &str, rest: &str) -> Result<Entry, BadEntry> {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if is_domain(host_of(host)) {
        return Ok(Entry::NotNetwork);
    }
    let mut written = written(host)?;
    let scheme = scheme.to_ascii_lowercase();
    if written.indicator.port.is_none() {
        written.indicator.port = Some(usual_port(&scheme).ok_or(BadEntry::UrlPort)?);
    }
    written.indicator.protocol = match scheme.as_str() {
        "tcp" => Some(Protocol::TCP),
        "udp" => Some(Protocol::UDP),
        _ => None,
    };
    Ok(Entry::One(written))
}

fn usual_port(scheme: &str) -> Option<NonZeroU16> {
    let number = match scheme {
        "http" => 80,
        "https" => 443,
        "ftp" => 21,
        _ => return None,
    };
    NonZeroU16::new(number)
}

fn host_of(text: &str) -> &str {
    text.split([':', '/', '?']).next().unwrap_or_default()
}

/// The authority of `192.0.2.1/gate.php`. A lone word behind the slash may be a misspelt protocol
/// or length, so only what has the shape of a path is taken for one.
fn authority_of(text: &str) -> Option<&str> {
    let (authority, path) = text.split_once('/')?;
    let is_path = path.starts_with(char::is_alphabetic) && path.contains(['.', '/', '?']);
    is_path.then_some(authority)
}

/// `None` when this is no range at all.
fn range(text: &str) -> Option<Result<Entry, BadEntry>> {
    let (first, last) = text.split_once('-')?;
    let first = address(first.trim()).ok()?;
    Some(match (first, address(last.trim())) {
        (IpAddr::V4(first), Ok(IpAddr::V4(last))) if first <= last => Ok(Entry::Range(
            IpSubnets::V4(Ipv4Subnets::new(first, last, 0)),
        )),
        (IpAddr::V6(first), Ok(IpAddr::V6(last))) if first <= last => Ok(Entry::Range(
            IpSubnets::V6(Ipv6Subnets::new(first, last, 0)),
        )),
        (_, Ok(_)) => Err(BadEntry::Range),
        (_, Err(malformed)) => Err(malformed.into()),
    })
}

/// The path of a URL without its host, which trails of malware lists hold.
fn is_path(text: &str) -> bool {
    let rest = text.strip_prefix('/');
    rest.is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
}

/// MD5, SHA-1, SHA-256 or SHA-512 in hexadecimal.
fn is_hash(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(text: &str) -> String {
        match read(text) {
            Ok(Entry::One(written)) => written.indicator.to_string(),
            Ok(Entry::Range(prefixes)) => prefixes
                .map(|prefix| prefix.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Ok(Entry::NotNetwork) => "not a network indicator".to_owned(),
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn lists_write_the_same_thing_in_many_ways() {
        for (text, expected) in [
            ("\"192.0.2.1\"", "192.0.2.1/32"),
            ("192.0.2[.]1", "192.0.2.1/32"),
            ("192[.]0(.)2[dot]1[:]443", "192.0.2.1/32:443"),
            ("hxxp://192.0.2.1:8080/gate.php", "192.0.2.1/32:8080"),
            ("hxxps[://]192.0.2[.]1/x?y#z", "192.0.2.1/32:443"),
            ("http://user@[2001:db8::1]/", "[2001:db8::1/128]:80"),
            ("tcp://192.0.2.1:447", "192.0.2.1/32:447/tcp"),
            ("192.0.2.1:8082/a/b.php", "192.0.2.1/32:8082"),
            ("192.0.2.1/gate.php", "192.0.2.1/32:80"),
            ("192.0.2.0-192.0.2.2", "192.0.2.0/31 192.0.2.2/32"),
            ("2001:db8::-2001:db8::1", "2001:db8::/127"),
        ] {
            assert_eq!(meaning(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_apart_from_what_is_malformed() {
        for text in [
            "evil.example",
            "*.evil.example",
            "evil[.]example:443",
            "evil.example/a.php",
            "http://evil.example/a",
            "abcdefghijklmnop.onion:443",
            "d41d8cd98f00b204e9800998ecf8427e",
            "bücher.example",
            "/gate.php",
        ] {
            assert_eq!(meaning(text), "not a network indicator", "{text}");
        }
        for text in [
            "evil",
            "192.0.2.1/gate",
            "192.0.2.1:443/icmp",
            "ssh://192.0.2.1",
            "1.2",
            "-",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(matches!(read("192.0.2.9-192.0.2.1"), Err(BadEntry::Range)));
        assert!(matches!(
            read("192.0.2.9-2001:db8::1"),
            Err(BadEntry::Range)
        ));
    }
}
