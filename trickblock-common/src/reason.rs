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
    /// Not IPv4 or IPv6 (LLDP, STP, ARP for unlisted addresses, an encapsulation that is not looked into).
    NonIp = 1, "non_ip", Pass;
    /// The matching address is on the never-block list.
    NeverBlock = 2, "never_block", Pass;
    /// An address-wide indicator matches an address of the operator's own network.
    OwnNetwork = 3, "own_network", Pass;
    /// ARP or IPv6 neighbour discovery that asks for, or comes from, a listed address.
    Neighbour = 4, "neighbour", Pass;
    /// Only ports of the address are listed, and this is not the first fragment.
    LaterFragment = 5, "later_fragment", Pass;
    /// Only ports of the address are listed, and the protocol has none.
    NoPorts = 6, "no_ports", Pass;
    /// What looks like a listed packet behind MPLS labels or in a UDP tunnel is not a sound IP packet.
    Unconfirmed = 7, "unconfirmed", Pass;
    /// The frame ends inside an ARP packet.
    TruncatedArp = 8, "truncated_arp", Pass;
    /// A tunnel header contradicts itself, or a tunnel's UDP port was used for something else.
    BadTunnel = 9, "bad_tunnel", Pass;
    /// The frame ends inside the Ethernet header or a VLAN tag.
    TruncatedLink = 10, "truncated_link", Pass;
    /// More than four VLAN tags.
    TooManyTags = 11, "too_many_tags", Pass;
    /// The frame ends inside the MPLS labels or right behind them.
    TruncatedMpls = 12, "truncated_mpls", Pass;
    /// More than four MPLS labels.
    TooManyLabels = 13, "too_many_labels", Pass;
    /// The frame ends inside the PPPoE header or the PPP protocol number.
    TruncatedPppoe = 14, "truncated_pppoe", Pass;
    /// A PPPoE session frame of another version, type or code.
    BadPppoe = 15, "bad_pppoe", Pass;
    /// The frame ends before the IP addresses.
    TruncatedIp = 16, "truncated_ip", Pass;
    /// An address is listed, but the IP version field contradicts the EtherType.
    BadVersion = 17, "bad_version", Pass;
    /// Only ports of the address are listed, and the IPv4 header length is impossible.
    BadHeaderLength = 18, "bad_header_length", Pass;
    /// Only ports of the address are listed, and the IPv4 total length is shorter than the header.
    BadTotalLength = 19, "bad_total_length", Pass;
    /// Only ports of the address are listed, and the packet ends inside an extension header.
    TruncatedExtension = 20, "truncated_extension", Pass;
    /// More than eight extension headers, behind which ports hide where only those of the address are listed, or a tunnel
    /// where tunnels are looked into.
    TooManyExtensions = 21, "too_many_extensions", Pass;
    /// Only ports of the address are listed, and the packet ends before its ports.
    TruncatedTransport = 22, "truncated_transport", Pass;
    /// The packet ends inside a GRE header or before the addresses of the packet in an IP or GRE tunnel.
    TruncatedTunnel = 23, "truncated_tunnel", Pass;
    /// The address is listed.
    Address = 24, "address", Drop;
    /// The address is listed with this port or protocol.
    AddressPort = 25, "address_port", Drop;
    /// A prefix that holds the address is listed.
    Prefix = 26, "prefix", Drop;
    /// A prefix that holds the address is listed with this port or protocol.
    PrefixPort = 27, "prefix_port", Drop;
    /// A first fragment that ends before what decides on it (RFC 7112): its ports, where ports of the address are listed, or
    /// the header of the packet inside, in a tunnel that is looked into.
    IncompleteFirstFragment = 28, "incomplete_first_fragment", Drop;
    /// As `truncated_link`, on an interface that is fail-closed.
    ClosedTruncatedLink = 29, "closed_truncated_link", Drop;
    /// As `too_many_tags`, on an interface that is fail-closed.
    ClosedTooManyTags = 30, "closed_too_many_tags", Drop;
    /// As `truncated_mpls`, on an interface that is fail-closed.
    ClosedTruncatedMpls = 31, "closed_truncated_mpls", Drop;
    /// As `too_many_labels`, on an interface that is fail-closed.
    ClosedTooManyLabels = 32, "closed_too_many_labels", Drop;
    /// As `truncated_pppoe`, on an interface that is fail-closed.
    ClosedTruncatedPppoe = 33, "closed_truncated_pppoe", Drop;
    /// As `bad_pppoe`, on an interface that is fail-closed.
    ClosedBadPppoe = 34, "closed_bad_pppoe", Drop;
    /// As `truncated_ip`, on an interface that is fail-closed.
    ClosedTruncatedIp = 35, "closed_truncated_ip", Drop;
    /// As `bad_version`, on an interface that is fail-closed.
    ClosedBadVersion = 36, "closed_bad_version", Drop;
    /// As `bad_header_length`, on an interface that is fail-closed.
    ClosedBadHeaderLength = 37, "closed_bad_header_length", Drop;
    /// As `bad_total_length`, on an interface that is fail-closed.
    ClosedBadTotalLength = 38, "closed_bad_total_length", Drop;
    /// As `truncated_extension`, on an interface that is fail-closed.
    ClosedTruncatedExtension = 39, "closed_truncated_extension", Drop;
    /// As `too_many_extensions`, on an interface that is fail-closed.
    ClosedTooManyExtensions = 40, "closed_too_many_extensions", Drop;
    /// As `truncated_transport`, on an interface that is fail-closed.
    ClosedTruncatedTransport = 41, "closed_truncated_transport", Drop;
    /// As `truncated_tunnel`, on an interface that is fail-closed.
    ClosedTruncatedTunnel = 42, "closed_truncated_tunnel", Drop;
    /// As `address`, in monitor mode.
    MonitorAddress = 43, "monitor_address", Monitor;
    /// As `address_port`, in monitor mode.
    MonitorAddressPort = 44, "monitor_address_port", Monitor;
    /// As `prefix`, in monitor mode.
    MonitorPrefix = 45, "monitor_prefix", Monitor;
    /// As `prefix_port`, in monitor mode.
    MonitorPrefixPort = 46, "monitor_prefix_port", Monitor;
    /// As `incomplete_first_fragment`, in monitor mode.
    MonitorIncompleteFirstFragment = 47, "monitor_incomplete_first_fragment", Monitor;
}

/// Malformed packets; each has its fail-closed twin [`CLOSED`] further on.
const FIRST_MALFORMED: u8 = Reason::TruncatedLink as u8;
/// Numbers from here on drop.
const FIRST_DROP: u8 = Reason::Address as u8;
const FIRST_CLOSED: u8 = Reason::ClosedTruncatedLink as u8;
const CLOSED: u8 = FIRST_CLOSED - FIRST_MALFORMED;
/// Numbers from here on pass again; a drop that is not fail-closed has its twin [`MONITORED`] further on.
const FIRST_MONITOR: u8 = Reason::MonitorAddress as u8;
const MONITORED: u8 = FIRST_MONITOR - FIRST_DROP;

impl Reason {
    pub const COUNT: usize = Self::ALL.len();

    /// The reason with this number, as it stands in counters and events.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The number of the monitor twin that lets the packet pass; other numbers stay as they are.
    #[inline(always)]
    pub const fn monitored(number: u8) -> u8 {
        if number >= FIRST_DROP && number < FIRST_CLOSED {
            number + MONITORED
        } else {
            number
        }
    }

    /// The number of the fail-closed twin that drops; other numbers stay as they are.
    #[inline(always)]
    pub const fn closed(number: u8) -> u8 {
        if Self::malformed(number) {
            number + CLOSED
        } else {
            number
        }
    }

    /// Whether the packet could not be understood where that mattered.
    #[inline(always)]
    pub const fn malformed(number: u8) -> bool {
        number >= FIRST_MALFORMED && number < FIRST_DROP
    }

    /// Whether the reason with this number drops.
    #[inline(always)]
    pub const fn drops(number: u8) -> bool {
        number >= FIRST_DROP && number < FIRST_MONITOR
    }

    /// Whether an indicator would have been enforced, or was: drop, or its monitor twin.
    #[inline(always)]
    pub const fn acts(number: u8) -> bool {
        number >= FIRST_DROP && !(number >= FIRST_CLOSED && number < FIRST_MONITOR)
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
                    let closed = reason.name().starts_with("closed_");
                    assert_eq!(closed, twin == *reason);
                    assert!(closed || twin.name().strip_prefix("monitor_") == Some(reason.name()));
                }
                Verdict::Pass | Verdict::Monitor => assert_eq!(twin, *reason),
            }
        }
    }

    #[test]
    fn what_is_malformed_has_a_twin_that_drops() {
        for reason in Reason::ALL {
            let twin = Reason::from_number(Reason::closed(*reason as u8)).expect("a reason");
            if Reason::malformed(*reason as u8) {
                assert_eq!(reason.verdict(), Verdict::Pass);
                assert_eq!(twin.verdict(), Verdict::Drop);
                assert_eq!(twin.name().strip_prefix("closed_"), Some(reason.name()));
            } else {
                assert_eq!(twin, *reason);
            }
            let acts = reason.name().starts_with("monitor_")
                || reason.verdict() == Verdict::Drop && !reason.name().starts_with("closed_");
            assert_eq!(Reason::acts(*reason as u8), acts, "{}", reason.name());
        }
    }
}
