//! ns per packet: each program on each corpus, in interleaved rounds.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{
    cells::{Cell, Subject, cells},
    corpus::{Corpus, PAIRS},
    figure::first_line,
    pool::{Pool, shuffle},
    programs::{Loaded, Programs, XDP_DROP, XDP_PASS},
    rivals::Rival,
    row::{Measured, Row},
    stats::Summary,
    target::{Method, Target},
};
use crate::{random::Random, sys};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    /// Packets per program, corpus and round, at most.
    pub packets: u32,
    /// What takes longer than this for so many packets is shown fewer.
    pub cell: Duration,
    /// On a busy machine rounds take longer: none is begun after this time, but for the first
    /// [`FEWEST`].
    pub limit: Duration,
}

/// Rounds of which a median still says something.
const FEWEST: usize = 3;
/// Packets that time even the slowest program well enough.
const FEWEST_PACKETS: u32 = 1 << 17;

/// What there is to measure.
pub struct Field<'a> {
    pub pools: &'a [Pool],
    pub filters: &'a [Loaded],
    pub rivals: &'a [Rival],
    pub corpora: &'a [Corpus],
    pub sizes: &'a [usize],
    /// Why something is missing: (target, list size, reason).
    pub missing: &'a [(Target, usize, String)],
}

/// Runs every cell once per round, in random order.
pub fn measure(
    effort: &Effort,
    field: &Field<'_>,
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage {
        programs: Programs::load()?,
    };
    say("drawing the packets of each corpus");
    let (drawn, mut rows) = cells(field)?;
    say("checking the verdicts of every program on every corpus");
    let mut cells = Vec::new();
    for mut cell in drawn {
        sys::stop_if_interrupted()?;
        match stage.check(&cell, effort) {
            Ok(packets) => {
                cell.packets = packets;
                cells.push(cell);
            }
            Err(error) => rows.extend(refused(&cell, &error, say)),
        }
    }
    let _first = first_in_line(say);
    rounds(effort, &mut cells, say, |cell| stage.time(cell))?;
    for cell in &cells {
        rows.extend(rows_of(cell, &cells)?);
    }
    Ok(rows)
}

/// Rows of what gives wrong verdicts, or none.
fn refused(cell: &Cell<'_>, error: &anyhow::Error, say: &mut dyn FnMut(&str)) -> Vec<Row> {
    let why = format!("not timed: {}", first_line(error));
    let (target, corpus, sizes) = (cell.target.name(), cell.corpus.name(), &cell.sizes);
    say(&format!("{target} on {corpus}, lists of {sizes:?}: {why}"));
    let row =
        |size: &usize| Row::missing(Method::TestRun, (cell.target, cell.corpus, *size), &*why);
    cell.sizes.iter().map(row).collect()
}

/// Calls `time` for every cell once per round, and keeps what it says.
pub fn rounds<T: Timed>(
    effort: &Effort,
    cells: &mut [T],
    say: &mut dyn FnMut(&str),
    mut time: impl FnMut(&T) -> anyhow::Result<f64>,
) -> anyhow::Result<()> {
    let (start, mut random) = (Instant::now(), Random::new(0x07de7));
    let mut order: Vec<usize> = (0..cells.len()).collect();
    for round in 1..=effort.rounds {
        if round > FEWEST && start.elapsed() > effort.limit {
            say("the time is up: no further rounds");
            break;
        }
        shuffle(&mut order, &mut random);
        for index in &order {
            sys::stop_if_interrupted()?;
            let sample = time(&cells[*index])?;
            cells[*index].samples().push(sample);
        }
        let (count, rounds) = (cells.len(), effort.rounds);
        say(&format!("round {round} of {rounds}: {count} cells"));
    }
    Ok(())
}

/// Something that is measured once per round.
pub trait Timed {
    /// ns per packet, one per round.
    fn samples(&mut self) -> &mut Vec<f64>;
}

impl Timed for Cell<'_> {
    fn samples(&mut self) -> &mut Vec<f64> {
        &mut self.samples
    }
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

struct Stage {
    programs: Programs,
}

impl Stage {
    fn set(&mut self, cell: &Cell<'_>) -> anyhow::Result<()> {
        self.programs.show(cell.corpus.family(), &cell.pairs)?;
        match cell.subject {
            Subject::Own => self
                .programs
                .aim(self.programs.own(cell.target.name())?, false),
            Subject::Filter(filter) => self.programs.aim(filter.program(), false),
            Subject::Rival(rival) => self.programs.aim(rival.program()?, rival.is_linear()),
        }
    }

    /// Every pair once: a program that gives other verdicts is not worth timing. Returns how many
    /// packets it shall be shown per round.
    fn check(&mut self, cell: &Cell<'_>, effort: &Effort) -> anyhow::Result<u32> {
        let packets = match cell.subject {
            Subject::Rival(_) => FEWEST_PACKETS,
            _ => u32::try_from(PAIRS)?,
        };
        let dropped = || match cell.subject {
            Subject::Filter(filter) => filter.dropped(),
            _ => Ok(0),
        };
        let before = dropped()?;
        self.set(cell)?;
        let (verdict, time) = self.run(cell, packets)?;
        let dropped = dropped()? - before;
        let drops = cell.corpus == Corpus::Hit && !cell.target.only_passes();
        let counted = matches!(cell.subject, Subject::Filter(_)) && drops;
        let expected = (
            if drops { XDP_DROP } else { XDP_PASS },
            if counted { u64::from(packets) } else { 0 },
        );
        ensure!(
            (verdict, dropped) == expected,
            "the last verdict is {verdict} and {dropped} packets were dropped, not {expected:?}"
        );
        Ok(fitting(effort, time / packets))
    }

    fn run(&self, cell: &Cell<'_>, packets: u32) -> anyhow::Result<(u32, Duration)> {
        let linear = matches!(cell.subject, Subject::Rival(rival) if rival.is_linear());
        self.programs.run(cell.corpus.family(), linear, packets)
    }

    /// ns per packet.
    fn time(&mut self, cell: &Cell<'_>) -> anyhow::Result<f64> {
        self.set(cell)?;
        let (_, time) = self.run(cell, cell.packets)?;
        Ok(time.as_secs_f64() * 1e9 / f64::from(cell.packets))
    }
}

/// A power of two.
fn fitting(effort: &Effort, packet: Duration) -> u32 {
    let mut packets = effort.packets;
    while packets > FEWEST_PACKETS && packet * packets > effort.cell {
        packets /= 2;
    }
    packets
}

fn rows_of(cell: &Cell<'_>, cells: &[Cell<'_>]) -> anyhow::Result<Vec<Row>> {
    let rows = cell.sizes.iter().map(|size| {
        Ok(Row {
            method: Method::TestRun,
            target: cell.target,
            corpus: cell.corpus,
            indicators: *size,
            measured: Some(measured(cell, *size, cells)?),
            note: note(cell),
        })
    });
    rows.collect()
}

fn measured(cell: &Cell<'_>, size: usize, cells: &[Cell<'_>]) -> anyhow::Result<Measured> {
    let baseline = |target| {
        let found = cells.iter().find(|one| {
            one.target == target && one.corpus == cell.corpus && one.sizes.contains(&size)
        });
        found.context("no row to compare with")
    };
    let (bare, parse) = (baseline(Target::BarePass)?, baseline(Target::ParsePass)?);
    let paired = |other: &Cell<'_>, with: fn(f64, f64) -> f64| {
        let rounds = cell.samples.iter().zip(&other.samples);
        Summary::of(rounds.map(|(own, other)| with(*own, *other))).context("no round")
    };
    Ok(Measured {
        ns: Summary::of(cell.samples.iter().copied()).context("no round")?,
        net_ns: paired(bare, |own, bare| own - bare)?.median,
        to_parse_pass: Some(paired(parse, |own, parse| own / parse)?.median),
        whole_ns: None,
        to_bare_drop: None,
        rounds: cell.samples.len(),
    })
}

fn note(cell: &Cell<'_>) -> String {
    let note = match (cell.target, cell.corpus) {
        (Target::Trickblock, Corpus::Hit) => {
            "every packet is dropped, counted, and asks for an event"
        }
        (Target::KernelHash | Target::KernelLpm, Corpus::Hit) => "drops, and counts nothing",
        (Target::XdpFilter, _) => "without libxdp's dispatcher in front",
        _ if cell.sizes.len() > 1 => "looks nothing up: measured once for all sizes",
        _ => "",
    };
    note.to_owned()
}
