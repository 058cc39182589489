//! The link header: Ethernet and its tags, or nothing.

/// 802.1Q.
pub const TAG: u16 = 0x8100;
/// 802.1ad, the outer tag of QinQ.
pub const PROVIDER_TAG: u16 = 0x88a8;

#[derive(Clone, Debug)]
pub(super) enum Link {
    None,
    Ethernet {
        tags: Vec<(u16, u16)>,
        ether_type: Option<u16>,
    },
}

impl Link {
    pub(super) fn ethernet() -> Self {
        Self::Ethernet {
            tags: Vec::new(),
            ether_type: None,
        }
    }

    pub(super) fn push_tag(&mut self, protocol: u16, id: u16) {
        match self {
            Self::Ethernet { tags, .. } => tags.push((protocol, id)),
            Self::None => panic!("a packet without a link header has no tags"),
        }
    }

    pub(super) fn override_ether_type(&mut self, value: u16) {
        match self {
            Self::Ethernet { ether_type, .. } => *ether_type = Some(value),
            Self::None => panic!("a packet without a link header has no EtherType"),
        }
    }

    /// The header in front of a payload of type `inner`.
    pub(super) fn build(&self, inner: u16) -> Vec<u8> {
        let Self::Ethernet { tags, ether_type } = self else {
            return Vec::new();
        };
        let mut header = [DESTINATION, SOURCE].concat();
        for (protocol, id) in tags {
            header.extend(protocol.to_be_bytes());
            header.extend(id.to_be_bytes());
        }
        header.extend(ether_type.unwrap_or(inner).to_be_bytes());
        header
    }
}

/// Locally administered, unicast.
const DESTINATION: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
