//! Why a packet got its verdict. Names and numbers are stable: they are the counters' indices and
//! appear in JSON; a meaning never changes.

/// What happens to the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Passes, counted and reported as a hit.
    Monitor,
    Drop,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Monitor => "monitor",
            Self::Drop => "drop",
        }
    }
}

/// Which end of the packet matched.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    None = 0,
    /// The packet goes to the listed end.
    Destination = 1,
    /// The packet comes from it.
    Source = 2,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::None, Self::Destination, Self::Source];

    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Destination => Some("destination"),
            Self::Source => Some("source"),
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $verdict:ident;)+) => {
        /// Why a packet got its verdict.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable snake_case name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// One sentence for people.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// No indicator matches. The one reason that is not counted.
    Miss = 0, "miss", Pass;
    /// Not IPv4 or IPv6 (ARP, LLDP, an encapsulation that is not looked into).
    NonIp = 1, "non_ip", Pass;
    /// The frame ends inside the Ethernet header or a VLAN tag.
    TruncatedLink = 2, "truncated_link", Pass;
    /// More than four VLAN tags.
    TooManyTags = 3, "too_many_tags", Pass;
    /// The frame ends before the IP addresses.
    TruncatedIp = 4, "truncated_ip", Pass;
    /// An address is listed, but the IP version field contradicts the EtherType.
    BadVersion = 5, "bad_version", Pass;
    /// The matching address is on the never-block list.
    NeverBlock = 6, "never_block", Pass;
    /// An address-wide indicator matches an address of the operator's own network.
    OwnNetwork = 7, "own_network", Pass;
    /// Only ports of the address are listed, and this is not the first fragment.
    LaterFragment = 8, "later_fragment", Pass;
    /// Only ports of the address are listed, and the protocol has none.
    NoPorts = 9, "no_ports", Pass;
    /// Only ports of the address are listed, and the IPv4 header or total length is impossible.
    BadHeaderLength = 10, "bad_header_length", Pass;
    /// Only ports of the address are listed, and the packet ends inside an extension header.
    TruncatedExtension = 11, "truncated_extension", Pass;
    /// Only ports of the address are listed, and they hide behind more than eight extension headers.
    TooManyExtensions = 12, "too_many_extensions", Pass;
    /// Only ports of the address are listed, and the packet ends before its ports.
    TruncatedTransport = 13, "truncated_transport", Pass;
    /// The address is listed.
    Address = 14, "address", Drop;
    /// The address is listed with this port or protocol.
    AddressPort = 15, "address_port", Drop;
    /// A prefix that holds the address is listed.
    Prefix = 16, "prefix", Drop;
    /// A prefix that holds the address is listed with this port or protocol.
    PrefixPort = 17, "prefix_port", Drop;
    /// A first IPv6 fragment without its whole header chain (RFC 7112), and ports of the address are listed.
    IncompleteFirstFragment = 18, "incomplete_first_fragment", Drop;
    /// As `address`, in monitor mode.
    MonitorAddress = 19, "monitor_address", Monitor;
    /// As `address_port`, in monitor mode.
    MonitorAddressPort = 20, "monitor_address_port", Monitor;
    /// As `prefix`, in monitor mode.
    MonitorPrefix = 21, "monitor_prefix", Monitor;
    /// As `prefix_port`, in monitor mode.
    MonitorPrefixPort = 22, "monitor_prefix_port", Monitor;
    /// As `incomplete_first_fragment`, in monitor mode.
    MonitorIncompleteFirstFragment = 23, "monitor_incomplete_first_fragment", Monitor;
}

/// Numbers from here on drop; each has its monitor twin [`DROPS`] further on.
const FIRST_DROP: u8 = Reason::Address as u8;
const FIRST_MONITOR: u8 = Reason::MonitorAddress as u8;
const DROPS: u8 = FIRST_MONITOR - FIRST_DROP;

impl Reason {
    pub const COUNT: usize = Self::ALL.len();

    /// The reason with this number, as it stands in counters and events.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The number of the twin that lets the packet pass; other numbers stay as they are.
    #[inline(always)]
    pub const fn monitored(number: u8) -> u8 {
        if Self::drops(number) {
            number + DROPS
        } else {
            number
        }
    }

    /// Whether the reason with this number drops.
    #[inline(always)]
    pub const fn drops(number: u8) -> bool {
        number >= FIRST_DROP && number < FIRST_MONITOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indices_and_names_are_unique() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            let same = Reason::ALL
                .iter()
                .filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1, "{}", reason.name());
        }
    }

    #[test]
    fn numbers_and_verdicts_agree() {
        for reason in Reason::ALL {
            let number = *reason as u8;
            assert_eq!(
                Reason::drops(number),
                reason.verdict() == Verdict::Drop,
                "{}",
                reason.name()
            );
            let twin = Reason::from_number(Reason::monitored(number)).expect("a reason");
            match reason.verdict() {
                Verdict::Drop => {
                    assert_eq!(twin.verdict(), Verdict::Monitor);
                    assert_eq!(twin.name().strip_prefix("monitor_"), Some(reason.name()));
                }
                Verdict::Pass | Verdict::Monitor => assert_eq!(twin, *reason),
            }
        }
    }
}
