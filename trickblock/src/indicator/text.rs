//! The strict grammar of an indicator: `ADDRESS[/LENGTH][:PORT[/PROTOCOL]]`, with brackets around
//! an IPv6 address that is followed by a port. What feeds add to it (quotes, defanging, URLs,
//! ranges) is undone before this is asked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU16,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Indicator, Protocol};

/// An indicator as somebody wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub indicator: Indicator,
    /// The text had bits set to the right of the prefix, which were cleared.
    pub host_bits: bool,
}

/// Why a text is not an indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("not an IP address, prefix or range")]
    Address,
    #[error("an octet begins with 0, which some programs read as octal")]
    Octal,
    #[error("an octet is above 255")]
    Octet,
    #[error("an address with a zone (`%`) has no meaning outside its host")]
    Zone,
    #[error("the prefix length is not a number from 0 to 32 (IPv4) or 128 (IPv6)")]
    Length,
    #[error("the port is missing")]
    PortMissing,
    #[error("port 0 names no service")]
    PortZero,
    #[error("the port is not a number from 1 to 65535")]
    Port,
    #[error("there is more than one port")]
    PortTwice,
    #[error("the protocol is not tcp, udp, sctp, dccp or udplite")]
    Protocol,
    #[error("a protocol without a port cannot be matched: write `address:port/protocol`")]
    ProtocolAlone,
}

/// Reads `192.0.2.1`, `192.0.2.0/24`, either with `:443` or `:443/tcp`, `2001:db8::/32`,
/// `[2001:db8::1]:443`.
pub fn written(text: &str) -> Result<Written, Malformed> {
    if let Some(rest) = text.strip_prefix('[') {
        return bracketed(rest);
    }
    match text.bytes().filter(|byte| *byte == b':').count() {
        0 => whole(text),
        1 => {
            let (host, service) = text.split_once(':').ok_or(Malformed::Address)?;
            with_service(host, service)
        }
        _ if text.find('.') < text.find(':') && text.contains('.') => Err(Malformed::PortTwice),
        _ => whole(text),
    }
}

/// Reads an address with an optional length or IPv4 netmask. The prefix is not yet truncated.
pub fn prefix(text: &str) -> Result<IpNet, Malformed> {
    let Some((host, length)) = text.split_once('/') else {
        return address(text).map(IpNet::from);
    };
    match address(host)? {
        IpAddr::V4(host) => v4_prefix(host, length).map(IpNet::V4),
        IpAddr::V6(host) => Ipv6Net::new(host, digits(length, 3)?)
            .map(IpNet::V6)
            .map_err(|_| Malformed::Length),
    }
}

/// Reads one address in its usual notation: four decimal octets, or RFC 4291.
pub fn address(text: &str) -> Result<IpAddr, Malformed> {
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Ok(IpAddr::V4(v4));
    }
    text.parse::<Ipv6Addr>()
        .map(IpAddr::V6)
        .map_err(|_| not_an_address(text))
}

/// Reads a port from 1 to 65535, digits only.
pub fn port(text: &str) -> Result<NonZeroU16, Malformed> {
    if text.is_empty() {
        return Err(Malformed::PortMissing);
    }
    if text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed::Port);
    }
    let number = text.parse::<u16>().map_err(|_| Malformed::Port)?;
    NonZeroU16::new(number).ok_or(Malformed::PortZero)
}

fn bracketed(rest: &str) -> Result<Written, Malformed> {
    let (host, after) = rest.split_once(']').ok_or(Malformed::Address)?;
    match after.strip_prefix(':') {
        Some(service) => with_service(host, service),
        None if after.is_empty() => whole(host),
        None if after.starts_with('/') && !host.contains('/') => whole(&format!("{host}{after}")),
        None => Err(Malformed::Address),
    }
}

fn whole(text: &str) -> Result<Written, Malformed> {
    let tail = text.rsplit_once('/').map(|(_, tail)| tail);
    if tail.is_some_and(|tail| protocol(tail).is_ok()) {
        return Err(Malformed::ProtocolAlone);
    }
    prefix(text).map(|prefix| build(prefix, None, None))
}

fn with_service(host: &str, service: &str) -> Result<Written, Malformed> {
    let prefix = prefix(host)?;
    let Some((number, name)) = service.split_once('/') else {
        return Ok(build(prefix, None, Some(port(service)?)));
    };
    Ok(build(prefix, Some(protocol(name)?), Some(port(number)?)))
}

/// By name only: a number behind a slash is read as a length everywhere else.
fn protocol(name: &str) -> Result<Protocol, Malformed> {
    let number = name.starts_with(|first: char| first.is_ascii_digit());
    match name.parse::<Protocol>() {
        Ok(protocol) if protocol.has_ports() && !number => Ok(protocol),
        _ => Err(Malformed::Protocol),
    }
}

fn build(prefix: IpNet, protocol: Option<Protocol>, port: Option<NonZeroU16>) -> Written {
    Written {
        indicator: Indicator::new(prefix, protocol, port),
        host_bits: prefix.addr() != prefix.network(),
    }
}

fn v4_prefix(host: Ipv4Addr, length: &str) -> Result<Ipv4Net, Malformed> {
    if let Ok(mask) = length.parse::<Ipv4Addr>() {
        return Ipv4Net::with_netmask(host, mask).map_err(|_| Malformed::Length);
    }
    Ipv4Net::new(host, digits(length, 2)?).map_err(|_| Malformed::Length)
}

fn digits(text: &str, most: usize) -> Result<u8, Malformed> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return Err(Malformed::Length);
    }
    text.parse().map_err(|_| Malformed::Length)
}

/// Four numbers with dots are an address that went wrong, and the author should know how.
fn not_an_address(text: &str) -> Malformed {
    if text.contains('%') {
        return Malformed::Zone;
    }
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let octets: Vec<&str> = text.splitn(5, '.').collect();
    if octets.len() != 4 || !octets.iter().all(|octet| numeric(octet)) {
        return Malformed::Address;
    }
    let padded = octets
        .iter()
        .any(|octet| octet.len() > 1 && octet.starts_with('0'));
    if padded {
        Malformed::Octal
    } else {
        Malformed::Octet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_texts_and_what_they_mean() {
        for (text, meaning) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("192.0.2.1/32", "192.0.2.1/32"),
            ("192.0.2.9/24", "192.0.2.0/24"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.1:443", "192.0.2.1/32:443"),
            ("192.0.2.1:443/TCP", "192.0.2.1/32:443/tcp"),
            ("192.0.2.0/24:53/udp", "192.0.2.0/24:53/udp"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("[2001:db8::1]", "2001:db8::1/128"),
            ("[2001:db8::]/32", "2001:db8::/32"),
            ("[2001:db8::1]:443/sctp", "[2001:db8::1/128]:443/sctp"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ] {
            assert_eq!(
                written(text).unwrap().indicator.to_string(),
                meaning,
                "{text}"
            );
        }
    }

    #[test]
    fn bad_texts_and_why() {
        for (text, why) in [
            ("", Malformed::Address),
            ("192.0.2", Malformed::Address),
            ("192.0.2.1.5", Malformed::Address),
            ("192.0.2.*", Malformed::Address),
            ("010.1.1.1", Malformed::Octal),
            ("192.0.2.256", Malformed::Octet),
            ("fe80::1%eth0", Malformed::Zone),
            ("192.0.2.1/33", Malformed::Length),
            ("192.0.2.1/", Malformed::Length),
            ("192.0.2.1/+8", Malformed::Length),
            ("192.0.2.0/255.0.255.0", Malformed::Length),
            ("2001:db8::/129", Malformed::Length),
            ("192.0.2.1:", Malformed::PortMissing),
            ("192.0.2.1:0", Malformed::PortZero),
            ("192.0.2.1:65536", Malformed::Port),
            ("192.0.2.1:+443", Malformed::Port),
            ("192.0.2.1:447:447", Malformed::PortTwice),
            ("192.0.2.1/tcp", Malformed::ProtocolAlone),
            ("192.0.2.1:443/6", Malformed::Protocol),
            ("192.0.2.1:443/icmp", Malformed::Protocol),
            ("[2001:db8::1", Malformed::Address),
            ("[2001:db8::1]x", Malformed::Address),
            ("2001:db8:0:0:0:0:0:1:443", Malformed::Address),
        ] {
            assert_eq!(written(text), Err(why), "{text}");
        }
    }

    #[test]
    fn host_bits_are_noted() {
        assert!(written("192.0.2.9/24").unwrap().host_bits);
        assert!(written("2001:db8::1/32").unwrap().host_bits);
        assert!(!written("192.0.2.0/24").unwrap().host_bits);
        assert!(!written("192.0.2.9").unwrap().host_bits);
    }
}
