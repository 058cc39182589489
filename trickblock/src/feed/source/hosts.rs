//! Hosts that a feed's server may lead to.

use std::net::IpAddr;

use ureq::http::Uri;

/// A host that a redirect may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectHost {
    /// In lower case, without a dot at its end; an address as it is written canonically.
    name: String,
    /// All names below it, and not the name itself.
    below: bool,
}

impl RedirectHost {
    /// `cdn.example`, an address, or `*.cdn.example`. The error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = canonical(name);
        let is_address = name.parse::<IpAddr>().is_ok();
        if is_address && !below || is_name(&name) {
            return Ok(Self { name, below });
        }
        Err(format!(
            "`{text}` is not a host: write cdn.example, or *.cdn.example for all names below it, without scheme, port and path"
        ))
    }

    /// Whether the host of `url` is meant.
    pub(super) fn allows(&self, url: &Uri) -> bool {
        let host = host_of(url);
        let above = || host.strip_suffix(&self.name)?.strip_suffix('.');
        match self.below {
            true => above().is_some_and(|label| !label.is_empty()),
            false => host == self.name,
        }
    }
}

/// The host of `url`, so that the same host is the same text.
pub(super) fn host_of(url: &Uri) -> String {
    canonical(url.host().unwrap_or_default())
}

fn canonical(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
    }
}

fn is_name(name: &str) -> bool {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut labels = name.split('.');
    !name.is_empty()
        && labels.all(|label| !label.is_empty() && label.chars().all(harmless))
        && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, url: &str) -> bool {
        let host = RedirectHost::parse(text).expect("a host");
        host.allows(&url.parse().expect("a URL"))
    }

    #[test]
    fn a_name_is_that_host_alone_in_any_case() {
        assert!(allows("cdn.example", "https://cdn.example/x"));
        assert!(allows("CDN.example.", "https://Cdn.Example.:444/x"));
        for url in [
            "https://a.cdn.example/",
            "https://example/",
            "https://xcdn.example/",
            "https://cdn.example.net/",
        ] {
            assert!(!allows("cdn.example", url), "{url}");
        }
    }

    #[test]
    fn a_star_is_every_name_below() {
        assert!(allows("*.cdn.example", "https://a.cdn.example/"));
        assert!(allows("*.cdn.example", "https://b.a.cdn.example/"));
        for url in [
            "https://cdn.example/",
            "https://acdn.example/",
            "https://.cdn.example/",
        ] {
            assert!(!allows("*.cdn.example", url), "{url}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        assert!(allows("192.0.2.1", "http://192.0.2.1:8080/"));
        assert!(allows("[2001:DB8::1]", "http://[2001:db8:0::1]/"));
        assert!(allows("2001:db8::1", "http://[2001:db8::1]/"));
        assert!(!allows("192.0.2.1", "http://192.0.2.11/"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.192.0.2.1",
            "https://a.example",
            "a.example:443",
            "a.example/x",
            "a..example",
            "a*.example",
            "a b",
        ] {
            let refused = RedirectHost::parse(text);
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
    }
}
