//! What is asked about.

use serde::{Serialize, Serializer};

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)+) => {
        /// A group of questions. The names are those of the topics of the fixture table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Class {
            $($(#[doc = $doc])* $variant,)+
        }

        impl Class {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

classes! {
    /// Each indicator by itself: first and last address.
    ExactV4 = "exact_addresses_and_prefixes_v4";
    ExactV6 = "exact_addresses_and_prefixes_v6";
    /// The addresses right before and right behind.
    Neighbouring = "unlisted_neighbours";
    /// VLAN tags, and what is not IP.
    Tags = "tags_and_foreign_types";
    /// A frame cut at each of its bytes.
    Truncation = "truncation_at_every_byte";
    /// Options, lengths, versions, padding.
    Ipv4 = "ipv4_headers";
    /// Extension headers.
    Ipv6 = "ipv6_chains";
    FragmentsV4 = "fragments_v4";
    FragmentsV6 = "fragments_v6";
    /// Every protocol with ports, and some without.
    Transports = "transports_and_ports";
    /// Addresses that nothing acts on.
    NeverBlock = "never_block";
    /// Addresses that only indicators with a port act on.
    OwnNetwork = "own_network";
    /// Two listed ends.
    Precedence = "precedence";
    /// From the listed end, and the port on the wrong side.
    Sides = "both_sides";
    /// Ways past other filters, and packets that they drop wrongly.
    Peers = "mistakes_of_peers";
    /// MPLS and PPPoE.
    Labels = "labels_and_sessions";
    /// NAT64 and 6to4.
    Embedded = "addresses_in_addresses";
    /// ARP and IPv6 neighbour discovery.
    Neighbours = "neighbours";
    /// Each kind of tunnel, switched on or not.
    Tunnels = "tunnels";
    /// Forms that are wrong in themselves.
    Malformed = "malformed";
    /// Calls, answers, knocks.
    Directions = "directions";
    /// Each hook of each interface.
    Hooks = "every_hook";
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
