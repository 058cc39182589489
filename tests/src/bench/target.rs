//! What is compared.

/// How a figure was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `BPF_PROG_TEST_RUN` of one program, no network around it.
    TestRun,
    /// Frames through a veth pair.
    Veth,
}

impl Method {
    /// Stable: programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestRun => "test_run",
            Self::Veth => "veth",
        }
    }
}

/// A program, or a way to filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Returns at once.
    BarePass,
    /// The shipped parser without a lookup.
    ParsePass,
    /// The shipped program.
    Trickblock,
    /// The shipped parser, then four lookups in hash maps.
    KernelHash,
    /// The shipped parser, then two lookups in a longest-prefix trie.
    KernelLpm,
    /// The program of xdp-tools, with all that it can filter by.
    XdpFilter,
    /// nftables at netdev ingress, a set of addresses.
    NftHash,
    /// The same with a set of intervals.
    NftInterval,
    /// ipset, asked by iptables in the raw table.
    Ipset,
    /// Drops at once.
    BareDrop,
}

impl Target {
    /// Stable: programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BarePass => "bare_pass",
            Self::ParsePass => "parse_pass",
            Self::Trickblock => "trickblock",
            Self::KernelHash => "kernel_hash",
            Self::KernelLpm => "kernel_lpm",
            Self::XdpFilter => "xdp_filter",
            Self::NftHash => "nft_hash",
            Self::NftInterval => "nft_interval",
            Self::Ipset => "ipset",
            Self::BareDrop => "bare_drop",
        }
    }

    /// Whether it drops nothing, whatever the packet.
    pub const fn only_passes(self) -> bool {
        matches!(self, Self::BarePass | Self::ParsePass)
    }

    /// The most indicators that it is given. Beyond that a row says why not.
    pub const fn most(self) -> usize {
        match self {
            Self::XdpFilter => XDP_FILTER_MOST,
            Self::KernelHash | Self::KernelLpm => RIVALS_MOST,
            Self::NftHash | Self::NftInterval | Self::Ipset => RIVALS_MOST,
            Self::BarePass | Self::ParsePass | Self::Trickblock | Self::BareDrop => usize::MAX,
        }
    }

    /// Why a row of more than [`Self::most`] has no figure.
    pub fn cannot(self) -> String {
        match self {
            Self::XdpFilter => format!("cannot: it holds {XDP_FILTER_MOST} addresses per family"),
            _ => format!("not tried beyond {RIVALS_MOST} indicators"),
        }
    }
}

/// Size of xdp-filter's own maps.
pub const XDP_FILTER_MOST: usize = 10_000;
const RIVALS_MOST: usize = 1_000_000;
