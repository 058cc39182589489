//! What stands in front of the IP packet.

use trickblock_common::{Link, Reason};

use super::{Round, ether_type};
use crate::verify::{
    content::Content,
    packet::{ICMP, ICMP_V6, Packet, TCP},
};

/// 802.1Q, 802.1ad, and the three older ones of QinQ.
const TAGS: [u16; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
/// LLDP, PPPoE discovery, EAPOL, a length, and IPv4 with its bytes swapped.
const FOREIGN: [u16; 5] = [0x88cc, 0x8863, 0x888e, 38, 0x0008];
pub(super) const MPLS: u16 = 0x8847;
pub(super) const PPPOE: u16 = 0x8864;

/// An Ethernet frame with these tags, the outermost first.
pub(super) fn ethernet(tags: &[u16], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(14 + 4 * tags.len() + payload.len());
    frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 100]);
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// So many MPLS labels; the last one says that it is, unless they are endless.
pub(super) fn labels(count: usize, endless: bool) -> Vec<u8> {
    let label = |index: usize| {
        let last = index + 1 == count && !endless;
        [0, 1, 0x10 | u8::from(last), 64]
    };
    (0..count).flat_map(label).collect()
}

fn session(protocol: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[0x11, 0, 0, 7, 0, 60][..], protocol, payload].concat()
}

impl Round<'_> {
    pub(super) fn tags(&mut self) {
        let packets = [("to", self.subject.to()), ("from", self.subject.from())];
        for (side, packet) in &packets {
            for kind in TAGS {
                for depth in 1..=5 {
                    self.tagged(
                        format!("{side} it, {depth} × {kind:#06x}"),
                        &vec![kind; depth],
                        packet,
                    );
                }
            }
            self.tagged(format!("{side} it, QinQ"), &[0x88a8, 0x8100], packet);
        }
        for foreign in FOREIGN {
            let frame = ethernet(&[], foreign, &packets[0].1.bytes);
            self.frame(
                format!("EtherType {foreign:#06x}"),
                frame,
                Content::Nothing(Reason::NonIp),
            );
        }
    }

    fn tagged(&mut self, what: String, tags: &[u16], packet: &Packet) {
        let frame = ethernet(tags, ether_type(packet), &packet.bytes);
        let content = if tags.len() > 4 {
            Content::Nothing(Reason::TooManyTags)
        } else {
            packet.flow.clone().into()
        };
        self.frame(what, frame, content);
    }

    /// Every length of a frame with two tags.
    pub(super) fn truncation(&mut self) {
        let packet = self.subject.with_ports().to();
        let (tags, link): (&[u16], usize) = match self.stand.link {
            Link::Ethernet => (&[0x88a8, 0x8100], 22),
            Link::Ip => (&[], 0),
        };
        let frame = match self.stand.link {
            Link::Ethernet => ethernet(tags, ether_type(&packet), &packet.bytes),
            Link::Ip => packet.bytes.clone(),
        };
        for length in 15..=frame.len() {
            let content = cut(&packet, length, link);
            self.frame(
                format!("{length} bytes of it"),
                frame[..length].to_vec(),
                content,
            );
        }
    }

    pub(super) fn labels(&mut self) {
        for (side, packet) in [("to", self.subject.to()), ("from", self.subject.from())] {
            for count in 1..=4 {
                let stack = labels(count, false);
                self.guessed(format!("{side} it, {count} labels"), MPLS, &stack, &packet);
            }
            self.guessed(
                format!("{side} it, multicast"),
                0x8848,
                &labels(1, false),
                &packet,
            );
            let doubtful = if packet.is_v6() {
                let mut longer = packet.clone().length(200);
                longer.flow.sound = false;
                longer
            } else {
                packet.clone().wrong_sum()
            };
            self.guessed(
                format!("{side} it, not sound"),
                MPLS,
                &labels(1, false),
                &doubtful,
            );
            self.sessions(side, &packet);
        }
        self.wrong_labels();
    }

    /// Behind labels it is only a guess that this is a packet.
    fn guessed(&mut self, what: String, ether_type: u16, stack: &[u8], packet: &Packet) {
        let frame = ethernet(&[], ether_type, &[stack, &packet.bytes].concat());
        self.frame(what, frame, guess(packet));
    }

    fn sessions(&mut self, side: &str, packet: &Packet) {
        let number = if packet.is_v6() { 0x57 } else { 0x21 };
        for (what, protocol) in [
            ("PPPoE", &[0, number][..]),
            ("a short PPP number", &[number]),
        ] {
            let frame = ethernet(&[0x8100], PPPOE, &session(protocol, &packet.bytes));
            self.frame(format!("{side} it, {what}"), frame, packet.flow.clone());
        }
        let stack = [labels(2, false), packet.bytes.clone()].concat();
        let frame = ethernet(&[], PPPOE, &session(&[0x02, 0x81], &stack));
        self.frame(format!("{side} it, labels in PPPoE"), frame, guess(packet));
        let frame = ethernet(&[], PPPOE, &session(&[0xc0, 0x21], &packet.bytes));
        self.frame("PPP link control", frame, Content::Nothing(Reason::NonIp));
    }

    fn wrong_labels(&mut self) {
        let bytes = self.subject.to().bytes;
        let five = [labels(5, false), bytes.clone()].concat();
        let other = [&labels(1, false)[..], &[0x50; 40]].concat();
        let wrong = [
            ("five labels", five, Reason::TooManyLabels),
            (
                "a cut label",
                labels(1, true)[..3].to_vec(),
                Reason::TruncatedMpls,
            ),
            (
                "nothing behind the labels",
                labels(2, false),
                Reason::TruncatedMpls,
            ),
            ("neither IPv4 nor IPv6 behind a label", other, Reason::NonIp),
        ];
        for (what, payload, reason) in wrong {
            self.frame(
                what,
                ethernet(&[], MPLS, &payload),
                Content::Nothing(reason),
            );
        }
        let mut bad = session(&[0, 0x21], &bytes);
        bad[1] = 0xa7;
        self.frame(
            "PPPoE of another code",
            ethernet(&[], PPPOE, &bad),
            Content::Nothing(Reason::BadPppoe),
        );
        let cut = ethernet(&[], PPPOE, &session(&[0], &[]));
        self.frame(
            "a cut PPP number",
            cut,
            Content::Nothing(Reason::TruncatedPppoe),
        );
    }
}

pub(super) fn guess(packet: &Packet) -> Content {
    let inside = packet.flow.inside();
    Content::Ip {
        flow: packet.flow.clone(),
        guess: true,
        inside,
    }
}

/// What is left to say of a packet with ports behind so many bytes of link header.
fn cut(packet: &Packet, length: usize, link: usize) -> Content {
    let header = if packet.is_v6() { 40 } else { 20 };
    if length < link {
        return Content::Nothing(Reason::TruncatedLink);
    }
    let Some(segment) = length.checked_sub(link + header) else {
        return Content::Nothing(Reason::TruncatedIp);
    };
    let mut packet = packet.clone();
    if segment < 4 {
        packet = packet.failing(Reason::TruncatedTransport);
    }
    let flags = match packet.flow.protocol {
        Some(TCP) => 14,
        Some(ICMP | ICMP_V6) => 1,
        _ => 4,
    };
    packet.flow.begins = packet.flow.begins.filter(|_| segment >= flags);
    packet.flow.into()
}
