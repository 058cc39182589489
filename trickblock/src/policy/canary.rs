//! Whether a new set would have hurt: it only monitors for a while, and what it would have stopped is looked at.

use std::{fmt, time::Duration};

use crate::indicator::{Indicator, Seen};

/// How a feed's new indicators are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// How long they only monitor; zero tries nothing.
    pub span: Duration,
    /// Packets of one indicator in that time beyond which it is believed to be somebody's service.
    pub packets: u64,
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            span: Duration::ZERO,
            packets: 1_000,
        }
    }
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Until(Seen),
    Failed(Harm),
}

/// What a new set would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harm {
    /// The worst indicator.
    pub indicator: Indicator,
    /// What it would have stopped, if that is the harm; else it lies around what is allowed.
    pub packets: Option<u64>,
    /// More like it.
    pub others: usize,
}

impl Harm {
    /// `counted`: new indicators with their packets. `around`: whether one lies around what nothing may block.
    pub fn of(
        canary: Canary,
        counted: &[(Indicator, u64)],
        around: impl Fn(&Indicator) -> bool,
    ) -> Option<Self> {
        let busy = |packets: u64| packets > canary.packets;
        let harmful = counted
            .iter()
            .filter(|(indicator, packets)| busy(*packets) || around(indicator));
        let count = harmful.clone().count();
        let (indicator, packets) = harmful.max_by_key(|(_, packets)| *packets)?;
        Some(Self {
            indicator: *indicator,
            packets: busy(*packets).then_some(*packets),
            others: count.saturating_sub(1),
        })
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until(end) => write!(f, "on trial until {end}: what is new only monitors"),
            Self::Failed(harm) => harm.fmt(f),
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indicator = self.indicator;
        match self.packets {
            Some(packets) => write!(
                f,
                "on trial {indicator} would have stopped {packets} packets"
            )?,
            None => write!(f, "{indicator} lies around what is allowed")?,
        }
        match self.others {
            0 => Ok(()),
            others => write!(f, ", and {others} more are like it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rows: &[(&str, u64)], around: &str) -> Option<String> {
        let counted: Vec<_> = rows
            .iter()
            .map(|(text, packets)| (text.parse().unwrap(), *packets))
            .collect();
        let harm = Harm::of(Canary::default(), &counted, |indicator| {
            indicator.to_string() == around
        });
        harm.map(|harm| Trial::Failed(harm).to_string())
    }

    #[test]
    fn a_few_packets_are_what_infected_hosts_send() {
        assert_eq!(judged(&[("192.0.2.1", 1_000), ("192.0.2.2", 0)], ""), None);
    }

    #[test]
    fn the_busiest_one_is_named() {
        let rows = [("192.0.2.1", 1_001), ("192.0.2.2", 70_000)];
        let text = judged(&rows, "").unwrap();
        assert!(
            text.contains("192.0.2.2/32 would have stopped 70000 packets"),
            "{text}"
        );
        assert!(text.contains("1 more"), "{text}");
    }

    #[test]
    fn what_lies_around_the_allowed_is_harm_without_a_packet() {
        let text = judged(&[("192.0.2.0/24", 0)], "192.0.2.0/24").unwrap();
        assert!(text.contains("lies around what is allowed"), "{text}");
    }
}
