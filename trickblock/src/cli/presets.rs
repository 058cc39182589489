//! `trickblock presets`: feeds that need no more than their name.

use std::io::{self, Write};

use serde::Serialize;

use super::{Exit, daemon::write_json, failed};
use crate::config::presets::{Preset, presets, unknown};

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
            failed(err, &unknown(name));
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
    writeln!(out, "{:<18} {:<14} {:<6} WHAT", "NAME", "FORMAT", "FLOOR")?;
    for preset in presets {
        let (name, format, floor) = (&preset.name, preset.format(), preset.floor());
        writeln!(out, "{name:<18} {format:<14} {floor:<6} {}", preset.what)?;
    }
    writeln!(
        out,
        "\nFLOOR: the server is not asked sooner than this after it was asked.\n`trickblock presets NAME` shows what to write. None was tried at the feed itself."
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Exit code, output and complaints of the verb.
    fn asked(name: Option<&str>, json: bool) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let name = name.map(str::to_owned);
        let exit = run(&Args { name, json }, &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit, text(out), text(err))
    }

    #[test]
    fn the_table_shows_what_each_is_and_how_often_it_may_be_asked() {
        let (exit, out, err) = asked(None, false);
        assert_eq!((exit, err.as_str()), (Exit::Ok, ""));
        for preset in presets() {
            let line = out
                .lines()
                .find(|line| line.split_whitespace().next() == Some(preset.name.as_str()));
            let line = line.unwrap_or_else(|| panic!("no {} in {out}", preset.name));
            let words: Vec<&str> = line.split_whitespace().collect();
            let floor = preset.feed["min_interval"].as_str().unwrap();
            assert_eq!((words[1], words[2]), (preset.format(), floor), "{line}");
            assert!(line.ends_with(&preset.what), "{line}");
        }
        assert!(
            out.contains("spamhaus-json") && out.contains("None was tried"),
            "{out}"
        );
    }

    #[test]
    fn one_is_shown_with_its_lines_and_its_origin() {
        let (exit, out, _) = asked(Some("threatfox"), false);
        assert_eq!(exit, Exit::Ok);
        for part in [
            "[[feed]]\npreset = \"threatfox\"\nheaders_file = \"threatfox.headers\"\n",
            "api = \"threatfox\"",
            "min_confidence = 50",
            "header:  Auth-Key: a free key",
            "licence: ",
            "read:    ",
        ] {
            assert!(out.contains(part), "no {part} in {out}");
        }
    }

    #[test]
    fn json_has_all_of_it() {
        let all: serde_json::Value = serde_json::from_str(&asked(None, true).1).unwrap();
        assert_eq!(all["schema"], 1);
        assert_eq!(all["presets"].as_array().unwrap().len(), presets().len());
        let one: serde_json::Value = serde_json::from_str(&asked(Some("feodo"), true).1).unwrap();
        let [feodo] = one["presets"].as_array().unwrap().as_slice() else {
            panic!("{one}")
        };
        assert_eq!(feodo["feed"]["format"], "feodo-csv");
        assert_eq!(feodo["feed"]["min_interval"], "15m");
        assert!(feodo["source"].is_string() && feodo["read"].is_string());
    }

    #[test]
    fn an_unknown_name_is_a_mistake_of_usage() {
        for json in [false, true] {
            let (exit, out, err) = asked(Some("feoda"), json);
            assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
            assert!(err.contains("did you mean `feodo`?"), "{err}");
        }
        let (_, _, err) = asked(Some("zzz"), false);
        assert!(err.contains("use one of feodo, threatfox"), "{err}");
    }
}
