//! `trickblock list`: what is in force.

use std::io::{self, Write};

use serde_json::Value;

use super::{
    Exit,
    daemon::{Place, ask, refused, typed, write_json},
    failed,
};
use crate::{
    daemon::{protocol::Verb, report::List},
    kernel::{FilterError, Maps, Pins},
    observe::{
        status::SCHEMA,
        why::{Listed, Origin},
    },
};

/// List every indicator in force with its hits and, while a daemon runs, where it comes from.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let list: List = match ask(&args.place, Verb::List, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => match of_pins(&Pins::new(&args.place.pins)) {
            Ok(list) => list,
            Err(error) => return Ok(failed(err, &error)),
        },
        Err(error) => return Ok(refused(err, &error)),
    };
    if args.place.json {
        write_json(out, &list)?;
    } else {
        write_text(out, &list)?;
    }
    Ok(Exit::Ok)
}

/// In the place of a source.
const INHERITED: &str = "(from before the last start or reload, until every feed has answered)";

fn of_pins(pins: &Pins) -> Result<List, FilterError> {
    let maps = Maps::open(pins)?;
    let entries = maps.entries()?;
    let hits = maps.hits(entries.iter().map(|entry| entry.id))?;
    let indicators = entries
        .iter()
        .zip(hits)
        .map(|(entry, hits)| Listed::of_entry(entry, hits))
        .collect();
    Ok(List {
        schema: SCHEMA,
        indicators,
    })
}

fn write_text(out: &mut dyn Write, list: &List) -> io::Result<()> {
    writeln!(
        out,
        "{:<44} {:<8} {:>10}  {:<16} sources",
        "indicator", "action", "hits", "family"
    )?;
    for listed in &list.indicators {
        let family = listed.family.as_deref().unwrap_or("-");
        let mut sources: Vec<String> = listed.sources.iter().map(source).collect();
        sources.extend(listed.inherited.then(|| INHERITED.to_owned()));
        let until = listed
            .until
            .as_deref()
            .map_or_else(String::new, |until| format!(" until {until}"));
        writeln!(
            out,
            "{:<44} {:<8} {:>10}  {family:<16} {}{until}",
            listed.indicator,
            listed.action,
            listed.hits,
            sources.join(" ")
        )?;
    }
    Ok(())
}

/// `feodo:3`, `feodo:3 (departed)`, `orders:1 (court order 7 until …)`.
fn source(origin: &Origin) -> String {
    let departed = origin.departed.then_some("departed");
    let notes: Vec<&str> = departed
        .into_iter()
        .chain(origin.authority.as_deref())
        .collect();
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!(" ({})", notes.join(", ")),
    };
    format!("{}:{}{notes}", origin.feed, origin.line)
}
