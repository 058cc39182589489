//! Keys of feeds that are fetched.

use std::time::Duration;

use ureq::http::Uri;

use super::{duration, headers, proxy, signed};
use crate::{
    config::{api, section::Section, value},
    feed::source::{HttpSpec, KeyPin, RedirectHost},
};

const MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// The wall clock that any feed has to be read in.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// All keys are read before any is missed, so that every mistake is found.
pub(super) fn spec(section: &mut Section<'_, '_, '_>) -> Option<HttpSpec> {
    let url: Option<Uri> = section.parsed("url", value::url).map(|(url, _)| url);
    let timeout = bound(section, "timeout", HttpSpec::TIMEOUT);
    let connect_timeout = bound(section, "connect_timeout", HttpSpec::CONNECT_TIMEOUT);
    let min_rate = section.number("min_rate", 0..=u32::MAX);
    let private = section.boolean("private");
    let redirect_hosts = section.list("redirect_hosts", RedirectHost::parse);
    let route = proxy::route(section);
    let headers = headers::headers(section);
    let api = api::api(section);
    let (minisign, signature) = signed::of_url(section, api);
    let pins = pins(section, url.as_ref());
    Some(HttpSpec {
        timeout,
        connect_timeout,
        min_rate: min_rate.unwrap_or(HttpSpec::MIN_RATE),
        private: private.unwrap_or(false),
        redirect_hosts,
        route,
        headers,
        api,
        minisign,
        signature,
        pins,
        ..HttpSpec::new(url?)
    })
}

/// A server without TLS shows no key.
fn pins(section: &mut Section<'_, '_, '_>, url: Option<&Uri>) -> Vec<KeyPin> {
    let pins = section.list("pins", KeyPin::parse);
    let plain = url.is_some_and(|url| url.scheme_str() != Some("https"));
    if let (false, true, Some(span)) = (pins.is_empty(), plain, section.key_span("pins")) {
        let text = "`pins` in [[feed]] is for `https` only: correct `url`, or remove it";
        section.problems().at(&span, text);
    }
    pins
}

fn bound(section: &mut Section<'_, '_, '_>, key: &str, default: Duration) -> Duration {
    duration(section, key, MIN_TIMEOUT, MAX_TIMEOUT, default)
}
