//! The kernel's lookup on the host: the same code over a copy of the live half.

use std::net::IpAddr;

use super::{Constants, Never};
use ipnet::IpNet;
use trickblock_common::{
    Ends, Lookup, Outcome, Transport, V4, V6,
    embedded::{Nat64, Nat64Prefixes, embedded},
    judge::decide,
    table::{
        Endpoint, Geometry, KeyV4, KeyV6, Match, Record, Table,
        lookup::{find_host, find_v4, find_v6, lengths_v4, lengths_v6, side_v4, side_v6, spilled},
        prefilter::{alone_v4, near_v4, near_v6},
    },
};

/// One half and the never-block list.
#[derive(Debug)]
pub struct Snapshot {
    pub geometry: Geometry,
    /// What the program was loaded with.
    pub constants: Constants,
    /// `geometry.half` words.
    pub half: Vec<u64>,
    pub never: Never,
}

impl Snapshot {
    /// The verdict on a packet to `address` with this transport, as the program would give it.
    pub fn judge_destination(&self, address: IpAddr, transport: Transport) -> Outcome {
        let end = Endpoint::destination(transport);
        match address {
            IpAddr::V4(address) => {
                let address = V4::from_bytes(address.octets());
                if !self.close_v4(address) {
                    return Outcome::MISS;
                }
                decide(
                    Lookup::side_v4(self, address, end),
                    Match::NONE,
                    32,
                    transport,
                )
            }
            IpAddr::V6(address) => {
                let address = V6::from_bytes(address.octets());
                decide(
                    Lookup::side_v6(self, address, end),
                    Match::NONE,
                    128,
                    transport,
                )
            }
        }
    }

    /// The IPv4 address inside of an IPv6 one, where the filter looks for one.
    pub fn embedded(&self, address: IpAddr) -> Option<IpAddr> {
        let IpAddr::V6(address) = address else {
            return None;
        };
        let inside = embedded(&self.constants, V6::from_bytes(address.octets()))?;
        Some(IpAddr::V4(inside.0.into()))
    }

    /// The longest never-block prefix that holds `address`, and its protection.
    pub fn protection(&self, address: IpAddr) -> Option<(IpNet, u32)> {
        self.never.holding(address)
    }
}

impl Nat64Prefixes for Snapshot {
    fn nat64(&self, index: usize) -> Nat64 {
        self.constants.nat64(index)
    }
}

impl Lookup for Snapshot {
    fn tunnels(&self) -> u64 {
        self.constants.tunnels
    }

    fn near_v4(&self, source: V4, destination: V4) -> Ends {
        near_v4(self.half.as_slice(), &self.geometry, source, destination)
    }

    fn close_v4(&self, address: V4) -> bool {
        alone_v4(self.half.as_slice(), &self.geometry, address)
    }

    fn near_v6(&self, source: V6, destination: V6) -> bool {
        near_v6(self.half.as_slice(), &self.geometry, source, destination)
    }

    fn side_v4(&self, address: V4, end: Endpoint) -> Match {
        side_v4(self, address, end)
    }

    fn side_v6(&self, address: V6, end: Endpoint) -> Match {
        side_v6(self, address, end)
    }
}

impl Table for Snapshot {
    fn lengths_v4(&self) -> u64 {
        lengths_v4(self.half.as_slice())
    }

    fn lengths_v6(&self, word: u64) -> u64 {
        lengths_v6(self.half.as_slice(), word)
    }

    fn record_host(&self, address: V4) -> Record {
        find_host(self.half.as_slice(), &self.geometry, address)
    }

    fn spilled(&self) -> bool {
        spilled(self.half.as_slice())
    }

    fn record_v4(&self, key: KeyV4) -> Record {
        find_v4(self.half.as_slice(), &self.geometry, key)
    }

    fn record_v6(&self, key: KeyV6) -> Record {
        find_v6(self.half.as_slice(), &self.geometry, key)
    }

    fn protection_v4(&self, address: V4) -> u32 {
        self.never.value_v4(address.0)
    }

    fn protection_v6(&self, address: V6) -> u32 {
        let bits = (u128::from(address.high) << 64) | u128::from(address.low);
        self.never.value_v6(bits)
    }
}
