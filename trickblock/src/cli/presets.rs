//! `trickblock presets`: feeds that need no more than their name.

use std::io::{self, Write};

use serde::Serialize;

use super::{Exit, daemon::write_json, failed};
use crate::config::presets::{Preset, names, presets};

/// List the feeds that are known by name, or show what one of them takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show the lines for the configuration, and where they are from
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The answer in JSON.
#[derive(Serialize)]
struct Listed<'a> {
    schema: u32,
    presets: Vec<&'a Preset>,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let wanted = |preset: &&Preset| args.name.as_ref().is_none_or(|name| preset.name == *name);
    let found: Vec<&Preset> = presets().iter().filter(wanted).collect();
    match (&args.name, found.as_slice()) {
        (Some(name), []) => {
            let names = names();
            failed(
                err,
                &format!("there is no preset `{name}`: use one of {names}"),
            );
            return Ok(Exit::Usage);
        }
        _ if args.json => write_json(
            out,
            &Listed {
                schema: 1,
                presets: found,
            },
        )?,
        (Some(_), [preset]) => details(out, preset)?,
        _ => table(out, &found)?,
    }
    Ok(Exit::Ok)
}

fn table(out: &mut dyn Write, presets: &[&Preset]) -> io::Result<()> {
    for preset in presets {
        writeln!(out, "{:<18} {}", preset.name, preset.what)?;
    }
    writeln!(
        out,
        "\n`trickblock presets NAME` shows what to write. None was tried at the feed itself."
    )
}

fn details(out: &mut dyn Write, preset: &Preset) -> io::Result<()> {
    writeln!(out, "# {}\n{}", preset.what, preset.lines())?;
    writeln!(out, "What it stands for:")?;
    for (key, value) in &preset.feed {
        writeln!(out, "{key} = {}", written(value))?;
    }
    writeln!(out)?;
    if let (Some(header), Some(key)) = (&preset.header, &preset.key) {
        writeln!(out, "header:  {header}: {key}")?;
    }
    writeln!(out, "licence: {}", preset.licence)?;
    writeln!(out, "read:    {} ({})", preset.source, preset.read)
}

/// A value as TOML spells it; those of presets are strings, numbers and truths.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Boolean(truth) => truth.to_string(),
        other => other.as_integer().unwrap_or_default().to_string(),
    }
}
