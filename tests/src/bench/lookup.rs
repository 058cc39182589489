//! ns per packet: each program on each corpus, in interleaved rounds.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    corpus::{Corpus, PAIRS, Pool, Random},
    programs::{Loaded, Programs, XDP_DROP, XDP_PASS},
    stats::Summary,
};
use crate::sys;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    /// Packets per program, corpus and round.
    pub packets: u32,
    /// On a busy machine rounds take longer: none is begun after this time, but for the first
    /// [`FEWEST`].
    pub limit: Duration,
}

/// Rounds of which a median still says something.
const FEWEST: usize = 3;

/// What the drivers are aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Returns at once.
    BarePass,
    /// The shipped parser without a lookup.
    ParsePass,
    /// The shipped program, with a table of so many indicators.
    Trickblock(usize),
}

impl Target {
    pub const fn name(self) -> &'static str {
        match self {
            Self::BarePass => "bare_pass",
            Self::ParsePass => "parse_pass",
            Self::Trickblock(_) => "trickblock",
        }
    }

    pub const fn indicators(self) -> Option<usize> {
        match self {
            Self::Trickblock(size) => Some(size),
            _ => None,
        }
    }
}

/// One program on one corpus.
#[derive(Clone, Debug)]
pub struct Row {
    pub target: Target,
    pub corpus: Corpus,
    pub ns_per_packet: Summary,
    /// With the time of the bare program in the same round subtracted.
    pub net_ns: f64,
    /// To the parser in the same round; gross, harness included.
    pub ratio_to_parse_pass: f64,
    pub rounds: usize,
}

impl Row {
    /// What the figures alone do not say; empty where nothing.
    pub fn note(&self) -> &'static str {
        match self.corpus {
            Corpus::Hit => "every packet is dropped, counted, and asks for an event",
            Corpus::Near => "ratio to parse_pass on uniform",
            _ => "",
        }
    }
}

/// Runs every cell once per round, in random order.
pub fn measure(
    effort: &Effort,
    pools: &[Pool],
    filters: &[Loaded],
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage {
        programs: Programs::load()?,
        filters,
    };
    say("drawing the packets of each corpus");
    let mut cells = cells(pools, filters)?;
    say("checking the verdicts of every program on every corpus");
    for cell in &cells {
        let what = || format!("{} on {}", cell.target.name(), cell.corpus.name());
        stage.check(cell).with_context(what)?;
    }
    let _first = first_in_line(say);
    let (start, mut random) = (Instant::now(), Random(0x07de7));
    let mut order: Vec<usize> = (0..cells.len()).collect();
    for round in 1..=effort.rounds {
        if round > FEWEST && start.elapsed() > effort.limit {
            say("the time is up: no further rounds");
            break;
        }
        random.shuffle(&mut order);
        for index in &order {
            sys::stop_if_interrupted()?;
            let time = stage.time(&cells[*index], packets(&cells[*index], effort))?;
            cells[*index].samples.push(time);
        }
        say(&format!(
            "round {round} of {}: {} programs and corpora, up to {} packets each",
            effort.rounds,
            cells.len(),
            effort.packets
        ));
    }
    cells.iter().map(|cell| row(cell, &cells)).collect()
}

/// CPU time leaves out what other processes do, but not the cold caches that they leave behind:
/// with 10 of them the random corpora took twice as long.
fn first_in_line(say: &mut dyn FnMut(&str)) -> Option<sys::Realtime> {
    let realtime = sys::Realtime::start();
    realtime
        .inspect_err(|error| {
            say(&format!(
                "no real-time priority ({error}): other processes will show in the figures"
            ));
        })
        .ok()
}

/// A drop takes ten times as long as a pass, and a quarter of the packets time it as well.
fn packets(cell: &Cell, effort: &Effort) -> u32 {
    match cell.corpus {
        Corpus::Hit => effort.packets / 4,
        _ => effort.packets,
    }
}

struct Cell {
    target: Target,
    corpus: Corpus,
    pairs: Rc<[u64]>,
    /// ns per packet, one per round.
    samples: Vec<f64>,
}

fn cells(pools: &[Pool], filters: &[Loaded]) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for corpus in Corpus::ALL {
        let of_family = filters.iter().filter(|one| one.family == corpus.family());
        let pool = pools.iter().find(|pool| pool.family == corpus.family());
        let pool = pool.context("no addresses of a family")?;
        let mut pairs: Rc<[u64]> = corpus.pairs(pool, 1).into();
        let mut add = |target, pairs: &Rc<[u64]>| {
            cells.push(Cell {
                target,
                corpus,
                pairs: Rc::clone(pairs),
                samples: Vec::new(),
            });
        };
        if corpus.baseline() == corpus {
            add(Target::BarePass, &pairs);
            add(Target::ParsePass, &pairs);
        }
        for filter in of_family {
            if corpus.depends_on_size() {
                pairs = corpus.pairs(pool, filter.size).into();
            }
            add(Target::Trickblock(filter.size), &pairs);
        }
    }
    Ok(cells)
}

/// `None` for the programs that are not the filter.
fn find<'a>(filters: &'a [Loaded], cell: &Cell) -> Option<&'a Loaded> {
    let size = cell.target.indicators()?;
    let family = cell.corpus.family();
    filters
        .iter()
        .find(|one| one.family == family && one.size == size)
}

struct Stage<'a> {
    programs: Programs,
    filters: &'a [Loaded],
}

impl Stage<'_> {
    fn set(&mut self, cell: &Cell) -> anyhow::Result<()> {
        self.programs.show(cell.corpus.family(), &cell.pairs)?;
        match find(self.filters, cell) {
            Some(filter) => self.programs.aim(filter.program()),
            None => self.programs.aim(self.programs.own(cell.target.name())?),
        }
    }

    /// Every pair once: a program that gives other verdicts is not worth timing.
    fn check(&mut self, cell: &Cell) -> anyhow::Result<()> {
        let packets = u32::try_from(PAIRS)?;
        let dropped = |stage: &Self| find(stage.filters, cell).map_or(Ok(0), Loaded::dropped);
        let before = dropped(self)?;
        self.set(cell)?;
        let (verdict, _) = self.programs.run(cell.corpus.family(), packets)?;
        let dropped = dropped(self)? - before;
        let expected = match cell.corpus {
            Corpus::Hit => (XDP_DROP, u64::from(packets)),
            _ => (XDP_PASS, 0),
        };
        ensure!(
            (verdict, dropped) == expected,
            "the last verdict is {verdict} and {dropped} packets were dropped, not {expected:?}"
        );
        Ok(())
    }

    /// ns per packet.
    fn time(&mut self, cell: &Cell, packets: u32) -> anyhow::Result<f64> {
        self.set(cell)?;
        let (_, time) = self.programs.run(cell.corpus.family(), packets)?;
        Ok(time.as_secs_f64() * 1e9 / f64::from(packets))
    }
}

fn row(cell: &Cell, cells: &[Cell]) -> anyhow::Result<Row> {
    let baseline = |target| {
        let corpus = cell.corpus.baseline();
        let found = cells
            .iter()
            .find(|one| one.target == target && one.corpus == corpus);
        found.context("no row to compare with")
    };
    let (bare, parse) = (baseline(Target::BarePass)?, baseline(Target::ParsePass)?);
    let paired = |other: &Cell, with: fn(f64, f64) -> f64| {
        let rounds = cell.samples.iter().zip(&other.samples);
        Summary::of(rounds.map(|(own, other)| with(*own, *other))).context("no round")
    };
    Ok(Row {
        target: cell.target,
        corpus: cell.corpus,
        ns_per_packet: Summary::of(cell.samples.iter().copied()).context("no round")?,
        net_ns: paired(bare, |own, bare| own - bare)?.median,
        ratio_to_parse_pass: paired(parse, |own, parse| own / parse)?.median,
        rounds: cell.samples.len(),
    })
}
