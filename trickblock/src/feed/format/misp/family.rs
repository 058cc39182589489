//! The malware family of an event.

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Galaxy<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, rename = "GalaxyCluster")]
    clusters: Vec<Cluster<'a>>,
}

#[derive(Deserialize)]
struct Cluster<'a> {
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

/// Galaxies that name malware, by how well.
const GALAXIES: [&str; 6] = [
    "malpedia",
    "botnet",
    "banker",
    "tool",
    "mitre-malware",
    "ransomware",
];

/// The family that galaxies or tags name.
pub(super) fn family(tags: &[Tag<'_>], galaxies: &[Galaxy<'_>]) -> Option<String> {
    let by_galaxy = GALAXIES.iter().find_map(|kind| {
        let galaxy = galaxies.iter().find(|galaxy| galaxy.kind == *kind)?;
        Some(galaxy.clusters.first()?.value.clone().into_owned())
    });
    by_galaxy.or_else(|| GALAXIES.iter().find_map(|kind| by_tag(tags, kind)))
}

/// `misp-galaxy:malpedia="Emotet"`
fn by_tag(tags: &[Tag<'_>], kind: &str) -> Option<String> {
    tags.iter().find_map(|tag| {
        let rest = tag.name.strip_prefix("misp-galaxy:")?.strip_prefix(kind)?;
        let value = rest.strip_prefix("=\"")?.strip_suffix('"')?;
        Some(value.to_owned())
    })
}
