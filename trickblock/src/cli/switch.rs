//! `trickblock off`, `on` and `reload`: the verbs that change the filter.

use std::io::{self, Write};

use serde_json::Value;

use super::{
    Exit,
    daemon::{Place, ask, no_daemon, typed, unchanged, write_json},
    failed,
};
use crate::{
    daemon::{
        Reloaded, Switched, names,
        protocol::{SCHEMA, Verb},
    },
    kernel::{FilterError, Hooks, ModeChoice, Pins, check_privilege},
};

/// Arguments of all three.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Place,
}

/// Detaches everywhere. Works without a daemon too: the pins say where the filter is. Without
/// privilege they cannot even be listed, and would look as if there were none.
pub fn off(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let switched: Switched = match ask(&args.place, Verb::Off, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => match check_privilege().and_then(|()| switch_off(args)) {
            Ok(interfaces) => Switched {
                schema: SCHEMA,
                interfaces,
                failed: Vec::new(),
            },
            Err(error) => return Ok(not_switched(err, &error)),
        },
        Err(error) => return Ok(unchanged(err, &error)),
    };
    report(args, &switched, "off: nothing is filtered on", out, err)
}

/// Attaches again.
pub fn on(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let switched: Switched = match ask(&args.place, Verb::On, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => match check_privilege().and_then(|()| hooks(args).on(ModeChoice::Auto)) {
            Ok(attached) => Switched {
                schema: SCHEMA,
                interfaces: names(&attached),
                failed: Vec::new(),
            },
            Err(error) => return Ok(not_switched(err, &error)),
        },
        Err(error) => return Ok(unchanged(err, &error)),
    };
    report(args, &switched, "on: filtering", out, err)
}

/// Where nothing is pinned nothing was switched off: the filter may be elsewhere, and on.
fn switch_off(args: &Args) -> Result<Vec<String>, FilterError> {
    let pins = Pins::new(&args.place.pins);
    if !pins.has_filter() && pins.other_version().is_none() {
        return Err(pins.no_filter());
    }
    hooks(args).off()
}

fn not_switched(err: &mut dyn Write, error: &FilterError) -> Exit {
    let exit = failed(err, error);
    match error {
        FilterError::Privilege { .. } | FilterError::UserNamespace | FilterError::Denied { .. } => {
            Exit::Refused
        }
        _ => exit,
    }
}

fn hooks(args: &Args) -> Hooks {
    Hooks::new(Pins::new(&args.place.pins))
}

fn report(
    args: &Args,
    switched: &Switched,
    what: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    if args.place.json {
        write_json(out, switched)?;
    } else if switched.interfaces.is_empty() {
        writeln!(out, "nothing to do: no interface is concerned")?;
    } else {
        writeln!(out, "{what} {}", switched.interfaces.join(", "))?;
    }
    for reason in &switched.failed {
        failed(err, reason);
    }
    Ok(if switched.failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    })
}

/// Reads the configuration again and fetches every feed whose server may be asked.
pub fn reload(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let reloaded: Reloaded = match ask(&args.place, Verb::Reload, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(&args.place, err)),
        Err(error) => return Ok(unchanged(err, &error)),
    };
    if args.place.json {
        write_json(out, &reloaded)?;
    } else {
        writeln!(out, "reloaded: {} indicators in force", reloaded.indicators)?;
        for feed in &reloaded.put_off {
            writeln!(out, "not asked: {feed}")?;
        }
        for feed in &reloaded.rejected {
            writeln!(
                out,
                "{feed}: still the body that was rejected by the operator, so the last good set stays"
            )?;
        }
    }
    let wrong = || reloaded.failed.iter().chain(&reloaded.problems);
    for reason in wrong() {
        failed(err, reason);
    }
    Ok(if wrong().next().is_none() {
        Exit::Ok
    } else {
        Exit::Degraded
    })
}
