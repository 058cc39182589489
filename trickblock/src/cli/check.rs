//! `trickblock check`: what feeds would do, as a pure function of their files.

mod files;
mod report;
pub(super) mod set;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use super::Exit;
use crate::{feed::Format, policy::Guard};

use self::{report::Report, set::Set};

/// Read feeds and say what they contain, without kernel and without privilege.
///
/// Exit codes: 0 usable, 1 not a feed or more than half malformed, 2 usage, 3 everything refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or directories that are searched for files; all of them count as one set.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|DIR")]
    pub feed: Vec<PathBuf>,
    /// Read every file as this format instead of detecting it: plain, ipset, feodo-csv,
    /// feodo-json, feodo-txt, trickbot.
    #[arg(long)]
    pub format: Option<Format>,
    /// Write one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Writes the report to `out` and what makes the set unusable to `err`.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let set = Set::read(&args.feed, args.format);
    let rules = set.merge(&Guard::compiled_in());
    let report = Report::new(&set, &rules);
    if args.json {
        report.write_json(out)?;
    } else {
        report.write_text(out)?;
    }
    let (exit, reasons) = report.verdict();
    for reason in reasons {
        writeln!(err, "trickblock: {reason}")?;
    }
    Ok(exit)
}
