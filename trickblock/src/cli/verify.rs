//! `trickblock verify`: does the kernel do what it is told?

use std::{
    io::{self, IsTerminal as _, Write},
    path::Path,
};

use serde_json::Value;

use super::{
    Exit,
    daemon::{Place, ask, write_json},
    failed,
};
use crate::{
    daemon::protocol::Verb,
    kernel::Pins,
    observe::Status,
    verify::{Difference, Options, Report, Verdict, verify},
};

/// Send packets of every class through the attached programs and the rules in force, and compare.
///
/// Nothing is sent to a network, and nothing is counted. Needs root. Exit codes: 0 all is as it must be,
/// 1 a difference was found, or it could not be looked for; 4 no difference, but the filter is not on
/// every interface in both directions.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which indicators of a long list to look at: another number, others.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Every indicator in every class: half an hour for a million.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let options = Options {
        seed: args.seed,
        all: args.all,
    };
    let terminal = io::stderr().is_terminal();
    let mut progress = |step: &str| {
        if terminal {
            let _ = write!(err, "\r\x1b[Kverify: {step} …").and_then(|()| err.flush());
        }
    };
    let place = found(&args.place);
    let status = || told(&place);
    let done = verify(&Pins::new(&place.pins), options, &status, &mut progress);
    if terminal {
        let _ = write!(err, "\r\x1b[K");
    }
    let report = match done {
        Ok(report) => report,
        Err(error) => return Ok(failed(err, &error)),
    };
    if args.place.json {
        write_json(out, &report)?;
    } else {
        write_text(out, &report)?;
    }
    Ok(match report.result {
        Verdict::Ok => Exit::Ok,
        Verdict::Degraded => Exit::Degraded,
        Verdict::Different => Exit::Failed,
    })
}

/// Where no filter is pinned there the daemon knows where its own is.
fn found(place: &Place) -> Place {
    let mut place = place.clone();
    if !Pins::new(&place.pins).has_filter()
        && let Ok(Some(answer)) = ask(&place, Verb::Status, Value::Null)
        && let Ok(answer) = super::daemon::typed::<Value>(&answer)
        && let Some(pins) = answer["daemon"]["pins"].as_str()
    {
        place.pins = pins.into();
    }
    place
}

/// What the daemon of these pins says; `None` where none runs, or one of other pins.
fn told(place: &Place) -> Result<Option<Status>, String> {
    let answer = ask(place, Verb::Status, Value::Null).map_err(|error| error.to_string())?;
    let Some(answer) = answer else {
        return Ok(None);
    };
    let of_these = |pins: &Value| {
        pins.as_str()
            .is_some_and(|pins| Path::new(pins) == place.pins)
    };
    let unread = |error: io::Error| error.to_string();
    let all: Value = super::daemon::typed(&answer).map_err(unread)?;
    if !of_these(&all["daemon"]["pins"]) {
        return Ok(None);
    }
    super::daemon::typed(&answer).map(Some).map_err(unread)
}

fn write_text(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{:<36} {:>10} {:>8}", "class", "probes", "wrong")?;
    for class in &report.classes {
        writeln!(
            out,
            "{:<36} {:>10} {:>8}",
            class.class.name(),
            class.probes,
            class.wrong
        )?;
    }
    writeln!(
        out,
        "\n{:<16} {:<16} {:<16} {:>10} {:>8}",
        "interface", "hook", "program", "probes", "wrong"
    )?;
    for program in &report.programs {
        let (interface, hook) = (program.interface.as_deref(), program.hook.as_deref());
        writeln!(
            out,
            "{:<16} {:<16} {:<16} {:>10} {:>8}",
            interface.unwrap_or("-"),
            hook.unwrap_or("-"),
            program.program,
            program.probes,
            program.wrong
        )?;
    }
    for problem in &report.problems {
        writeln!(out, "\n  ! {problem}")?;
    }
    report
        .differences
        .iter()
        .try_for_each(|difference| write_difference(out, difference))?;
    if report.more_differences > 0 {
        writeln!(out, "\n… and {} more differences", report.more_differences)?;
    }
    write_summary(out, report)
}

fn write_difference(out: &mut dyn Write, difference: &Difference) -> io::Result<()> {
    writeln!(
        out,
        "\nDIFFERENCE in {}: {}",
        difference.class, difference.what
    )?;
    let facts = [
        ("interface", difference.interface.as_deref()),
        ("program", difference.program),
        ("indicator", difference.indicator.as_deref()),
        ("packet", difference.packet.as_deref()),
        ("expected", Some(difference.expected.as_str())),
        ("got", Some(difference.got.as_str())),
        ("to do", Some(difference.fix)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            writeln!(out, "  {name:<10} {fact}")?;
        }
    }
    Ok(())
}

fn write_summary(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let result = match report.result {
        Verdict::Ok => "OK: the kernel does what it is told",
        Verdict::Degraded => {
            "DEGRADED: what is attached does what it is told, but it is not everywhere"
        }
        Verdict::Different => "DIFFERENT: the kernel does not do what it is told",
    };
    let told = if report.daemon {
        "as the daemon says"
    } else {
        "no daemon was asked"
    };
    writeln!(
        out,
        "\n{result}\n{} probes in {} ms, {} of {} indicators in every class (seed {}), {told}",
        report.probes(),
        report.duration_ms,
        report.sampled,
        report.indicators,
        report.seed
    )
}
