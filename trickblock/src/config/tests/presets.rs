//! Feeds by name.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use super::super::{
    presets::{Preset, presets},
    *,
};
use crate::feed::source::Location;

const HEAD: &str = "[[interface]]\nname = \"wan0\"\nrole = \"uplink\"\n\n";

fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))
}

/// Parses `text` beside the key files of all presets.
fn parsed(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    for preset in presets() {
        let file = dir.path().join(format!("{}.headers", preset.name));
        let header = preset.header.as_deref().unwrap_or("Auth-Key");
        fs::write(&file, format!("{header}: x\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    Config::parse(text, &dir.path().join("trickblock.toml"))
}

fn complaint(feed: &str) -> String {
    parsed(&format!("{HEAD}[[feed]]\n{feed}"))
        .unwrap_err()
        .to_string()
}

/// The configurations of `docs/presets` are the lines that the program says, and are valid.
#[test]
fn every_preset_has_a_valid_configuration() {
    assert!(presets().len() >= 9);
    for preset in presets() {
        let path = docs().join(format!("presets/{}.toml", preset.name));
        let expected = format!("# {}\n{HEAD}{}", preset.what, preset.lines());
        if std::env::var_os("TRICKBLOCK_WRITE_DOCS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            expected,
            "{}",
            path.display()
        );
        let config = parsed(&expected).unwrap();
        let feed = &config.feeds[0];
        assert_eq!(feed.name, preset.name);
        assert!(feed.min_interval >= Duration::from_secs(1), "{}", feed.name);
        let Location::Http(spec) = &feed.location else {
            panic!("{} has no URL", feed.name);
        };
        assert_eq!(
            Some(spec.url.to_string().as_str()),
            preset.feed["url"].as_str()
        );
        assert!(feed.format.is_some() && !preset.source.is_empty());
    }
    let files = fs::read_dir(docs().join("presets")).unwrap().count();
    assert_eq!(files, presets().len(), "a file of no preset");
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_program() {
    let mut table =
        "| name | what | format | floor | key | licence | URL read |\n|---|---|---|---|---|---|---|\n".to_owned();
    for preset in presets() {
        let Preset {
            name,
            what,
            licence,
            source,
            read,
            header,
            ..
        } = preset;
        let (format, floor) = (preset.format(), preset.floor());
        let header = header
            .as_deref()
            .map_or("–".to_owned(), |header| format!("`{header}`"));
        writeln!(
            table,
            "| `{name}` | {what} | {format} | {floor} | {header} | {licence} | {source}, {read} |"
        )
        .unwrap();
    }
    let text = include_str!("../../../../docs/presets.md");
    assert!(text.contains(&table), "docs/presets.md lacks:\n{table}");
}

#[test]
fn what_a_configuration_says_goes_first() {
    let feed = "preset = \"feodo\"\nname = \"ours\"\nurl = \"https://mirror.example/x.csv\"\ninterval = \"1h\"\n";
    let config = parsed(&format!("{HEAD}[[feed]]\n{feed}")).unwrap();
    let feed = &config.feeds[0];
    assert_eq!(
        (feed.name.as_str(), feed.interval),
        ("ours", Duration::from_secs(3_600))
    );
    assert_eq!(feed.location.to_string(), "https://mirror.example/x.csv");
    assert_eq!(
        feed.format.map(|format| format.to_string()).as_deref(),
        Some("feodo-csv")
    );
}

#[test]
fn mistakes_around_presets_name_their_fix() {
    assert!(complaint("preset = \"feoda\"\n").contains("did you mean `feodo`?"));
    assert!(complaint("preset = \"zzz\"\n").contains("use one of feodo, threatfox"));
    let fast = complaint("preset = \"spamhaus-drop\"\ninterval = \"5m\"\n");
    assert!(
        fast.contains("shorter than its `min_interval` (3600 s)"),
        "{fast}"
    );
    let keyless = complaint("preset = \"threatfox\"\n");
    assert!(
        keyless.contains("needs the header `Auth-Key`") && keyless.contains("headers_file"),
        "{keyless}"
    );
    let both = complaint("preset = \"feodo\"\npath = \"x\"\n");
    assert!(both.contains("both `url` and `path`"), "{both}");
}

/// Any header will not do.
#[test]
fn the_header_that_a_preset_needs_is_looked_for_by_name() {
    let preset = "preset = \"threatfox\"\n";
    for wrong in [
        "headers = { Accept = \"x\" }\n",
        // It holds `X-Api-Key`.
        "headers_file = \"crowdsec.headers\"\n",
    ] {
        let text = complaint(&format!("{preset}{wrong}"));
        assert!(text.contains("needs the header `Auth-Key`"), "{text}");
    }
    for right in [
        "headers = { AUTH-key = \"x\" }\n",
        "headers_file = \"threatfox.headers\"\n",
        "headers = { Accept = \"x\" }\nheaders_file = \"threatfox.headers\"\n",
    ] {
        let config = parsed(&format!("{HEAD}[[feed]]\n{preset}{right}"));
        assert!(config.is_ok(), "{right}: {config:?}");
    }
    let text = complaint(&format!("{preset}headers_file = \"none\"\n"));
    assert!(
        text.contains("cannot be read") && !text.contains("needs the header"),
        "{text}"
    );
}

/// What a new user is given.
#[test]
fn the_default_configuration_is_valid() {
    let text = include_str!("../../../../packaging/trickblock.toml");
    let config = parsed(text).unwrap();
    let names: Vec<_> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!(names, ["threatfox-export", "feodo"]);
    // What is commented out is valid as well.
    let all: String = text
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(parsed(&all).unwrap().feeds.len() > 3);
}
