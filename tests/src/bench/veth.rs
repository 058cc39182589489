//! Dropping real frames: a generator on one end of a veth pair, a filter on the other, both on one CPU.
//!
//! Each filter has a network namespace of its own, without any route out; what it would let pass ends in a
//! closed stack.

mod generator;
mod receiver;
mod sink;

use anyhow::Context as _;

use super::{
    corpus::Corpus,
    figure::first_line,
    lookup::{self, Effort, Timed},
    pool::Pool,
    programs::Programs,
    row::{Measured, Row},
    stats::Summary,
    target::{Method, Target},
};
use crate::sys;
use generator::{Generator, flows};
use sink::{Ground, Sink};

const TARGETS: [Target; 6] = [
    Target::BareDrop,
    Target::Trickblock,
    Target::XdpFilter,
    Target::NftHash,
    Target::NftInterval,
    Target::Ipset,
];
const CORPORA: [Corpus; 2] = [Corpus::Hot, Corpus::Uniform];
/// Lists up to this size are drawn from the address space for benchmarks, longer ones do not fit in there.
const SMALL: usize = 10_000;
const CHECKED: u32 = 1 << 14;

/// All targets with lists of these sizes.
pub fn measure(
    effort: &Effort,
    pool: &Pool,
    sizes: &[usize],
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Row>> {
    let small = Pool::of_benchmark_space(SMALL);
    let pool_of = |size: usize| if size <= SMALL { &small } else { pool };
    let (ground, own) = (Ground::new()?, Programs::load()?);
    let (mut sinks, mut rows) = (Vec::new(), Vec::new());
    for target in TARGETS {
        for size in sizes {
            sys::stop_if_interrupted()?;
            match sink(&ground, &own, target, (pool_of(*size), *size)) {
                Ok(sink) => sinks.push(sink),
                Err(error) => rows.extend(missing(target, *size, &first_line(&error))),
            }
        }
        say(&format!("veth: {} has its lists", target.name()));
    }
    let generator = Generator::load()?;
    let mut cells = Vec::new();
    for mut cell in drawn(&sinks, pool_of)? {
        match (check(&generator, &ground, &cell, effort), cell.sink) {
            (Ok(packets), _) => {
                cell.packets = packets;
                cells.push(cell);
            }
            (Err(error), Some(sink)) => {
                let why = format!("not timed: {}", first_line(&error));
                say(&format!("{} on {}: {why}", cell.name(), cell.corpus.name()));
                let missing = (sink.target, cell.corpus, sink.size);
                rows.push(Row::missing(Method::Veth, missing, why));
            }
            (Err(error), None) => return Err(error.context("the generator")),
        }
    }
    lookup::rounds(effort, &mut cells, say, |cell| {
        generator.time(&ground, cell.sink, &cell.flows, cell.packets)
    })?;
    for cell in &cells {
        rows.extend(row(cell, &cells)?);
    }
    Ok(rows)
}

fn sink(
    ground: &Ground,
    own: &Programs,
    target: Target,
    (pool, size): (&Pool, usize),
) -> anyhow::Result<Sink> {
    anyhow::ensure!(size <= target.most(), "{}", target.cannot());
    let mut sink = ground.sink(target, size)?;
    receiver::set_up(&mut sink, own, pool)?;
    Ok(sink)
}

fn missing(target: Target, size: usize, why: &str) -> Vec<Row> {
    let row = |corpus| Row::missing(Method::Veth, (target, corpus, size), why);
    CORPORA.into_iter().map(row).collect()
}

struct Cell<'a> {
    /// `None`: the generator drops its frames itself.
    sink: Option<&'a Sink>,
    corpus: Corpus,
    flows: Vec<u64>,
    packets: u32,
    samples: Vec<f64>,
}

impl Cell<'_> {
    fn name(&self) -> &'static str {
        self.sink.map_or("the generator", |sink| sink.target.name())
    }
}

impl Timed for Cell<'_> {
    fn samples(&mut self) -> &mut Vec<f64> {
        &mut self.samples
    }
}

/// All cells, not yet checked.
fn drawn<'a, 'p>(
    sinks: &'a [Sink],
    pool_of: impl Fn(usize) -> &'p Pool,
) -> anyhow::Result<Vec<Cell<'a>>> {
    let mut cells = Vec::new();
    for corpus in CORPORA {
        for sink in [None].into_iter().chain(sinks.iter().map(Some)) {
            let size = sink.map_or(SMALL, |sink| sink.size);
            cells.push(Cell {
                sink,
                corpus,
                flows: flows(
                    pool_of(size),
                    size,
                    corpus,
                    sink.map_or(0, |sink| sink.port),
                )?,
                packets: 0,
                samples: Vec::new(),
            });
        }
    }
    Ok(cells)
}

/// Everything arrives and nothing passes; how many packets it shall get per round.
fn check(
    generator: &Generator,
    ground: &Ground,
    cell: &Cell<'_>,
    effort: &Effort,
) -> anyhow::Result<u32> {
    let before = cell.sink.map(Sink::passed).transpose()?;
    let ns = generator.time(ground, cell.sink, &cell.flows, CHECKED)?;
    let after = cell.sink.map(Sink::passed).transpose()?;
    anyhow::ensure!(
        before == after,
        "some of {CHECKED} frames passed the filter: {before:?} before, {after:?} after"
    );
    let mut packets = effort.packets;
    while packets > CHECKED && ns * f64::from(packets) > effort.cell.as_secs_f64() * 1e9 {
        packets /= 2;
    }
    Ok(packets)
}

/// `None` for the generator alone.
fn row(cell: &Cell<'_>, cells: &[Cell<'_>]) -> anyhow::Result<Option<Row>> {
    let Some(sink) = cell.sink else {
        return Ok(None);
    };
    let with = |target: Option<Target>| {
        let mut cells = cells.iter().filter(|one| one.corpus == cell.corpus);
        cells.find(|one| match (target, one.sink) {
            (Some(target), Some(other)) => other.target == target && other.size == sink.size,
            (target, other) => target.is_none() && other.is_none(),
        })
    };
    let alone = with(None).context("no generator")?;
    let bare = with(Some(Target::BareDrop)).context("no bare drop to compare with")?;
    Ok(Some(Row {
        method: Method::Veth,
        target: sink.target,
        corpus: cell.corpus,
        indicators: sink.size,
        measured: Some(measured(cell, alone, bare)?),
        note: note(sink.target).to_owned(),
    }))
}

fn measured(cell: &Cell<'_>, alone: &Cell<'_>, bare: &Cell<'_>) -> anyhow::Result<Measured> {
    let paired = |other: &Cell<'_>, with: fn(f64, f64) -> f64| {
        let rounds = cell.samples.iter().zip(&other.samples);
        Summary::of(rounds.map(|(own, other)| with(*own, *other))).context("no round")
    };
    let whole = Summary::of(cell.samples.iter().copied()).context("no round")?;
    Ok(Measured {
        ns: paired(alone, |own, alone| own - alone)?,
        net_ns: paired(bare, |own, bare| own - bare)?.median,
        to_parse_pass: None,
        whole_ns: Some(whole.median),
        to_bare_drop: Some(paired(bare, |own, bare| bare / own)?.median),
        rounds: cell.samples.len(),
    })
}

fn note(target: Target) -> &'static str {
    match target {
        Target::Trickblock => "dropped, counted by reason and indicator, asks for an event",
        Target::XdpFilter => "without libxdp's dispatcher in front",
        Target::NftHash | Target::NftInterval => {
            "destination asked first: one lookup for each frame"
        }
        Target::Ipset => "destination only: one lookup for each frame",
        _ => "",
    }
}
