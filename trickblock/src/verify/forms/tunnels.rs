//! Packets inside of packets, whether their kind of tunnel is switched on or not.

use trickblock_common::Reason;

use super::{Round, ether_type, link::ethernet};
use crate::verify::{
    content::{Content, Inside, Kind},
    packet::Packet,
};

impl Round<'_> {
    pub(super) fn tunnels(&mut self) {
        for (side, inner) in [("to", self.subject.to()), ("from", self.subject.from())] {
            for outer_v6 in [false, true] {
                for kind in Kind::ALL {
                    self.kind(side, kind, outer_v6, &inner);
                }
            }
        }
        self.wrong();
    }

    fn kind(&mut self, side: &str, kind: Kind, outer_v6: bool, inner: &Packet) {
        let frame = ethernet(&[], ether_type(inner), &inner.bytes);
        let tagged = ethernet(&[0x88a8, 0x8100], ether_type(inner), &inner.bytes);
        let network = ether_type(inner).to_be_bytes();
        let [t0, t1] = network;
        let vxlan = [8, 0, 0, 0, 0, 0, 7, 0];
        let shapes: Vec<(&str, u16, Vec<u8>)> = match kind {
            Kind::Ip => vec![(
                "plain",
                if inner.is_v6() { 41 } else { 4 },
                inner.bytes.clone(),
            )],
            Kind::Gre => vec![
                ("plain", 47, [&[0, 0, t0, t1][..], &inner.bytes].concat()),
                (
                    "with a key",
                    47,
                    [&[0x20, 0, t0, t1, 0, 0, 0, 9][..], &inner.bytes].concat(),
                ),
                (
                    "with a frame",
                    47,
                    [&[0, 0, 0x65, 0x58][..], &tagged].concat(),
                ),
            ],
            Kind::Vxlan => vec![
                ("plain", 4789, [&vxlan[..], &frame].concat()),
                ("to the port of Linux", 8472, [&vxlan[..], &tagged].concat()),
            ],
            Kind::Geneve => vec![
                (
                    "with a frame",
                    6081,
                    [&[0, 0, 0x65, 0x58, 0, 0, 7, 0][..], &frame].concat(),
                ),
                (
                    "with options",
                    6081,
                    [&[1, 0, t0, t1, 0, 0, 7, 0, 0, 0, 0, 0][..], &inner.bytes].concat(),
                ),
            ],
            Kind::Gtpu => vec![
                (
                    "plain",
                    2152,
                    [&[0x30, 255, 0, 40, 0, 0, 0, 7][..], &inner.bytes].concat(),
                ),
                (
                    "with a sequence number",
                    2152,
                    [
                        &[0x32, 255, 0, 44, 0, 0, 0, 7, 0, 1, 0, 0][..],
                        &inner.bytes,
                    ]
                    .concat(),
                ),
                (
                    "with an extension",
                    2152,
                    [
                        &[0x34, 255, 0, 48, 0, 0, 0, 7, 0, 1, 0, 0x85, 1, 0, 0, 0][..],
                        &inner.bytes,
                    ]
                    .concat(),
                ),
            ],
        };
        for (what, number, payload) in shapes {
            let outer = self.outer(kind, outer_v6, number, &payload);
            let inside = Inside::Packet {
                kind,
                flow: inner.flow.clone(),
            };
            let version = if outer_v6 { 6 } else { 4 };
            let what = format!("{side} it, in {} over IPv{version}, {what}", kind.name());
            self.around(what, &outer, inside);
        }
    }

    /// From nobody to nobody; `number` is a protocol, or the port of a UDP tunnel.
    fn outer(&self, kind: Kind, v6: bool, number: u16, payload: &[u8]) -> Packet {
        let quiet = self.quiet[usize::from(v6)];
        if kind.is_guess() {
            return Packet::datagram(quiet, quiet, number, payload);
        }
        let protocol = u8::try_from(number).unwrap_or(u8::MAX);
        Packet::carrying(quiet, quiet, protocol, payload)
    }

    fn around(&mut self, what: String, outer: &Packet, inside: Inside) {
        let content = Content::Ip {
            flow: outer.flow.clone(),
            guess: false,
            inside,
        };
        self.holding(what, outer, content);
    }

    /// What is no tunnel, or holds no packet, although it says so.
    fn wrong(&mut self) {
        let inner = self.subject.to().bytes;
        let gre = |start: [u8; 4]| [&start[..], &inner].concat();
        let wrong = [
            (
                "GRE of version 1",
                Kind::Gre,
                47,
                gre([0, 1, 8, 0]),
                Reason::BadTunnel,
            ),
            (
                "GRE with routing",
                Kind::Gre,
                47,
                gre([0x40, 0, 8, 0]),
                Reason::BadTunnel,
            ),
            (
                "a cut GRE header",
                Kind::Gre,
                47,
                vec![0, 0, 8],
                Reason::TruncatedTunnel,
            ),
            (
                "GRE with a cut packet",
                Kind::Gre,
                47,
                gre([0, 0, 8, 0])[..15].to_vec(),
                Reason::TruncatedTunnel,
            ),
            (
                "a cut packet in IP",
                Kind::Ip,
                4,
                vec![0x45; 19],
                Reason::TruncatedTunnel,
            ),
            (
                "VXLAN without its flag",
                Kind::Vxlan,
                4789,
                vec![0; 60],
                Reason::BadTunnel,
            ),
            (
                "a cut VXLAN header",
                Kind::Vxlan,
                4789,
                vec![8; 7],
                Reason::BadTunnel,
            ),
            (
                "Geneve of version 1",
                Kind::Geneve,
                6081,
                vec![0x40; 60],
                Reason::BadTunnel,
            ),
            (
                "GTP of version 2",
                Kind::Gtpu,
                2152,
                vec![0x48; 60],
                Reason::BadTunnel,
            ),
        ];
        for (what, kind, number, payload, reason) in wrong {
            let outer = self.outer(kind, false, number, &payload);
            self.around(what.to_owned(), &outer, Inside::Wrong(kind.alone(), reason));
        }
        self.hidden();
        // What is only guessed to be a packet must be a sound one.
        let doubtful = if self.subject.is_v6() {
            let mut longer = self.subject.to().length(300);
            longer.flow.sound = false;
            longer
        } else {
            self.subject.to().wrong_sum()
        };
        self.kind("not sound, to", Kind::Vxlan, false, &doubtful);
    }

    /// First fragments that end too early; what the frame holds behind them is not theirs.
    fn hidden(&mut self) {
        const FRAGMENT: u8 = 44;
        const MORE: [u8; 7] = [0, 0, 1, 0, 0, 0, 7];
        let inner = self.subject.to();
        for kind in Kind::ALL {
            let (number, header): (u16, &[u8]) = match kind {
                Kind::Ip => (if inner.is_v6() { 41 } else { 4 }, &[]),
                Kind::Gre => (
                    47,
                    if inner.is_v6() {
                        &[0, 0, 0x86, 0xdd]
                    } else {
                        &[0, 0, 8, 0]
                    },
                ),
                Kind::Vxlan => (4789, &[8, 0, 0, 0, 0, 0, 7, 0]),
                Kind::Geneve => (6081, &[0, 0, 0x65, 0x58, 0, 0, 7, 0]),
                Kind::Gtpu => (2152, &[0x30, 255, 0, 40, 0, 0, 0, 7]),
            };
            let payload = [header, &inner.bytes].concat();
            let whole = [false, true].map(|v6| self.outer(kind, v6, number, &payload));
            let [v4, v6] = whole;
            // So much of the tunnel's own header, and next to nothing of what it carries.
            let held =
                u16::try_from(header.len()).unwrap_or(0) + if kind.is_guess() { 8 } else { 0 };
            let inside = Inside::Wrong(kind.alone(), Reason::IncompleteFirstFragment);
            let what = format!("{} hidden in a fragment", kind.name());
            self.around(
                what.clone(),
                &v4.fragment(0, true).length(20 + held + 7),
                inside.clone(),
            );
            let v6 = v6.extension(FRAGMENT, &MORE).length(8 + held + 7);
            self.around(format!("{what} of IPv6"), &v6, inside);
        }
    }
}
