//! What speaks at a feed's URL.

use super::{section::Section, value};
use crate::feed::{
    Format,
    source::{Api, HttpSpec, Location},
};

/// ThreatFox tells no more, and no less is a snapshot that the interval cannot miss.
pub(super) const MAX_DAYS: u8 = 7;

pub(super) fn api(section: &mut Section<'_, '_, '_>) -> Option<Api> {
    let api = section.parsed("api", value::api).map(|(api, _)| api);
    let days = section.number("days", 1..=MAX_DAYS).unwrap_or(MAX_DAYS);
    match api {
        Some(Api::Threatfox { .. }) => Some(Api::Threatfox { days }),
        other => {
            if let Some(span) = section.key_span("days") {
                let text =
                    "`days` in [[feed]] is for ThreatFox: add `api = \"threatfox\"`, or remove it";
                section.problems().at(&span, text);
            }
            other
        }
    }
}

/// The format that is forced. An API has its own.
pub(super) fn format(
    section: &mut Section<'_, '_, '_>,
    location: Option<&Location>,
) -> Option<Format> {
    let named = section.parsed("format", value::format);
    let api = match location {
        Some(Location::Http(HttpSpec { api, .. })) => *api,
        _ => None,
    };
    let own = api.map(Api::format);
    if let (Some(own), Some((named, span))) = (own, &named)
        && own != *named
    {
        let text = format!(
            "`format` in [[feed]] is not what its `api` answers with: remove it, or write `{own}`"
        );
        section.problems().at(span, text);
    }
    own.or(named.map(|(format, _)| format))
}
