//! What stands behind an address decides how far blocking it may go.
//!
//! Of 5,068 Trickbot servers in the public record 7 stood in the ranges of clouds and content networks (docs/feeds.md): to block
//! such an address blocks others' services. Others were routers in people's homes, which are somebody's again tomorrow.

use std::time::Duration;

use ipnet::IpNet;

use super::{Action, Refusal, prefixes::Prefixes};
use crate::{
    feed::Row,
    indicator::{Indicator, Seen},
};

/// What stands behind an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A server of the botnet's own: all of it may be blocked.
    #[default]
    Dedicated,
    /// Somebody's router or device: one service of it, for as long as it was seen there lately.
    Residential,
    /// Others' services stand behind the same address: one service of it.
    Shared,
    /// Taken over by defenders: what calls it is infected, and blocking it helps nobody.
    Sinkhole,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::Dedicated,
        Self::Residential,
        Self::Shared,
        Self::Sinkhole,
    ];

    /// As in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "dedicated",
            Self::Residential => "residential",
            Self::Shared => "shared",
            Self::Sinkhole => "sinkhole",
        }
    }

    /// What an indicator of this kind may do at most.
    pub(super) fn limit(self, indicator: &Indicator) -> Action {
        match (self, indicator.port) {
            (Self::Sinkhole, _) | (Self::Shared | Self::Residential, None) => Action::Monitor,
            _ => Action::Drop,
        }
    }
}

impl Kind {
    /// What may be blocked instead of an address of this kind, as the end of a sentence.
    fn instead(self) -> &'static str {
        match self {
            Self::Sinkhole => ": who calls it is infected, and the call harms nobody",
            _ => ": a single service of it can be blocked, as address:port",
        }
    }
}

/// Ranges whose kind is known, and how long what stands in homes is believed.
#[derive(Clone, Debug)]
pub struct Kinds {
    ranges: [(Kind, Prefixes); 3],
    life: Duration,
}

impl Kinds {
    /// Three days after a device in a home was last seen as a C2 it is somebody's router again.
    pub const LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

    /// Ranges of each kind; `life` is how long a residential one is believed after it was last seen.
    pub fn new(
        residential: Vec<IpNet>,
        shared: Vec<IpNet>,
        sinkholes: Vec<IpNet>,
        life: Duration,
    ) -> Self {
        Self {
            ranges: [
                (Kind::Residential, Prefixes::new(residential)),
                (Kind::Shared, Prefixes::new(shared)),
                (Kind::Sinkhole, Prefixes::new(sinkholes)),
            ],
            life,
        }
    }

    /// The most cautious of what its feed says and of the ranges that hold it, or that it holds a part of.
    pub(super) fn of(&self, prefix: &IpNet, said: Kind) -> Kind {
        let touched = |ranges: &Prefixes| {
            ranges.covering(prefix).is_some() || ranges.inside(prefix).is_some()
        };
        let found = self.ranges.iter().filter(|(_, ranges)| touched(ranges));
        found
            .map(|(kind, _)| *kind)
            .max()
            .map_or(said, |kind| kind.max(said))
    }

    /// Why an indicator that somebody writes by hand would only count: what stands behind it.
    pub fn soften(&self, indicator: &Indicator) -> Option<Refusal> {
        let kind = self.of(&indicator.prefix, Kind::Dedicated);
        (kind.limit(indicator) < Action::Drop).then(|| Refusal {
            guard: "kind",
            reason: format!(
                "{} is of the kind {}, so it only counts{}",
                indicator.prefix,
                kind.name(),
                kind.instead()
            ),
        })
    }

    /// When a row of this kind ends for that reason alone. What has no time at all is believed.
    pub(super) fn end(&self, kind: Kind, row: &Row) -> Option<Seen> {
        let seen = row.sighting.last_seen.or(row.sighting.first_seen)?;
        (kind == Kind::Residential).then(|| seen.later(self.life))
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), Vec::new(), Self::LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed;

    fn row(text: &str) -> Row {
        let rows = feed::parse(text.as_bytes(), None).expect("a list").rows;
        rows.into_iter().next().expect("a row")
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts
            .iter()
            .map(|text| text.parse().expect("a prefix"))
            .collect()
    }

    fn kinds() -> Kinds {
        Kinds::new(
            nets(&["192.0.2.0/24"]),
            nets(&["198.51.100.0/24", "192.0.2.128/25"]),
            nets(&["203.0.113.7/32"]),
            Kinds::LIFE,
        )
    }

    #[test]
    fn the_most_cautious_kind_counts() {
        let kind = |text: &str, said| kinds().of(&row(text).indicator.prefix, said);
        assert_eq!(kind("192.0.2.1", Kind::Dedicated), Kind::Residential);
        assert_eq!(kind("192.0.2.200", Kind::Dedicated), Kind::Shared);
        assert_eq!(kind("203.0.113.7", Kind::Shared), Kind::Sinkhole);
        assert_eq!(kind("203.0.113.8", Kind::Shared), Kind::Shared);
        assert_eq!(kind("203.0.113.8", Kind::Dedicated), Kind::Dedicated);
        assert_eq!(
            kind("203.0.113.0/24", Kind::Dedicated),
            Kind::Sinkhole,
            "it holds one"
        );
    }

    #[test]
    fn only_a_service_of_what_others_use_is_cut() {
        let (whole, service) = (row("192.0.2.1"), row("192.0.2.1:443"));
        for kind in [Kind::Residential, Kind::Shared] {
            assert_eq!(kind.limit(&whole.indicator), Action::Monitor);
            assert_eq!(kind.limit(&service.indicator), Action::Drop);
        }
        assert_eq!(Kind::Dedicated.limit(&whole.indicator), Action::Drop);
        assert_eq!(Kind::Sinkhole.limit(&service.indicator), Action::Monitor);
    }

    #[test]
    fn homes_are_believed_for_a_while_after_they_were_seen() {
        let mut service = row("192.0.2.1:443");
        assert_eq!(
            kinds().end(Kind::Residential, &service),
            None,
            "no time is told"
        );
        let seen = Seen::from_unix(1_600_000_000);
        service.sighting.first_seen = seen;
        let end = seen.map(|seen| seen.later(Kinds::LIFE));
        assert_eq!(kinds().end(Kind::Residential, &service), end);
        assert_eq!(kinds().end(Kind::Shared, &service), None);
    }
}
