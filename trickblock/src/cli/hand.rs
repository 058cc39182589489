//! `trickblock block` and `allow`: the operator's hand.

use std::{
    io::{self, Write},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Exit,
    daemon::{Place, ask, no_daemon, refused, typed, unchanged, write_json},
    feeds::misused,
};
use crate::{
    daemon::{
        Done, Said,
        operator::{Overview, Told},
        protocol::Verb,
    },
    indicator::{self, Seen},
};

/// The authority of a block that says no other.
const LOCAL: &str = "local";

/// Block an indicator by hand, at once and until its end; kept over restarts.
///
/// Exit codes: 0 done, 1 no daemon or failed, 2 usage, 3 not permitted or refused by a guard.
#[derive(Debug, clap::Args)]
pub struct BlockArgs {
    #[command(subcommand)]
    what: Block,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum Block {
    /// Block IP, PREFIX, IP:PORT or IP:PORT/PROTO, with IPv6 in brackets before a port; needs root.
    Add {
        #[command(flatten)]
        entry: Entry,
        /// The number of the court order that asks for it.
        #[arg(long, value_name = "NUMBER")]
        order: Option<String>,
    },
    /// Take a block back; what a feed names as well stays. Needs root.
    Del {
        #[arg(value_name = "INDICATOR")]
        what: String,
    },
    /// List what is blocked by hand, with who, when and why.
    List,
}

/// Protect an address or a prefix by hand, at once and until its end; kept over restarts.
///
/// Exit codes: 0 done, 1 no daemon or failed, 2 usage, 3 not permitted.
#[derive(Debug, clap::Args)]
pub struct AllowArgs {
    #[command(subcommand)]
    what: Allow,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum Allow {
    /// Never block this address or prefix; needs root.
    Add {
        #[command(flatten)]
        entry: Entry,
    },
    /// Take a protection back; needs root.
    Del {
        #[arg(value_name = "PREFIX")]
        what: String,
    },
    /// List what is allowed by hand, with who, when and why.
    List,
}

#[derive(Debug, clap::Args)]
struct Entry {
    #[arg(value_name = "WHAT")]
    what: String,
    /// For how long: 30m, 6h, 2d. Without it, until it is taken back.
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "until")]
    span: Option<Duration>,
    /// Until when: a date or a time, in UTC where it does not say otherwise.
    #[arg(long, value_name = "TIME")]
    until: Option<Seen>,
    /// Why, for whoever looks at it later.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// A prefix is meant although it is very wide.
    #[arg(long)]
    wide: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = indicator::span(text)
        .ok_or_else(|| format!("`{text}` is not a span of time: write 30m, 6h or 2d"))?;
    match span.is_zero() {
        true => Err(format!("`{text}` is over at once: write 30m, 6h or 2d")),
        false => Ok(span),
    }
}

pub fn block(args: &BlockArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    match &args.what {
        Block::Add { entry, order } => {
            let said = entry.said(order.clone());
            change(&args.place, (Verb::Block, said), "blocked", out, err)
        }
        Block::Del { what } => {
            let said = json!({ "what": what });
            change(
                &args.place,
                (Verb::Unblock, said),
                "no longer blocked by hand:",
                out,
                err,
            )
        }
        Block::List => list(&args.place, out, err, blocks),
    }
}

pub fn allow(args: &AllowArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    match &args.what {
        Allow::Add { entry } => change(
            &args.place,
            (Verb::Allow, entry.said(None)),
            "never blocked:",
            out,
            err,
        ),
        Allow::Del { what } => {
            let said = json!({ "what": what });
            change(
                &args.place,
                (Verb::Disallow, said),
                "no longer allowed by hand:",
                out,
                err,
            )
        }
        Allow::List => list(&args.place, out, err, allows),
    }
}

impl Entry {
    fn said(&self, order: Option<String>) -> Value {
        let now = Timestamp::now().as_second();
        let later = |span: Duration| now.saturating_add_unsigned(span.as_secs());
        json!(Said {
            what: self.what.clone(),
            until: self.until.map(Seen::unix).or(self.span.map(later)),
            reason: self.reason.clone(),
            order,
            wide: self.wide,
        })
    }
}

fn change(
    place: &Place,
    (verb, said): (Verb, Value),
    what: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let done: Done = match ask(place, verb, said) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(place, err)),
        Err(error) => return Ok(misused(unchanged(err, &error), &error)),
    };
    if place.json {
        write_json(out, &done)?;
        return Ok(Exit::Ok);
    }
    write_done(out, what, &done)?;
    Ok(Exit::Ok)
}

fn write_done(out: &mut dyn Write, what: &str, done: &Done) -> io::Result<()> {
    let until = done.until.as_deref();
    let until = until.map_or_else(String::new, |until| format!(" until {until}"));
    let gone = match done.gone {
        0 => String::new(),
        gone => format!(", {gone} less than before"),
    };
    writeln!(
        out,
        "{what} {}{until}; {} indicators in force{gone}",
        done.what, done.in_force
    )?;
    if let Some(before) = &done.replaced {
        writeln!(
            out,
            "  in place of: until {}, since {}, by {}, reason: {}",
            before.until.as_deref().unwrap_or("-"),
            before.since.as_deref().unwrap_or("-"),
            before.by,
            before.reason
        )?;
    }
    for feed in &done.still {
        writeln!(out, "  {} stays in force: {feed} names it", done.what)?;
    }
    if done.monitor {
        writeln!(
            out,
            "  nothing is dropped, only counted: the configuration has `action = \"monitor\"`"
        )?;
    }
    Ok(())
}

fn list(
    place: &Place,
    out: &mut dyn Write,
    err: &mut dyn Write,
    text: fn(&mut dyn Write, &Overview) -> io::Result<()>,
) -> io::Result<Exit> {
    let lists: Overview = match ask(place, Verb::ByHand, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(place, err)),
        Err(error) => return Ok(refused(err, &error)),
    };
    match place.json {
        true => write_json(out, &lists)?,
        false => text(out, &lists)?,
    }
    Ok(Exit::Ok)
}

fn blocks(out: &mut dyn Write, lists: &Overview) -> io::Result<()> {
    table(out, &lists.blocks)
}

fn allows(out: &mut dyn Write, lists: &Overview) -> io::Result<()> {
    table(out, &lists.allows)
}

fn table(out: &mut dyn Write, rows: &[Told]) -> io::Result<()> {
    writeln!(
        out,
        "{:<44} {:<20} {:<20} {:<10} reason",
        "what", "until", "since", "by"
    )?;
    for told in rows {
        let idle = told.idle.as_deref();
        let idle = idle.map_or_else(String::new, |why| format!("DROPS NOTHING ({why}) "));
        let order = told.authority.as_deref().filter(|name| *name != LOCAL);
        let order = order.map_or_else(String::new, |order| format!("{order}: "));
        writeln!(
            out,
            "{:<44} {:<20} {:<20} {:<10} {idle}{order}{}",
            told.what,
            told.until.as_deref().unwrap_or("-"),
            told.since.as_deref().unwrap_or("-"),
            told.by,
            told.reason
        )?;
    }
    Ok(())
}
