//! Feeds by name: what a configuration need not say of well-known ones.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::problem::Problems;

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

/// Their names, for messages.
pub fn names() -> String {
    let names: Vec<&str> = presets()
        .iter()
        .map(|preset| preset.name.as_str())
        .collect();
    names.join(", ")
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

    fn lacks(&self, table: &DeTable<'_>) -> Option<String> {
        let header = self.header.as_ref()?;
        let given = ["headers", "headers_file"];
        if given.iter().any(|key| table.contains_key(*key)) {
            return None;
        }
        let (name, key) = (&self.name, self.key.as_deref().unwrap_or("its maker"));
        Some(format!(
            "the preset `{name}` needs the header `{header}`: write `{header}: …` ({key}) into a file of mode 600, and add `headers_file`"
        ))
    }
}

/// `table` with what its preset brings, if it names one; what it says itself stays.
pub(super) fn filled<'t>(table: &DeTable<'t>, problems: &mut Problems<'_>) -> DeTable<'t> {
    let mut filled = table.clone();
    let Some(value) = table.get("preset") else {
        return filled;
    };
    let span = value.span();
    let preset = value.get_ref().as_str().and_then(Preset::named);
    let Some(preset) = preset else {
        let text = format!("`preset` in [[feed]]: use one of {}", names());
        problems.at(&span, text);
        return filled;
    };
    if let Some(text) = preset.lacks(table) {
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
    filled
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
