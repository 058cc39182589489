//! Rules and never-block entries, from their text.

use std::net::IpAddr;

use anyhow::{Context as _, bail};

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) drop: bool,
    pub(super) prefix: Prefix,
    pub(super) port: Option<u16>,
    pub(super) protocol: Option<u8>,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) struct Shield {
    pub(super) hard: bool,
    pub(super) prefix: Prefix,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    pub(super) v6: bool,
    /// Aligned to the highest bits.
    bits: u128,
    pub(super) length: u32,
}

impl Rule {
    pub(super) fn is_wide(&self) -> bool {
        self.port.is_none() && self.protocol.is_none()
    }
}

impl Prefix {
    pub(super) fn holds(self, address: IpAddr) -> bool {
        let differing = aligned(address) ^ self.bits;
        self.v6 == address.is_ipv6() && differing.checked_shr(128 - self.length).unwrap_or(0) == 0
    }
}

fn aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// `drop PREFIX[:PORT[/PROTOCOL]]`, with brackets around an IPv6 prefix before a port, and a third
/// word for a protocol alone.
pub(super) fn rule(text: &str) -> anyhow::Result<Rule> {
    let words: Vec<&str> = text.split(' ').collect();
    let (head, service) = match words[1].strip_prefix('[') {
        Some(rest) => rest.split_once(']').context("no closing bracket")?,
        None if words[1].matches(':').count() > 1 => (words[1], ""),
        None => words[1].split_at(words[1].find(':').unwrap_or(words[1].len())),
    };
    let (port, protocol) = match service
        .strip_prefix(':')
        .map(|service| service.split_once('/').unwrap_or((service, "")))
    {
        Some((port, protocol)) => (Some(port.parse()?), protocol),
        None => (None, words.get(2).copied().unwrap_or_default()),
    };
    let (prefix, shown) = prefix(head)?;
    let name = match (port, prefix.v6) {
        (Some(port), true) => format!("[{shown}]:{port}"),
        (Some(port), false) => format!("{shown}:{port}"),
        (None, _) => shown,
    };
    let slash = if protocol.is_empty() { "" } else { "/" };
    Ok(Rule {
        drop: words[0] == "drop",
        prefix,
        port,
        protocol: number(protocol)?,
        name: format!("{name}{slash}{protocol}"),
    })
}

pub(super) fn shield(text: &str) -> anyhow::Result<Shield> {
    let (class, head) = text.split_once(' ').context("a class and a prefix")?;
    Ok(Shield {
        hard: class == "hard",
        prefix: prefix(head)?.0,
    })
}

/// The prefix, and how it is shown: always with its length.
pub(super) fn prefix(text: &str) -> anyhow::Result<(Prefix, String)> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse()?;
    let longest = if address.is_ipv6() { 128 } else { 32 };
    let length = if length.is_empty() {
        longest
    } else {
        length.parse()?
    };
    let bits = aligned(address);
    if bits.checked_shl(length).unwrap_or(0) != 0 {
        bail!("{text} has host bits");
    }
    Ok((
        Prefix {
            v6: address.is_ipv6(),
            bits,
            length,
        },
        format!("{address}/{length}"),
    ))
}

fn number(protocol: &str) -> anyhow::Result<Option<u8>> {
    Ok(Some(match protocol {
        "" => return Ok(None),
        "tcp" => 6,
        "udp" => 17,
        "sctp" => 132,
        "dccp" => 33,
        "udplite" => 136,
        other => other.parse()?,
    }))
}
