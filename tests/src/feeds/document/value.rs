//! Addresses and what goes with them, as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// A server: an address and a port.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    pub address: IpAddr,
    pub port: u16,
}

impl Server {
    pub fn draw(random: &mut Random) -> Self {
        Self {
            address: address(random),
            port: port(random),
        }
    }

    pub fn v4(random: &mut Random) -> Self {
        Self {
            address: v4(random).into(),
            port: port(random),
        }
    }

    /// As lists write it: `192.0.2.1:443`, `[2001:db8::1]:443`.
    pub fn text(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("{address}:{}", self.port),
            IpAddr::V6(address) => format!("[{address}]:{}", self.port),
        }
    }

    /// As the product writes the indicator.
    pub fn shown(&self, protocol: Option<&str>) -> String {
        let service = protocol.map_or_else(String::new, |name| format!("/{name}"));
        match self.address {
            IpAddr::V4(address) => format!("{address}/32:{}{service}", self.port),
            IpAddr::V6(address) => format!("[{address}/128]:{}{service}", self.port),
        }
    }
}

/// As the product writes an address without a port.
pub fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    }
}

pub fn address(random: &mut Random) -> IpAddr {
    match random.percent(75) {
        true => v4(random).into(),
        false => v6(random).into(),
    }
}

pub fn v4(random: &mut Random) -> Ipv4Addr {
    let last = random.byte();
    match random.below(4) {
        0 => Ipv4Addr::new(192, 0, 2, last),
        1 => Ipv4Addr::new(198, 51, 100, last),
        2 => Ipv4Addr::new(203, 0, 113, last),
        _ => Ipv4Addr::from(u32::from_be_bytes([
            random.pick(&[1, 9, 45, 100, 185, 223]),
            random.byte(),
            random.byte(),
            last,
        ])),
    }
}

/// Global ones; with runs of zeros, since those have a short form.
pub fn v6(random: &mut Random) -> Ipv6Addr {
    let mut groups = [0x2001, 0x0db8, 0, 0, 0, 0, 0, 0];
    for group in groups.iter_mut().skip(2) {
        if random.percent(40) {
            *group = u16::from_be_bytes([random.byte(), random.byte()]);
        }
    }
    groups.into()
}

pub fn port(random: &mut Random) -> u16 {
    match random.percent(60) {
        true => random.pick(&[80, 443, 447, 449, 8080, 8443]),
        false => u16::try_from(1 + random.below(65_535)).expect("a port"),
    }
}

/// A prefix without bits beyond its length.
pub fn network(random: &mut Random) -> String {
    if random.percent(70) {
        let length = u32::try_from(8 + random.below(25)).expect("a length");
        let bits = v4(random).to_bits() & (u32::MAX << (32 - length));
        return format!("{}/{length}", Ipv4Addr::from(bits));
    }
    let length = u32::try_from(32 + random.below(97)).expect("a length");
    let bits = v6(random).to_bits() & (u128::MAX << (128 - length));
    format!("{}/{length}", Ipv6Addr::from(bits))
}

pub fn family(random: &mut Random) -> &'static str {
    random.pick(&[
        "Emotet",
        "Dridex",
        "TrickBot",
        "Cobalt Strike",
        "Größe",
        "x",
    ])
}

pub fn time(random: &mut Random) -> String {
    format!(
        "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
        15 + random.below(12),
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60)
    )
}
