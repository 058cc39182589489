//! `trickblock status`: is it filtering, what, and is all well?

use std::io::{self, Write};

use serde_json::Value;

use super::{
    Exit,
    daemon::{Place, ask, refused, typed, write_json},
    failed,
};
use crate::{
    daemon::protocol::Verb,
    kernel::Pins,
    observe::{
        Status,
        status::{InterfaceStatus, State},
    },
};

/// Say whether the filter is on, what it holds, how the feeds are, and what it stopped.
///
/// Exit codes: 0 active, 4 degraded or switched off, 1 neither daemon nor pinned filter.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let status = match ask(&args.place, Verb::Status, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => match Status::of_pins(&Pins::new(&args.place.pins)) {
            Ok(status) => status,
            Err(error) => return Ok(failed(err, &error)),
        },
        Err(error) => return Ok(refused(err, &error)),
    };
    if args.place.json {
        write_json(out, &status)?;
    } else {
        write_text(out, &status)?;
    }
    Ok(match status.state {
        State::Active => Exit::Ok,
        State::Degraded | State::Off => Exit::Degraded,
    })
}

fn write_text(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let state = match status.state {
        State::Active => "active",
        State::Degraded => "DEGRADED",
        State::Off => "OFF",
    };
    let daemon = status.daemon.as_ref().map_or_else(
        || "no daemon".to_owned(),
        |daemon| {
            format!(
                "daemon {} (pid {}) since {}",
                daemon.version, daemon.pid, daemon.started_at
            )
        },
    );
    writeln!(
        out,
        "trickblock  {state}, action {}, {daemon}",
        status.action
    )?;
    if let (Some(mode), Some(reason)) = (&status.mode, &status.mode_reason) {
        writeln!(out, "mode        {mode} ({reason})")?;
    }
    if let Some(daemon) = &status.daemon {
        writeln!(out, "sandbox     {}", daemon.sandbox)?;
    }
    for problem in &status.problems {
        writeln!(out, "  ! {problem}")?;
    }
    write_interfaces(out, status)?;
    write_set(out, status)?;
    write_feeds(out, status)?;
    write_counters(out, status)
}

fn write_interfaces(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<16} {:<26} {:<8} note",
        "interface", "hooks", "role"
    )?;
    for interface in &status.interfaces {
        let (name, hooks) = (&interface.name, hooks(interface));
        let role = interface.role.as_deref().unwrap_or("-");
        let closed = interface.fail_closed.then_some("fail-closed");
        let notes = [
            interface.role_reason.as_deref(),
            closed,
            interface.note.as_deref(),
        ];
        let notes: Vec<&str> = notes.into_iter().flatten().collect();
        let line = format!("{name:<16} {hooks:<26} {role:<8} {}", notes.join("; "));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `xdp native, tcx-egress`
fn hooks(interface: &InterfaceStatus) -> String {
    let mode = interface.mode.as_deref().unwrap_or_default();
    let named = interface.hooks.iter().map(|hook| match hook.as_str() {
        "xdp" => format!("xdp {mode}"),
        other => other.to_owned(),
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return "-".to_owned();
    }
    named.join(", ")
}

fn write_set(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let set = &status.indicators;
    writeln!(
        out,
        "\n{} indicators ({} IPv4, {} IPv6; {} with a port, {} only monitored), generation {}",
        set.total, set.v4, set.v6, set.ports, set.monitor, status.generation
    )?;
    if set.inherited > 0 {
        writeln!(
            out,
            "{} of them were in force before this daemon started, and stay until every feed has answered",
            set.inherited
        )?;
    }
    writeln!(
        out,
        "table entries used: {} of {} IPv4 addresses, {} of {} IPv4 prefixes and ports, {} of {} IPv6; {} prefixes are never blocked",
        set.entries.v4_addresses,
        set.capacity.v4_addresses,
        set.entries.v4_others,
        set.capacity.v4_others,
        set.entries.v6,
        set.capacity.v6,
        status.never_block
    )?;
    let Some(guards) = &status.guards else {
        return Ok(());
    };
    writeln!(
        out,
        "guards: {} prefixes compiled in, {} shipped, {} learned, {} allowed, {} own",
        guards.compiled_in, guards.shipped, guards.learned, guards.allowed, guards.own
    )?;
    match guards.exceptions.as_slice() {
        [] => Ok(()),
        some => writeln!(out, "excepted from them: {}", some.join(", ")),
    }
}

fn write_feeds(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    if status.feeds.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<16} {:<8} {:>10} {:>8} {:>8} {:<20} source",
        "feed", "state", "indicators", "rejected", "refused", "last ok"
    )?;
    for feed in &status.feeds {
        let last_ok = feed
            .last_ok
            .as_deref()
            .and_then(|at| at.get(..19))
            .unwrap_or("never");
        writeln!(
            out,
            "{:<16} {:<8} {:>10} {:>8} {:>8} {:<20} {}",
            feed.name,
            feed.state,
            feed.indicators,
            feed.rejected,
            feed.refused,
            last_ok,
            feed.location
        )?;
    }
    Ok(())
}

fn write_counters(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    if status.counters.is_empty() {
        return writeln!(out, "\nno packet matched anything yet");
    }
    write_stopped(out, status)?;
    writeln!(
        out,
        "\n{:<8} {:<28} {:<12} {:<12} {:>12} {:>14}",
        "verdict", "reason", "side", "direction", "packets", "bytes"
    )?;
    for count in &status.counters {
        let side = count.side.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{:<8} {:<28} {side:<12} {:<12} {:>12} {:>14}",
            count.verdict, count.reason, count.direction, count.packets, count.bytes
        )?;
    }
    let events = &status.events;
    writeln!(
        out,
        "\nevents: {} read, {} held back by the rate limit, {} lost",
        events.read, events.limited, events.lost
    )
}

/// What the drops were good for; nothing while there was none.
fn write_stopped(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let named = status.stopped.named();
    let mut seen = named.iter().filter(|(_, sum)| sum.packets > 0).peekable();
    if seen.peek().is_some() {
        writeln!(out, "\n{:<28} {:>12} {:>14}", "dropped", "packets", "bytes")?;
    }
    seen.try_for_each(|(name, sum)| {
        writeln!(out, "{name:<28} {:>12} {:>14}", sum.packets, sum.bytes)
    })
}
