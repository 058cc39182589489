//! What is wrong in itself, and which way packets go.

use trickblock_common::{Link, Reason};

use super::{
    CLIENT, Round, ether_type,
    link::{MPLS, PPPOE, ethernet, labels},
};
use crate::verify::{
    content::Content,
    packet::{ICMP, ICMP_V6, Packet, TCP, UDP},
};

impl Round<'_> {
    /// One of each reason that an interface can be closed to.
    pub(super) fn malformed(&mut self) {
        let packet = self.subject.with_ports().to();
        let cut = packet.clone().cut(19.min(packet.bytes.len()));
        let (tags, kind): (&[u16], u16) = (&[0x8100], ether_type(&packet));
        let frame = match self.stand.link {
            Link::Ethernet => ethernet(tags, kind, &cut.bytes),
            Link::Ip => cut.bytes,
        };
        self.frame(
            "cut before its addresses",
            frame,
            Content::Nothing(Reason::TruncatedIp),
        );
        let header = if packet.is_v6() { 40 } else { 20 };
        let portless = packet
            .clone()
            .cut(header + 2)
            .failing(Reason::TruncatedTransport);
        self.packet("cut before its ports", &portless);
        if packet.is_v6() {
            let chain = packet.clone().extension(0, &[0; 7]).cut(41);
            self.packet(
                "cut in its chain",
                &chain.hidden(Reason::TruncatedExtension),
            );
        } else {
            let lengths = packet
                .clone()
                .header_words(3)
                .failing(Reason::BadHeaderLength);
            self.packet("an impossible header length", &lengths);
            let total = packet.clone().length(7).failing(Reason::BadTotalLength);
            self.packet("an impossible total length", &total);
        }
        if self.stand.link == Link::Ethernet {
            self.malformed_links(&packet);
        }
    }

    fn malformed_links(&mut self, packet: &Packet) {
        let kind = ether_type(packet);
        let version = packet.clone().version(if packet.is_v6() { 7 } else { 3 });
        self.packet("another version", &version);
        let tag = [0x8100];
        let frames = [
            (
                "cut in a tag",
                ethernet(&tag, kind, &[])[..17].to_vec(),
                Reason::TruncatedLink,
            ),
            (
                "five tags",
                ethernet(&[0x8100; 5], kind, &packet.bytes),
                Reason::TooManyTags,
            ),
            (
                "a cut label",
                ethernet(&[], MPLS, &[0, 1]),
                Reason::TruncatedMpls,
            ),
            (
                "six labels",
                ethernet(&[], MPLS, &labels(6, true)),
                Reason::TooManyLabels,
            ),
            (
                "a cut session header",
                ethernet(&[], PPPOE, &[0x11, 0, 0]),
                Reason::TruncatedPppoe,
            ),
            (
                "a session of another version",
                ethernet(&[], PPPOE, &[0x22, 0, 0, 1, 0, 2, 0, 0x21]),
                Reason::BadPppoe,
            ),
        ];
        for (what, frame, reason) in frames {
            self.frame(what, frame, Content::Nothing(reason));
        }
    }

    /// Calls, answers and knocks.
    pub(super) fn directions(&mut self) {
        let (it, quiet) = (self.subject.address, self.quiet());
        let port = self.subject.port;
        let icmp = if self.subject.is_v6() { ICMP_V6 } else { ICMP };
        for protocol in [TCP, icmp] {
            let knock = Packet::new(it, quiet, protocol, (port, CLIENT));
            self.packet(
                format!("from it, protocol {protocol}, of its own accord"),
                &knock,
            );
            let answer = Packet::answer(it, quiet, protocol, (port, CLIENT));
            self.packet(format!("from it, protocol {protocol}, an answer"), &answer);
        }
        for ports in [(port, u16::MAX), (u16::MAX, port), (port, port)] {
            let packet = Packet::new(it, quiet, UDP, ports);
            self.packet(format!("from it, UDP, {} to {}", ports.0, ports.1), &packet);
        }
        self.packet("from it, ESP", &Packet::new(it, quiet, 50, (0, 0)));
        self.packet("to it", &self.subject.to());
    }
}
