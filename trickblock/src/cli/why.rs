//! `trickblock why`: what happens to traffic with an address, and because of whom.

use std::io::{self, Write};

use serde_json::json;

use super::{
    Exit,
    daemon::{Place, ask, refused, typed, write_json},
    failed,
};
use crate::{
    daemon::protocol::Verb,
    kernel::{FilterError, Hooks, Maps, Pins},
    observe::{
        Why,
        why::{Listed, NoTarget, Target, explain},
    },
};

/// Explain the verdict on traffic with an address: indicator, feed, row, guard, hits.
///
/// The lookup is the kernel's own code, over the table in force.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// IP, IP:PORT or IP:PORT/PROTO; IPv6 in brackets before a port.
    #[arg(value_name = "IP[:PORT[/PROTO]]")]
    pub target: String,
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let target = match args.target.parse::<Target>() {
        Ok(target) => target,
        Err(error) => return Ok(usage(err, &error)),
    };
    let why: Why = match ask(&args.place, Verb::Why, json!({ "target": args.target })) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => match of_pins(&target, &Pins::new(&args.place.pins)) {
            Ok(why) => why,
            Err(error) => return Ok(failed(err, &error)),
        },
        Err(error) => return Ok(refused(err, &error)),
    };
    if args.place.json {
        write_json(out, &why)?;
    } else {
        write_text(out, &why)?;
    }
    Ok(Exit::Ok)
}

fn usage(err: &mut dyn Write, error: &NoTarget) -> Exit {
    failed(err, error);
    Exit::Usage
}

fn of_pins(target: &Target, pins: &Pins) -> Result<Why, FilterError> {
    let maps = Maps::open(pins)?;
    let entries = maps.entries()?;
    let monitor = maps.settings()?.monitor != 0;
    let snapshot = maps.snapshot()?;
    let why = explain(target, &snapshot, monitor, &entries, |holding| {
        let hits = maps.hits(holding.iter().map(|entry| entry.id))?;
        let listed = holding.iter().zip(hits);
        Ok(listed
            .map(|(entry, hits)| Listed::of_entry(entry, hits))
            .collect())
    });
    let is_off = Hooks::new(pins.clone()).is_off()?;
    why.map(|why: Why| if is_off { why.switched_off() } else { why })
}

fn write_text(out: &mut dyn Write, why: &Why) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} ({}). {}",
        why.target,
        why.verdict.to_uppercase(),
        why.reason,
        why.explanation
    )?;
    if let Some(listed) = &why.indicator {
        write_listed(out, "because of", listed)?;
    }
    for listed in &why.also {
        write_listed(out, "also listed", listed)?;
    }
    if let Some(protected) = &why.protected_by {
        let reason = protected
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"));
        writeln!(
            out,
            "  protected by {} ({}){}",
            protected.prefix,
            protected.protection,
            reason.unwrap_or_default()
        )?;
    }
    for row in &why.refused {
        let how = match row.guard.as_str() {
            "own_network" => "only counted",
            _ => "refused",
        };
        writeln!(
            out,
            "  {how}: {} of {}:{} by guard {}: {}",
            row.indicator, row.feed, row.line, row.guard, row.reason
        )?;
    }
    Ok(())
}

fn write_listed(out: &mut dyn Write, how: &str, listed: &Listed) -> io::Result<()> {
    writeln!(
        out,
        "  {how} {} ({}), {} hits",
        listed.indicator, listed.action, listed.hits
    )?;
    let facts = [
        ("family", &listed.family),
        ("first seen", &listed.first_seen),
        ("last seen", &listed.last_seen),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            writeln!(out, "    {name} {fact}")?;
        }
    }
    if listed.inherited {
        writeln!(
            out,
            "    in force before the last start or reload: it stays until every feed has answered"
        )?;
    }
    for origin in &listed.sources {
        let how = if origin.departed {
            "named it"
        } else {
            "names it"
        };
        let left = if origin.departed {
            " (departed: it stays for `hold_down`)"
        } else {
            ""
        };
        let since = match (&origin.named_first, &origin.named_last) {
            (Some(first), Some(last)) => format!(", {how} since {first}, last {last}"),
            _ => String::new(),
        };
        writeln!(
            out,
            "    feed {}, line {}{since}{left}",
            origin.feed, origin.line
        )?;
    }
    Ok(())
}
