//! Where a redirect leads, and whether it may be followed.
//!
//! Redirects are followed here and not by the HTTP library, because each hop is judged
//! before anything is sent to it.

use ureq::http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{Reason, http::display_url};

/// Redirects that one fetch follows.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Resolves `location` against `base` (RFC 3986, section 5.2, for http and https) and
/// refuses what may not be followed whatever its host is.
pub(super) fn target(base: &Uri, location: &str) -> Result<Uri, Reason> {
    let uri = join(base, location)
        .ok_or_else(|| Reason::BadRedirect(location.chars().take(200).collect()))?;
    let downgrade = base.scheme() == Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTPS);
    if downgrade {
        return Err(Reason::Downgrade(display_url(&uri)));
    }
    Ok(uri)
}

/// Secrets go to the origin they were configured for, and nowhere else.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16()
            .unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) {
                443
            } else {
                80
            })
    };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

fn join(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default().trim();
    let (scheme, authority) = (base.scheme()?, base.authority()?);
    if let Some(rest) = location.strip_prefix("//") {
        return usable(format!("{scheme}://{rest}").parse().ok()?);
    }
    if has_scheme(location) {
        return usable(location.parse().ok()?);
    }
    build(scheme, authority, &path(base.path(), location))
}

/// A colon before any of `/?` ends a scheme; without one the reference is relative.
fn has_scheme(location: &str) -> bool {
    let end = location.find([':', '/', '?']);
    end.is_some_and(|end| {
        end > 0
            && location
                .get(end..)
                .is_some_and(|rest| rest.starts_with(':'))
    })
}

/// An empty reference is the page itself; a query alone keeps the path.
fn path(base: &str, location: &str) -> String {
    let (reference, query) = match location.split_once('?') {
        Some((reference, query)) => (reference, Some(query)),
        None => (location, None),
    };
    let merged = match reference {
        "" => base.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!(
            "{}/{relative}",
            base.rsplit_once('/').map_or("", |(directory, _)| directory)
        ),
    };
    let path = without_dots(&merged);
    query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let directory = path.ends_with("/.") || path.ends_with("/..");
    format!(
        "/{}{}",
        kept.join("/"),
        if directory && !kept.is_empty() {
            "/"
        } else {
            ""
        }
    )
}

fn build(scheme: &Scheme, authority: &Authority, path: &str) -> Option<Uri> {
    let path: PathAndQuery = path.parse().ok()?;
    Uri::builder()
        .scheme(scheme.clone())
        .authority(authority.clone())
        .path_and_query(path)
        .build()
        .ok()
}

fn usable(uri: Uri) -> Option<Uri> {
    let known = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let plain = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    (known && plain).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(base: &str, location: &str) -> Result<String, Reason> {
        target(&base.parse().unwrap(), location).map(|uri| uri.to_string())
    }

    #[test]
    fn locations_resolve_as_the_rfc_says() {
        let base = "https://feeds.example/a/b/list.csv?x=1";
        let cases = [
            ("https://other.example/z", "https://other.example/z"),
            ("//other.example:444/z", "https://other.example:444/z"),
            ("/z?q=1", "https://feeds.example/z?q=1"),
            ("z", "https://feeds.example/a/b/z"),
            ("./z", "https://feeds.example/a/b/z"),
            ("../z", "https://feeds.example/a/z"),
            ("../../../z", "https://feeds.example/z"),
            ("..", "https://feeds.example/a/"),
            ("?y=2", "https://feeds.example/a/b/list.csv?y=2"),
            ("z#part", "https://feeds.example/a/b/z"),
            ("", "https://feeds.example/a/b/list.csv"),
        ];
        for (location, expected) in cases {
            assert_eq!(resolve(base, location).unwrap(), expected, "{location}");
        }
    }

    #[test]
    fn http_may_become_https_but_never_the_other_way() {
        assert_eq!(
            resolve("http://a.example/", "https://a.example/x").unwrap(),
            "https://a.example/x"
        );
        assert_eq!(
            resolve("http://a.example/", "http://b.example/x").unwrap(),
            "http://b.example/x"
        );
        let refused = resolve("https://a.example/", "http://a.example/x");
        assert!(matches!(refused, Err(Reason::Downgrade(_))), "{refused:?}");
    }

    #[test]
    fn other_schemes_and_credentials_are_no_target() {
        for location in [
            "ftp://a.example/x",
            "file:///etc/passwd",
            "http://user:pw@a.example/",
            "http://",
            "//",
            "a b",
        ] {
            let refused = resolve("http://a.example/", location);
            assert!(
                matches!(refused, Err(Reason::BadRedirect(_))),
                "{location}: {refused:?}"
            );
        }
    }

    #[test]
    fn origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://A.example/x", "https://a.example:443/y"));
        assert!(!same("https://a.example/", "https://b.example/"));
        assert!(!same("http://a.example/", "https://a.example/"));
        assert!(!same("http://a.example/", "http://a.example:81/"));
    }
}
