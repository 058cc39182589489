//! `trickblock replay`: a capture through the loaded program.

mod capture;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use self::capture::{CaptureError, Packet};
use super::{Exit, check::set::Set, failed};
use crate::{
    feed::Format,
    indicator::Indicator,
    kernel::{Filter, FilterError, Judged, Program, random_seed},
    policy::{Action, Guard, RuleSet},
    table::{Entry, Ids, ids::OutOfIds, needed_entries},
};

/// Show every packet of a capture to the XDP program, loaded privately and attached nowhere.
///
/// Writes one JSON line per packet: n, verdict (drop, pass, monitor, skip), reason, side, indicator.
/// docs/verdicts.md lists the reasons. Needs root and a BPF file system.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Feed files, or directories of them.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|DIR")]
    pub feed: Vec<PathBuf>,
    /// The capture, pcap or pcapng.
    #[arg(long, value_name = "FILE")]
    pub pcap: PathBuf,
    /// Read every feed as this format instead of detecting it.
    #[arg(long)]
    pub format: Option<Format>,
    /// Count and report instead of dropping.
    #[arg(long)]
    pub monitor: bool,
    /// A directory on a BPF file system, for a moment during loading.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf")]
    pub bpffs: PathBuf,
    /// The output is always JSON lines; accepted because every verb knows it.
    #[arg(long)]
    pub json: bool,
}

/// One line of output.
#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    verdict: &'static str,
    reason: &'static str,
    side: Option<&'static str>,
    indicator: Option<&'a Indicator>,
    /// Said of the packet inside a tunnel.
    inner: bool,
}

#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Ids(#[from] OutOfIds),
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// Exit 0 whenever every packet got a line.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let set = Set::read(&args.feed, args.format);
    for reason in set.complaints() {
        writeln!(err, "trickblock: {reason}")?;
    }
    if !set.failed.is_empty() {
        return Ok(Exit::Failed);
    }
    if set.feeds.is_empty() {
        return Ok(failed(
            err,
            &"none of the files is a feed: give one, or correct its path",
        ));
    }
    let guard = Guard::standard();
    let done = Replay::load(&set.merge(&guard), &guard, args)
        .and_then(|mut replay| replay.play(&args.pcap, out));
    match done {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Ok(failed(err, &error)),
    }
}

struct Replay {
    filter: Filter,
    /// By id.
    indicators: Vec<Indicator>,
}

impl Replay {
    fn load(rules: &RuleSet, guard: &Guard, args: &Args) -> Result<Self, ReplayError> {
        let entries = entries(rules)?;
        let needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
        let mut filter = Filter::load_private(&args.bpffs, needed)?;
        filter.maps.set_never_block(&guard.protected_values())?;
        filter.maps.swap(&entries, &[], random_seed())?;
        filter.report_everything(args.monitor)?;
        let indicators = entries.iter().map(|entry| entry.indicator).collect();
        Ok(Self { filter, indicators })
    }

    fn play(&mut self, pcap: &Path, out: &mut dyn Write) -> Result<(), ReplayError> {
        let mut n = 0;
        capture::read(pcap, &mut |packet| {
            n += 1;
            let line = match packet {
                Packet::Skip(reason) => Line {
                    n,
                    verdict: "skip",
                    reason,
                    side: None,
                    indicator: None,
                    inner: false,
                },
                Packet::Frame(frame) => {
                    let judged = self.filter.judge(Program::Xdp, &frame)?;
                    self.line(n, judged)
                }
            };
            serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
            writeln!(out)?;
            Ok(())
        })
    }

    fn line(&self, n: u64, judged: Judged) -> Line<'_> {
        let indicator = judged
            .indicator
            .and_then(|id| self.indicators.get(usize::try_from(id).ok()?));
        Line {
            n,
            verdict: judged.reason.verdict().name(),
            reason: judged.reason.name(),
            side: judged.side.name(),
            indicator,
            inner: judged.inner,
        }
    }
}

/// Ids are indices.
fn entries(rules: &RuleSet) -> Result<Vec<Entry>, OutOfIds> {
    let wanted = rules
        .rules
        .iter()
        .map(|rule| (rule.indicator, rule.action == Action::Drop));
    let plan = Ids::new(u32::MAX, &[]).plan(&[], wanted)?;
    Ok(plan.entries)
}
