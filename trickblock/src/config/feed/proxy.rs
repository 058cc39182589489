//! The way to a feed's server.

use super::headers::secret;
use crate::{
    config::{section::Section, value},
    feed::source::{Credentials, Route},
};

/// What `proxy` and `proxy_auth_file` say together.
pub(super) fn route(section: &mut Section<'_, '_, '_>) -> Route {
    let directory = section.problems().directory().to_owned();
    let credentials = section.parsed("proxy_auth_file", |text| {
        let path = value::path(text, &directory)?;
        Credentials::parse(&secret(&path)?).map_err(|error| format!("{} {error}", path.display()))
    });
    let missing = section.raw("proxy").is_none();
    if let (true, Some(span)) = (missing, section.key_span("proxy_auth_file")) {
        let text = "`proxy_auth_file` in [[feed]] is for a proxy: add `proxy`, or remove it";
        section.problems().at(&span, text);
    }
    let credentials = credentials.map(|(credentials, _)| credentials);
    let parse = |text: &str| Route::parse(text, credentials);
    section
        .parsed("proxy", parse)
        .map(|(route, _)| route)
        .unwrap_or_default()
}
