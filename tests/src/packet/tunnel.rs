//! Packets inside of packets. Inner packets keep their own lengths, paddings and cuts; what is wrong
//! with a tunnel's own header is best written as a raw payload.

use super::{Packet, Transport, network::Network};

/// The source port of UDP tunnels, which is only a hash of what is inside.
const HASHED: u16 = 49_152;

impl Packet {
    /// Carries an IP packet as it is: IPIP, 4in6, 6in4, 6in6.
    pub fn ip_in_ip(self, inner: &Self) -> Self {
        let protocol = if inner.network.is_v6() { 41 } else { 4 };
        self.raw(protocol).payload(&inner.bare())
    }

    /// Carries an IP packet in GRE.
    pub fn gre(self, inner: &Self) -> Self {
        self.gre_with(0, inner)
    }

    /// As [`Packet::gre`], with the fields that these flags announce: 0x80 checksum, 0x20 key,
    /// 0x10 sequence number. The checksum is zero, and nobody looks at it.
    pub fn gre_with(self, flags: u8, inner: &Self) -> Self {
        let header = gre_header(flags, inner.network.ether_type());
        self.raw(47).payload(&[header, inner.bare()].concat())
    }

    /// Carries an Ethernet frame in GRE.
    pub fn gre_ethernet(self, inner: &Self) -> Self {
        let header = gre_header(0, ETHERNET);
        self.raw(47).payload(&[header, inner.build()].concat())
    }

    /// Carries an Ethernet frame in VXLAN.
    pub fn vxlan(self, vni: u32, inner: &Self) -> Self {
        let mut header = vec![0x08, 0, 0, 0];
        header.extend((vni << 8).to_be_bytes());
        self.udp_tunnel(4789, header, inner.build())
    }

    /// Carries an Ethernet frame in Geneve, behind this many 32-bit words of options.
    pub fn geneve(self, vni: u32, option_words: u8, inner: &Self) -> Self {
        let header = geneve_header(vni, option_words, ETHERNET);
        self.udp_tunnel(6081, header, inner.build())
    }

    /// Carries an IP packet in Geneve.
    pub fn geneve_ip(self, vni: u32, option_words: u8, inner: &Self) -> Self {
        let header = geneve_header(vni, option_words, inner.network.ether_type());
        self.udp_tunnel(6081, header, inner.bare())
    }

    /// Carries an IP packet of a mobile subscriber.
    pub fn gtpu(self, teid: u32, inner: &Self) -> Self {
        self.gtpu_with(teid, 0, &[], inner)
    }

    /// As [`Packet::gtpu`], with flags (4 extension headers, 2 sequence number, 1 N-PDU number) and
    /// extension headers of so many 32-bit words.
    pub fn gtpu_with(self, teid: u32, flags: u8, extensions: &[u8], inner: &Self) -> Self {
        let mut rest = Vec::new();
        if flags != 0 {
            rest.extend([0, 1, 0, extension_type(extensions)]);
        }
        for (index, words) in extensions.iter().enumerate() {
            let content = usize::from(*words) * 4 - 2;
            rest.push(*words);
            rest.extend(vec![0; content]);
            rest.push(extension_type(&extensions[index + 1..]));
        }
        rest.extend(inner.bare());
        let length = u16::try_from(rest.len()).expect("shorter than 64 KiB");
        // Version 1, GTP and not GTP'; a G-PDU.
        let mut header = vec![0x30 | flags, 255];
        header.extend(length.to_be_bytes());
        header.extend(teid.to_be_bytes());
        self.udp_tunnel(2152, header, rest)
    }

    fn udp_tunnel(self, port: u16, header: Vec<u8>, inner: Vec<u8>) -> Self {
        let datagram = Transport::Udp {
            source: HASHED,
            destination: port,
        };
        self.transport(datagram).payload(&[header, inner].concat())
    }

    /// Without the link header.
    fn bare(&self) -> Vec<u8> {
        assert!(
            !matches!(self.network, Network::None { .. }),
            "this tunnel carries IP"
        );
        self.clone().without_link_header().build()
    }
}

/// Transparent Ethernet bridging.
const ETHERNET: u16 = 0x6558;

fn gre_header(flags: u8, protocol: u16) -> Vec<u8> {
    let mut header = vec![flags, 0];
    header.extend(protocol.to_be_bytes());
    let fields = (flags & 0xb0).count_ones();
    header.extend((0..fields).flat_map(|_| [0; 4]));
    header
}

fn geneve_header(vni: u32, option_words: u8, protocol: u16) -> Vec<u8> {
    assert!(option_words < 64, "Geneve has room for 63 words of options");
    let mut header = vec![option_words, 0];
    header.extend(protocol.to_be_bytes());
    header.extend((vni << 8).to_be_bytes());
    header.extend(vec![0; usize::from(option_words) * 4]);
    header
}

/// A PDU session container, as 5G has it, where another extension header follows.
fn extension_type(following: &[u8]) -> u8 {
    if following.is_empty() { 0 } else { 0x85 }
}
