//! IP headers, fragments, transports.

use trickblock_common::Reason;

use super::{CLIENT, Round};
use crate::verify::packet::{ICMP, Packet, TCP, UDP};

/// Eight bytes of an extension header without the first.
const UNIT: [u8; 7] = [0; 7];
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

impl Round<'_> {
    fn both(&self) -> [(&'static str, Packet); 2] {
        [("to", self.subject.to()), ("from", self.subject.from())]
    }

    pub(super) fn headers_v4(&mut self) {
        for (side, packet) in self.both() {
            for words in [1, 5, 10] {
                self.packet(
                    format!("{side} it, {words} words of options"),
                    &packet.clone().options(words),
                );
            }
            self.packet(
                format!("{side} it, behind AH"),
                &packet.clone().authentication(),
            );
        }
        let packet = self.subject.with_ports().to();
        let short = packet
            .clone()
            .header_words(4)
            .failing(Reason::BadHeaderLength);
        self.packet("a header length of 16", &short);
        let cut = packet.clone().length(19).failing(Reason::BadTotalLength);
        self.packet("a total length of 19", &cut);
        let padding = packet
            .clone()
            .length(20)
            .failing(Reason::TruncatedTransport);
        self.packet("ports in the padding", &padding);
        let zero = packet.clone().length(0);
        let zero = if self.stand.tc {
            zero
        } else {
            zero.failing(Reason::BadTotalLength)
        };
        self.packet("a total length of 0", &zero);
        // Without a link header this would be of another family.
        if self.stand.link == trickblock_common::Link::Ethernet {
            self.packet("version 5", &packet.version(5));
        }
    }

    pub(super) fn chains(&mut self) {
        let kinds = [HOP_BY_HOP, ROUTING, DESTINATION, MOBILITY];
        for (side, packet) in self.both() {
            for kind in kinds {
                let behind = packet.clone().extension(kind, &UNIT);
                self.packet(format!("{side} it, behind header {kind}"), &behind);
            }
            let authenticated = packet
                .clone()
                .extension(AUTHENTICATION, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            self.packet(format!("{side} it, behind AH"), &authenticated);
            let eight = (0..8).fold(packet.clone(), |packet, _| {
                packet.extension(DESTINATION, &UNIT)
            });
            self.packet(format!("{side} it, behind eight headers"), &eight);
            let nine = eight
                .extension(DESTINATION, &UNIT)
                .hidden(Reason::TooManyExtensions);
            self.packet(format!("{side} it, behind nine headers"), &nine);
        }
        self.odd_chains();
    }

    fn odd_chains(&mut self) {
        let packet = self.subject.with_ports().to();
        let behind = packet.clone().extension(DESTINATION, &UNIT);
        let cut = behind.clone().cut(41).hidden(Reason::TruncatedExtension);
        self.packet("cut in an extension header", &cut);
        let jumbo = packet.clone().extension(HOP_BY_HOP, &UNIT).length(0);
        self.packet("a jumbogram", &jumbo);
        let zero = packet.clone().length(0);
        let zero = if self.stand.tc {
            zero
        } else {
            zero.failing(Reason::TruncatedTransport)
        };
        self.packet("a payload length of 0", &zero);
        if self.stand.link == trickblock_common::Link::Ethernet {
            self.packet("version 4", &packet.version(4));
        }
    }

    pub(super) fn fragments_v4(&mut self) {
        for (side, packet) in self.both() {
            self.packet(
                format!("{side} it, a first fragment"),
                &packet.clone().fragment(0, true),
            );
            self.packet(
                format!("{side} it, a middle fragment"),
                &packet.clone().fragment(7, true),
            );
            self.packet(
                format!("{side} it, a last fragment"),
                &packet.fragment(8191, false),
            );
        }
        let short = self.subject.with_ports().to().fragment(0, true);
        let short = short.cut(22).failing(Reason::IncompleteFirstFragment);
        self.packet("a first fragment without its ports", &short);
    }

    pub(super) fn fragments_v6(&mut self) {
        for (side, packet) in self.both() {
            let fragment = |offset: u16, more: bool| {
                let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
                packet
                    .clone()
                    .extension(FRAGMENT, &[0, high, low, 0, 0, 0, 1])
            };
            self.packet(format!("{side} it, a first fragment"), &fragment(0, true));
            self.packet(
                format!("{side} it, an atomic fragment"),
                &fragment(0, false),
            );
            for (offset, more) in [(7, true), (8191, false)] {
                let later = fragment(offset, more).failing(Reason::LaterFragment);
                self.packet(format!("{side} it, a fragment at {offset}"), &later);
            }
        }
        let first = [0, 0, 1, 0, 0, 0, 1];
        let packet = self.subject.with_ports().to();
        let portless = packet.clone().extension(FRAGMENT, &first).cut(50);
        self.packet(
            "a first fragment without its ports",
            &portless.failing(Reason::IncompleteFirstFragment),
        );
        let hidden = packet
            .extension(DESTINATION, &UNIT)
            .extension(FRAGMENT, &first)
            .cut(49);
        self.packet(
            "a first fragment that ends in its chain",
            &hidden.hidden(Reason::IncompleteFirstFragment),
        );
    }

    pub(super) fn transports(&mut self) {
        for protocol in [TCP, UDP, 33, 132, 136, ICMP, 58, 50, 47] {
            let over = self.subject.over(protocol);
            self.packet(format!("to it, protocol {protocol}"), &over.to());
            self.packet(format!("from it, protocol {protocol}"), &over.from());
        }
        let end = self.subject.with_ports();
        for port in [0, end.port ^ 1, end.port.swap_bytes()] {
            let packet = Packet::new(end.peer, end.address, end.protocol, (CLIENT, port));
            self.packet(format!("to port {port} of it"), &packet);
            let packet = Packet::new(end.address, end.peer, end.protocol, (port, CLIENT));
            self.packet(format!("from port {port} of it"), &packet);
        }
    }

    /// What others let pass before they look, and what they drop without looking.
    pub(super) fn peers(&mut self) {
        let (address, quiet) = (self.subject.address, self.quiet());
        for (what, from, to) in [("to", quiet, address), ("from", address, quiet)] {
            for protocol in [ICMP, 58, 50, 132, 89] {
                let packet = Packet::new(from, to, protocol, (CLIENT, 443));
                self.packet(format!("{what} it, protocol {protocol}"), &packet);
            }
            let bare = Packet::carrying(from, to, 59, &[]);
            self.packet(format!("{what} it, an IP header alone"), &bare);
        }
        let innocent = |ports| Packet::new(quiet, quiet, TCP, ports);
        self.packet(
            "somebody else, on its port",
            &innocent((CLIENT, self.subject.port)),
        );
        if !self.subject.address.is_ipv6() {
            self.packet(
                "a fragment of somebody else",
                &innocent((1, 2)).fragment(4, true),
            );
            let options = innocent((self.subject.port, self.subject.port)).options(2);
            self.packet("somebody else, with options", &options);
        }
    }
}
