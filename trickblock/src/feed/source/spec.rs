//! What the operator says of a feed that is fetched.

use std::{fmt, time::Duration};

use ureq::http::{HeaderName, HeaderValue, Uri};

use super::{Api, KeyPin, RedirectHost, Route, SigningKey, http::display_url};
use crate::feed::limits::Floor;

/// An HTTP feed.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Absolute, `http` or `https`, without credentials.
    pub url: Uri,
    /// Bound of one whole fetch, redirects included.
    pub timeout: Duration,
    /// Bound of name resolution and of connecting, each.
    pub connect_timeout: Duration,
    /// Bytes a second below which a body is given up; 0 waits as long as `timeout` allows.
    pub min_rate: u32,
    /// The name in `url` may stand for a private address, and redirects may lead to one.
    pub private: bool,
    /// Hosts that redirects may lead to, besides that of the URL.
    pub redirect_hosts: Vec<RedirectHost>,
    /// Through what it is asked for.
    pub route: Route,
    /// Sent to the configured host only, never to the target of a redirect elsewhere.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `None`: the URL itself is the feed.
    pub api: Option<Api>,
    /// The list must be signed with it.
    pub minisign: Option<Box<SigningKey>>,
    /// Where its signature is, if not beside it.
    pub signature: Option<Uri>,
    /// The server of the URL has one of these keys; empty for any that its certificate proves.
    pub pins: Vec<KeyPin>,
}

impl HttpSpec {
    /// Bound of one fetch, where nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// Bound of name resolution and of connecting, where nothing else is said.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Bytes a second: a slow mobile link brings several times as much.
    pub const MIN_RATE: u32 = 1_000;

    /// A plain list at `url`, with every default.
    pub fn new(url: Uri) -> Self {
        Self {
            url,
            timeout: Self::TIMEOUT,
            connect_timeout: Self::CONNECT_TIMEOUT,
            min_rate: Self::MIN_RATE,
            private: false,
            redirect_hosts: Vec::new(),
            route: Route::default(),
            headers: Vec::new(),
            api: None,
            minisign: None,
            signature: None,
            pins: Vec::new(),
        }
    }

    /// What a body has to come at, measured over `window`.
    pub(super) fn floor(&self, window: Duration) -> Option<Floor> {
        let rate = self.min_rate;
        (rate > 0).then_some(Floor { rate, window })
    }
}

/// Header values are secrets: only their names are shown.
impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpSpec")
            .field("url", &display_url(&self.url))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("min_rate", &self.min_rate)
            .field("private", &self.private)
            .field("redirect_hosts", &self.redirect_hosts)
            .field("route", &self.route)
            .field("headers", &names)
            .field("api", &self.api)
            .field("minisign", &self.minisign)
            .field("signature", &self.signature.as_ref().map(display_url))
            .field("pins", &self.pins)
            .finish()
    }
}
