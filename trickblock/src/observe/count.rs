//! What `status` says of packets.

use serde::{Deserialize, Serialize};
use trickblock_common::{Direction, Verdict};

use crate::kernel::Tally;

/// Packets with one reason, side and direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    pub reason: String,
    pub side: Option<String>,
    pub direction: String,
    pub verdict: String,
    pub packets: u64,
    pub bytes: u64,
}

impl From<&Tally> for Count {
    fn from(tally: &Tally) -> Self {
        Self {
            reason: tally.reason.name().to_owned(),
            side: tally.side.name().map(str::to_owned),
            direction: tally.direction.name().to_owned(),
            verdict: tally.reason.verdict().name().to_owned(),
            packets: tally.packets,
            bytes: tally.bytes,
        }
    }
}

/// Dropped packets with one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub packets: u64,
    pub bytes: u64,
}

/// Dropped packets by what the drop stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// On the way out.
    pub out: Sum,
    /// Only the reply.
    pub reply: Sum,
    /// Unsolicited, from a C2.
    pub unsolicited: Sum,
    /// To or from a listed address on the inside.
    pub hosted: Sum,
    /// No telling.
    pub unknown: Sum,
}

impl Stopped {
    pub(super) fn of(tallies: &[Tally]) -> Self {
        let mut stopped = Self::default();
        let drops = tallies
            .iter()
            .filter(|tally| tally.reason.verdict() == Verdict::Drop);
        for tally in drops {
            let sum = stopped.sum(tally.direction);
            sum.packets += tally.packets;
            sum.bytes += tally.bytes;
        }
        stopped
    }

    fn sum(&mut self, direction: Direction) -> &mut Sum {
        match direction {
            Direction::Out => &mut self.out,
            Direction::Reply => &mut self.reply,
            Direction::Unsolicited => &mut self.unsolicited,
            Direction::Hosted => &mut self.hosted,
            Direction::Unknown => &mut self.unknown,
        }
    }

    /// Each with its name for people.
    pub fn named(&self) -> [(&'static str, Sum); 5] {
        [
            ("stopped on the way out", self.out),
            ("only the reply stopped", self.reply),
            ("unsolicited from a C2", self.unsolicited),
            ("listed address on the inside", self.hosted),
            ("direction not known", self.unknown),
        ]
    }
}
