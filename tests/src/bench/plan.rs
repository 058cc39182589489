//! How much is measured.

use std::time::Duration;

use super::{corpus::Corpus, lookup::Effort, pool::List};

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The shared code on the host.
    Host,
    /// Changes of a table.
    Updates,
    /// From text to attached.
    Starts,
    /// Programs without a network.
    Lookup,
    /// Frames on veth.
    Veth,
}

impl Part {
    pub const ALL: [Self; 5] = [
        Self::Host,
        Self::Updates,
        Self::Starts,
        Self::Lookup,
        Self::Veth,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Updates => "updates",
            Self::Starts => "starts",
            Self::Lookup => "lookup",
            Self::Veth => "veth",
        }
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub quick: bool,
    /// Nothing but this.
    pub only: Option<Part>,
    /// Of the programs that are run without a network.
    pub effort: Effort,
    pub corpora: &'static [Corpus],
    /// Indicators of the tables that are compared.
    pub sizes: &'static [usize],
    /// Of them, those that the host is measured with.
    pub host_sizes: &'static [usize],
    /// Of the frames on veth.
    pub frames: Effort,
    pub frame_sizes: &'static [usize],
    /// Times that each update is repeated.
    pub repetitions: usize,
    pub starts: Starts,
}

/// How often the daemon is started with each list.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    pub repetitions: usize,
    /// None is begun after this time.
    pub limit: Duration,
    /// A start that takes longer has failed.
    pub patience: Duration,
}

const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

impl Plan {
    /// Within six minutes.
    pub const QUICK: Self = Self {
        quick: true,
        only: None,
        effort: Effort {
            rounds: 10,
            packets: 1 << 22,
            cell: Duration::from_millis(120),
            limit: Duration::from_secs(80),
        },
        corpora: &[Corpus::Hot, Corpus::Uniform, Corpus::V6Uniform],
        sizes: &SIZES,
        host_sizes: &[1_000, 1_000_000],
        frames: Effort {
            rounds: 10,
            packets: 1 << 19,
            cell: Duration::from_millis(150),
            limit: Duration::from_secs(60),
        },
        frame_sizes: &[1_000, 1_000_000],
        repetitions: 5,
        starts: Starts {
            repetitions: 5,
            limit: Duration::from_secs(30),
            patience: Duration::from_secs(60),
        },
    };
    /// Within forty minutes.
    pub const FULL: Self = Self {
        quick: false,
        only: None,
        effort: Effort {
            rounds: 10,
            packets: 1 << 24,
            cell: Duration::from_millis(250),
            limit: Duration::from_secs(900),
        },
        corpora: &Corpus::ALL,
        sizes: &SIZES,
        host_sizes: &[1_000, 100_000, 1_000_000],
        frames: Effort {
            rounds: 10,
            packets: 1 << 20,
            cell: Duration::from_millis(250),
            limit: Duration::from_secs(420),
        },
        frame_sizes: &SIZES,
        repetitions: 5,
        starts: Starts {
            repetitions: 5,
            limit: Duration::from_secs(150),
            patience: Duration::from_secs(120),
        },
    };

    /// The lists that its corpora need, random IPv4 first.
    pub fn lists(&self) -> impl Iterator<Item = List> {
        let needed = |list: &List| self.corpora.iter().any(|corpus| corpus.list() == *list);
        List::ALL.into_iter().filter(needed)
    }

    pub fn measures(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// The same without lists of more than `most` indicators.
    #[must_use]
    pub fn up_to(self, most: usize) -> Self {
        let few = |sizes: &'static [usize]| &sizes[..sizes.partition_point(|size| *size <= most)];
        Self {
            sizes: few(self.sizes),
            host_sizes: few(self.host_sizes),
            frame_sizes: few(self.frame_sizes),
            ..self
        }
    }

    /// Addresses of a list: beyond a million only random IPv4 ones, and clustered ones.
    pub fn largest(&self, list: List) -> usize {
        let sizes = if self.only == Some(Part::Host) {
            self.host_sizes
        } else {
            self.sizes
        };
        let largest = sizes.last().copied().unwrap_or(1);
        match list {
            List::V4 | List::Real => largest,
            List::V6 => largest.min(1_000_000),
        }
    }
}
