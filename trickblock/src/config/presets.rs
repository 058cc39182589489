//! Feeds by name: what a configuration need not say of well-known ones.

use std::{path::Path, sync::LazyLock};

use serde::{Deserialize, Serialize};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{feed::headers, problem::Problems, section::nearest};

/// The table of them, which says where each URL was read.
const TEXT: &str = include_str!("presets.toml");

/// A feed that is known by name.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    pub what: String,
    /// Header that its server asks for.
    pub header: Option<String>,
    /// Where the value of that header comes from.
    pub key: Option<String>,
    pub licence: String,
    /// Where the URL was read. Nothing here was tried at the feed itself.
    pub source: String,
    /// The day on which it was read.
    pub read: String,
    /// Keys of `[[feed]]`.
    pub feed: toml::Table,
}

#[derive(Deserialize)]
struct Presets {
    preset: Vec<Preset>,
}

/// All of them, in the order of the file.
pub fn presets() -> &'static [Preset] {
    static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        let presets: Result<Presets, _> = toml::from_str(TEXT);
        // A test reads the file: it is part of the program.
        presets.map(|presets| presets.preset).unwrap_or_default()
    });
    &PRESETS
}

/// That there is none of this name, and which was probably meant.
pub fn unknown(name: &str) -> String {
    let all = presets().iter().map(|preset| preset.name.as_str());
    let names: Vec<&str> = all.collect();
    match nearest(name, &names) {
        Some(near) => format!("there is no preset `{name}`; did you mean `{near}`?"),
        None => format!(
            "there is no preset `{name}`: use one of {}",
            names.join(", ")
        ),
    }
}

impl Preset {
    /// The preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        presets().iter().find(|preset| preset.name == name)
    }

    /// The lines that a configuration needs.
    pub fn lines(&self) -> String {
        let mut lines = format!("[[feed]]\npreset = \"{}\"\n", self.name);
        if self.header.is_some() {
            lines.push_str(&format!("headers_file = \"{}.headers\"\n", self.name));
        }
        lines
    }

    /// What its bodies are, or what speaks there.
    pub fn format(&self) -> &str {
        let text = |key| self.feed.get(key).and_then(toml::Value::as_str);
        text("format").or_else(|| text("api")).unwrap_or("detected")
    }

    /// How long its server is left alone between two fetches, at least.
    pub fn floor(&self) -> &str {
        let floor = self.feed.get("min_interval");
        floor.and_then(toml::Value::as_str).unwrap_or("0s")
    }

    fn lacks(&self, table: &DeTable<'_>, directory: &Path) -> Option<String> {
        let header = self.header.as_ref()?;
        // A file that cannot be used is another complaint.
        let given = headers::names(table, directory)?;
        if given.iter().any(|name| name.eq_ignore_ascii_case(header)) {
            return None;
        }
        let (name, key) = (&self.name, self.key.as_deref().unwrap_or("its maker"));
        Some(format!(
            "the preset `{name}` needs the header `{header}`: write `{header}: …` ({key}) into a file of mode 600, and add `headers_file`"
        ))
    }
}

/// `table` with what its preset brings, if it names one; what it says itself stays. `None` where
/// there is no such preset: what is missing then says nothing.
pub(super) fn filled<'t>(table: &DeTable<'t>, problems: &mut Problems<'_>) -> Option<DeTable<'t>> {
    let mut filled = table.clone();
    let Some(value) = table.get("preset") else {
        return Some(filled);
    };
    let span = value.span();
    let name = value.get_ref().as_str().unwrap_or_default();
    let Some(preset) = Preset::named(name) else {
        let text = format!("`preset` in [[feed]]: {}", unknown(name));
        problems.at(&span, text);
        return None;
    };
    let directory = problems.directory().to_owned();
    if let Some(text) = preset.lacks(table, &directory) {
        problems.at(&span, text);
    }
    for (key, value) in keys_of(&preset.name) {
        if !table.contains_key(key.get_ref().as_ref()) {
            // As if it had been written where the preset is named.
            let key = Spanned::new(span.clone(), key.get_ref().clone());
            let value = Spanned::new(span.clone(), value.get_ref().clone());
            filled.insert(key, value);
        }
    }
    Some(filled)
}

type Key = (Spanned<DeString<'static>>, Spanned<DeValue<'static>>);

/// What the preset of this name writes into its `[[feed]]`, its name first.
fn keys_of(name: &str) -> Vec<Key> {
    static FILE: LazyLock<Option<DeTable<'static>>> =
        LazyLock::new(|| Some(DeTable::parse(TEXT).ok()?.into_inner()));
    let found = || {
        let list = FILE.as_ref()?.get("preset")?.get_ref().as_array()?;
        let mut presets = list.iter().filter_map(|item| item.get_ref().as_table());
        let preset = presets.find(|preset| {
            let known = preset
                .get("name")
                .and_then(|known| known.get_ref().as_str());
            known == Some(name)
        })?;
        let (key, value) = preset.get_key_value("name")?;
        let feed = preset.get("feed")?.get_ref().as_table()?;
        let all = std::iter::once((key, value)).chain(feed);
        Some(
            all.map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    };
    found().unwrap_or_default()
}
