//! The packets of every class, made for one indicator at a time.

mod addresses;
mod link;
mod network;
mod shields;
mod tunnels;
mod wrong;

use std::{borrow::Cow, net::IpAddr};

use trickblock_common::Link;

use super::{class::Class, content::Content, packet::Packet, rules::Rules};
use crate::table::Entry;

/// A packet and what it says.
#[derive(Clone, Debug)]
pub struct Probe {
    pub what: Cow<'static, str>,
    pub frame: Vec<u8>,
    pub content: Content,
}

/// Where packets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    pub link: Link,
    /// TC takes a length of 0 for that of a packet too long for the field.
    pub tc: bool,
}

/// What the packets of one round are about: an address that an indicator holds, or one of none.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub entry: Option<&'a Entry>,
    pub address: IpAddr,
    /// Nobody lists it.
    pub peer: IpAddr,
    pub protocol: u8,
    pub port: u16,
}

/// A port that no server has.
pub const CLIENT: u16 = 49_152;

impl Subject<'_> {
    /// To the address, as the indicator wants it.
    pub fn to(&self) -> Packet {
        Packet::new(self.peer, self.address, self.protocol, (CLIENT, self.port))
    }

    /// From it.
    pub fn from(&self) -> Packet {
        Packet::new(self.address, self.peer, self.protocol, (self.port, CLIENT))
    }

    /// The same of another address.
    fn at(self, address: IpAddr) -> Self {
        Self { address, ..self }
    }

    /// The same with another protocol.
    fn over(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }

    /// With one that has ports, whatever the indicator wants.
    fn with_ports(self) -> Self {
        if [6, 17, 33, 132, 136].contains(&self.protocol) {
            return self;
        }
        self.over(super::packet::TCP)
    }

    fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }
}

/// What a round may know.
pub struct Round<'a> {
    pub rules: &'a Rules,
    pub stand: Stand,
    /// The subject of the round.
    pub subject: Subject<'a>,
    /// Another one, for packets with two listed ends.
    pub other: Subject<'a>,
    /// An address of each family that nobody lists.
    pub quiet: [IpAddr; 2],
    probes: Vec<Probe>,
}

impl<'a> Round<'a> {
    pub fn new(
        rules: &'a Rules,
        stand: Stand,
        subject: Subject<'a>,
        other: Subject<'a>,
        quiet: [IpAddr; 2],
    ) -> Self {
        Self {
            rules,
            stand,
            subject,
            other,
            quiet,
            probes: Vec::new(),
        }
    }

    /// Every packet of the class that the subject gives rise to.
    pub fn probes(mut self, class: Class) -> Vec<Probe> {
        let (v6, ethernet) = (self.subject.is_v6(), self.stand.link == Link::Ethernet);
        match class {
            Class::ExactV4 if !v6 => self.exact(),
            Class::ExactV6 if v6 => self.exact(),
            Class::Neighbouring => self.neighbouring(),
            Class::Tags if ethernet => self.tags(),
            Class::Truncation => self.truncation(),
            Class::Ipv4 if !v6 => self.headers_v4(),
            Class::Ipv6 if v6 => self.chains(),
            Class::FragmentsV4 if !v6 => self.fragments_v4(),
            Class::FragmentsV6 if v6 => self.fragments_v6(),
            Class::Transports => self.transports(),
            Class::NeverBlock => self.shielded(super::rules::Protection::Hard),
            Class::OwnNetwork => self.shielded(super::rules::Protection::Own),
            Class::Precedence => self.precedence(),
            Class::Sides => self.sides(),
            Class::Peers => self.peers(),
            Class::Labels if ethernet => self.labels(),
            Class::Embedded => self.embedded(),
            Class::Neighbours => self.neighbours(),
            Class::Tunnels => self.tunnels(),
            Class::Malformed => self.malformed(),
            Class::Directions => self.directions(),
            Class::Hooks => self.plain(),
            _ => {}
        }
        self.probes
    }

    /// One packet.
    pub fn once(mut self) -> Vec<Probe> {
        self.packet("to it", &self.subject.to());
        self.probes
    }

    /// There and back.
    fn plain(&mut self) {
        self.packet("to it", &self.subject.to());
        self.packet("from it", &self.subject.from());
    }

    fn quiet(&self) -> IpAddr {
        self.quiet[usize::from(self.subject.is_v6())]
    }

    /// A packet behind the plain link header of the hook.
    fn packet(&mut self, what: impl Into<Cow<'static, str>>, packet: &Packet) {
        self.holding(what, packet, packet.flow.clone());
    }

    /// The same, where what it says is not all that its flow tells.
    fn holding(
        &mut self,
        what: impl Into<Cow<'static, str>>,
        packet: &Packet,
        content: impl Into<Content>,
    ) {
        let frame = match self.stand.link {
            Link::Ethernet => link::ethernet(&[], ether_type(packet), &packet.bytes),
            Link::Ip => packet.bytes.clone(),
        };
        self.frame(what, frame, content);
    }

    fn frame(
        &mut self,
        what: impl Into<Cow<'static, str>>,
        frame: Vec<u8>,
        content: impl Into<Content>,
    ) {
        if frame.len() >= shortest(&frame, self.stand.tc) {
            self.probes.push(Probe {
                what: what.into(),
                frame,
                content: content.into(),
            });
        }
    }
}

/// The kernel shows no shorter ones. Where a TC program sees an EtherType of IP, the whole fixed header
/// must be there; behind a tag it does not ask.
fn shortest(frame: &[u8], tc: bool) -> usize {
    match frame.get(12..14) {
        Some([0x08, 0x00]) if tc => 34,
        Some([0x86, 0xdd]) if tc => 54,
        _ => 15,
    }
}

fn ether_type(packet: &Packet) -> u16 {
    if packet.is_v6() { 0x86dd } else { 0x0800 }
}
