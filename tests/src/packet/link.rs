//! The link header: Ethernet with tags, labels and PPPoE, or nothing.

use super::Packet;

/// 802.1Q.
pub const TAG: u16 = 0x8100;
/// 802.1ad, the outer tag of QinQ.
pub const PROVIDER_TAG: u16 = 0x88a8;

#[derive(Clone, Debug)]
pub(super) enum Link {
    None,
    Ethernet(Ethernet),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ethernet {
    tags: Vec<(u16, u16)>,
    ether_type: Option<u16>,
    pppoe: Option<Pppoe>,
    labels: Vec<u32>,
    /// No label says that it is the last one.
    endless: bool,
}

/// A session header, and the PPP protocol number behind it.
#[derive(Clone, Copy, Debug)]
struct Pppoe {
    session: u16,
    /// Version and type, then the code.
    start: [u8; 2],
    protocol: Option<u16>,
    short: bool,
}

impl Packet {
    /// Begins at the IP header, as on tun, WireGuard and PPP interfaces.
    pub fn without_link_header(mut self) -> Self {
        self.link = Link::None;
        self
    }

    /// Adds an inner 802.1Q tag: the first one added is the outermost.
    pub fn vlan(self, id: u16) -> Self {
        self.tag(TAG, id)
    }

    /// Adds an inner tag of another type, [`PROVIDER_TAG`] for QinQ.
    pub fn tag(mut self, protocol: u16, id: u16) -> Self {
        self.link.ethernet().tags.push((protocol, id));
        self
    }

    /// Overrides the EtherType after the last tag.
    pub fn ether_type(mut self, ether_type: u16) -> Self {
        self.link.ethernet().ether_type = Some(ether_type);
        self
    }

    /// Adds an inner MPLS label; the last one says that it is. In a PPPoE session they stand behind
    /// the PPP protocol number.
    pub fn mpls(mut self, label: u32) -> Self {
        assert!(label < 1 << 20, "label {label} does not fit in 20 bits");
        self.link.ethernet().labels.push(label);
        self
    }

    /// Not even the last label says that it is the last.
    pub fn endless_labels(mut self) -> Self {
        self.link.ethernet().endless = true;
        self
    }

    /// In a PPPoE session, behind the tags.
    pub fn pppoe(mut self, session: u16) -> Self {
        self.link.ethernet().pppoe = Some(Pppoe {
            session,
            start: [0x11, 0],
            protocol: None,
            short: false,
        });
        self
    }

    /// Overrides version, type and code of the PPPoE header.
    pub fn pppoe_start(mut self, version_and_type: u8, code: u8) -> Self {
        self.link.pppoe().start = [version_and_type, code];
        self
    }

    /// Overrides the PPP protocol number.
    pub fn ppp_protocol(mut self, protocol: u16) -> Self {
        self.link.pppoe().protocol = Some(protocol);
        self
    }

    /// Writes the PPP protocol number in one byte, as protocol field compression does.
    pub fn short_ppp_protocol(mut self) -> Self {
        self.link.pppoe().short = true;
        self
    }
}

impl Link {
    /// The header in front of `payload` bytes of type `inner`.
    pub(super) fn build(&self, inner: u16, payload: usize) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Ethernet(ethernet) => ethernet.build(inner, payload),
        }
    }

    fn ethernet(&mut self) -> &mut Ethernet {
        let Self::Ethernet(ethernet) = self else {
            panic!("this setter needs a link header")
        };
        ethernet
    }

    fn pppoe(&mut self) -> &mut Pppoe {
        let pppoe = self.ethernet().pppoe.as_mut();
        pppoe.expect("this setter needs a PPPoE session")
    }
}

impl Ethernet {
    fn build(&self, inner: u16, payload: usize) -> Vec<u8> {
        let labels = self.labels();
        let shown = match (&self.pppoe, labels.is_empty()) {
            (Some(_), _) => 0x8864,
            (None, false) => 0x8847,
            (None, true) => inner,
        };
        let mut header = [DESTINATION, SOURCE].concat();
        for (protocol, id) in &self.tags {
            header.extend(protocol.to_be_bytes());
            header.extend(id.to_be_bytes());
        }
        header.extend(self.ether_type.unwrap_or(shown).to_be_bytes());
        if let Some(pppoe) = self.pppoe {
            let protocol = ppp_protocol(inner, !labels.is_empty());
            header.extend(pppoe.build(protocol, labels.len() + payload));
        }
        header.extend(labels);
        header
    }

    fn labels(&self) -> Vec<u8> {
        let words = (1..).zip(&self.labels).map(|(number, label)| {
            let last = number == self.labels.len() && !self.endless;
            (label << 12 | u32::from(last) << 8 | TIME_TO_LIVE).to_be_bytes()
        });
        words.flatten().collect()
    }
}

impl Pppoe {
    fn build(self, protocol: u16, payload: usize) -> Vec<u8> {
        let [high, low] = self.protocol.unwrap_or(protocol).to_be_bytes();
        let protocol = if self.short {
            vec![low]
        } else {
            vec![high, low]
        };
        let length = u16::try_from(protocol.len() + payload).expect("shorter than 64 KiB");
        let mut header = self.start.to_vec();
        header.extend(self.session.to_be_bytes());
        header.extend(length.to_be_bytes());
        header.extend(protocol);
        header
    }
}

fn ppp_protocol(ether_type: u16, labels: bool) -> u16 {
    match (labels, ether_type) {
        (true, _) => 0x0281,
        (false, 0x0800) => 0x0021,
        (false, 0x86dd) => 0x0057,
        (false, other) => other,
    }
}

/// Locally administered, unicast.
const DESTINATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const TIME_TO_LIVE: u32 = 64;
