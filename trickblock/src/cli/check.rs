//! `trickblock check`: what feeds would do, as a pure function of their files.

mod files;
mod report;
pub(super) mod set;

use std::{
    error::Error,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{Exit, failed};
use crate::{config::Config, daemon, feed::Format, policy::Guard};

use self::{report::Report, set::Set};

/// Read feeds and say what they contain, without kernel and without privilege.
///
/// With -c, the feeds of a configuration as its own guards let them through: files as they are now,
/// and the last good copy of what is fetched, since a check asks no server.
///
/// Exit codes: 0 usable, 1 not a feed or more than half malformed, 2 usage, 3 everything refused.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["feed", "config"])))]
pub struct Args {
    /// Files, or directories that are searched for files, or `-` for standard input; all of them
    /// count as one set. gzip is decoded.
    #[arg(long, num_args = 1.., value_name = "FILE|DIR")]
    pub feed: Vec<PathBuf>,
    /// Read every file as this format instead of detecting it.
    #[arg(long, value_parser = formats())]
    pub format: Option<Format>,
    /// Check the feeds of this configuration, with its allow list and own networks as guards.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["feed", "format"])]
    pub config: Option<PathBuf>,
    /// Write one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Writes the report to `out` and what makes the set unusable to `err`.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let (set, guard) = match &args.config {
        None => (Set::read(&args.feed, args.format), Guard::standard()),
        Some(file) => match of_config(file) {
            Ok(found) => found,
            Err((exit, error)) => {
                failed(err, error.as_ref());
                return Ok(exit);
            }
        },
    };
    let rules = set.merge(&guard);
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

/// The known formats, which the help lists.
fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

type Unusable = (Exit, Box<dyn Error>);

fn of_config(file: &Path) -> Result<(Set, Guard), Unusable> {
    let config = Config::load(file).map_err(|error| (Exit::Usage, error.into()))?;
    let guard = daemon::guard(&config).map_err(|error| (Exit::Failed, error.into()))?;
    let mut set = Set::of_config(&config);
    set.hold_too_much(&guard);
    Ok((set, guard))
}
