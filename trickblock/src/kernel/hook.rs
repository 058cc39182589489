//! The vocabulary of attaching: where, how, and what came of it.

use serde::{Serialize, Serializer};

use super::{Mode, Role};

/// Where in the network stack a program sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// On arrival, in the driver or just behind it.
    Xdp,
    /// On arrival, behind XDP and before everything else.
    TcxIngress,
    /// On the way out.
    TcxEgress,
    /// As the two above, on kernels before 6.6.
    ClsactIngress,
    ClsactEgress,
}

impl Hook {
    pub const ALL: [Self; 5] = [
        Self::Xdp,
        Self::TcxIngress,
        Self::TcxEgress,
        Self::ClsactIngress,
        Self::ClsactEgress,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::TcxIngress => "tcx-ingress",
            Self::TcxEgress => "tcx-egress",
            Self::ClsactIngress => "clsact-ingress",
            Self::ClsactEgress => "clsact-egress",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Sees what leaves; the others see what arrives.
    pub const fn is_egress(self) -> bool {
        matches!(self, Self::TcxEgress | Self::ClsactEgress)
    }

    /// The same place on a kernel without TCX.
    pub(super) const fn without_tcx(self) -> Self {
        match self {
            Self::TcxIngress => Self::ClsactIngress,
            Self::TcxEgress => Self::ClsactEgress,
            other => other,
        }
    }
}

impl Serialize for Hook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which hook is to see what arrives; what leaves is seen by TCX or clsact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookChoice {
    /// XDP; TCX on interfaces without Ethernet header.
    #[default]
    Auto,
    Xdp,
    /// TCX, and clsact where the kernel does not know TCX.
    Tcx,
    /// Clsact even where the kernel knows TCX.
    Clsact,
}

/// Which mode of XDP to attach in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeChoice {
    /// Native, else generic (and the result says which).
    #[default]
    Auto,
    Native,
    Generic,
}

/// How to filter one interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub hook: HookChoice,
    pub xdp: ModeChoice,
    pub role: Role,
    /// Packets that cannot be understood are dropped.
    pub fail_closed: bool,
}

impl From<ModeChoice> for Way {
    fn from(xdp: ModeChoice) -> Self {
        Self {
            xdp,
            ..Self::default()
        }
    }
}

impl From<HookChoice> for Way {
    fn from(hook: HookChoice) -> Self {
        Self {
            hook,
            ..Self::default()
        }
    }
}

/// A program on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attached {
    pub name: String,
    pub ifindex: u32,
    pub hook: Hook,
    /// Of XDP only.
    pub mode: Option<Mode>,
    /// Taken over from an earlier daemon, without a gap.
    pub adopted: bool,
    /// Why it is not what was tried first.
    pub note: Option<String>,
    /// Ids of programs of others that see the packets of this hook first, and may let them past this one.
    pub ahead: Vec<u32>,
}
