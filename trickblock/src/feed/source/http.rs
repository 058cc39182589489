//! A feed over HTTP: conditional, bounded in time and size, careful about redirects.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ureq::{
    Agent, AsSendBody, Body as ResponseBody, Error,
    config::Config,
    http::{HeaderMap, HeaderName, Response, Uri, header, request::Builder},
    tls::{RootCerts, TlsConfig},
    unversioned::{
        resolver::DefaultResolver,
        transport::{ConnectProxyConnector, Connector as _, DefaultConnector, TcpConnector},
    },
};

use super::{
    Body, Fetched, HttpSpec, Reason, Route, SourceError, Validators,
    ask::{Answer, Ask},
    guard::{GuardedResolver, Hop, is_plainly_private},
    hosts::host_of,
    is_private,
    pinned::PinnedTls,
    private::literal,
    redirect, signature, status, transport,
};
use crate::feed::limits::{Caps, LimitError, read_capped};

/// A server that sends nothing for this long is given up before the whole timeout has passed.
const IDLE: Duration = Duration::from_secs(10);
/// The span over which `min_rate` is measured.
const RATE_WINDOW: Duration = Duration::from_secs(10);

/// One HTTP feed with its own connection pool. Fetches of one source run one at a time.
pub struct HttpSource {
    spec: HttpSpec,
    agent: Agent,
    hop: Arc<Hop>,
}

/// How a request went until it failed.
#[derive(Default)]
struct Course {
    /// A server has answered, if only to redirect.
    answered: bool,
    /// It asked for patience.
    retry_after: Option<Duration>,
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl HttpSource {
    /// Connects to nothing yet. A proxy is taken from the environment unless `spec` says otherwise.
    pub fn new(spec: HttpSpec) -> Self {
        let hop = Arc::new(Hop::default());
        let resolver = GuardedResolver {
            hop: Arc::clone(&hop),
            inner: DefaultResolver::default(),
        };
        let config = agent_config(&spec);
        let agent = match spec.pins.as_slice() {
            [] => Agent::with_parts(config, DefaultConnector::new(), resolver),
            pins => {
                let sockets = ConnectProxyConnector::default().chain(TcpConnector::default());
                let tls = PinnedTls::new(&spec.url, pins);
                Agent::with_parts(config, sockets.chain(tls), resolver)
            }
        };
        Self { spec, agent, hop }
    }

    /// Gets the feed, conditionally if `validators` say something. Blocks for at most
    /// `timeout` (and a moment).
    pub fn fetch(&self, validators: &Validators) -> Result<Fetched, SourceError> {
        let started = Instant::now();
        let ask = Ask::get(self.spec.url.clone());
        let Some(answer) = self.conditional(&ask, validators, started)? else {
            return Ok(Fetched::NotModified);
        };
        self.check_signature(&answer, started)?;
        let validators = answer.validators();
        let body = Body::from(vec![answer.into_part()]);
        Ok(Fetched::Body { body, validators })
    }

    /// The signature is looked for where the operator said that it or the list is, not where a redirect led. Both
    /// requests share their time.
    fn check_signature(&self, answer: &Answer, started: Instant) -> Result<(), SourceError> {
        let Some(key) = &self.spec.minisign else {
            return Ok(());
        };
        let failed = |reason| SourceError::new(display_url(&self.spec.url), reason);
        let named = self.spec.signature.clone();
        let url = named.or_else(|| signature::url_of(&self.spec.url));
        let url = url.ok_or_else(|| failed(Reason::NoSignature))?;
        let ask = Ask {
            cap: signature::MOST_BYTES,
            ..Ask::get(url)
        };
        let found = self.unconditional(&ask, started)?;
        key.check(&answer.bytes, &found.bytes).map_err(failed)
    }

    /// One of the requests that a fetch of an API is made of. Blocks for at most `timeout`.
    pub(super) fn ask(&self, ask: &Ask<'_>) -> Result<Answer, SourceError> {
        self.unconditional(ask, Instant::now())
    }

    fn unconditional(&self, ask: &Ask<'_>, started: Instant) -> Result<Answer, SourceError> {
        self.conditional(ask, &Validators::default(), started)?
            .ok_or_else(|| SourceError::new(display_url(&ask.url), Reason::EmptyNotModified))
    }

    /// What the operator wrote.
    pub(super) fn spec(&self) -> &HttpSpec {
        &self.spec
    }

    fn conditional(
        &self,
        ask: &Ask<'_>,
        validators: &Validators,
        started: Instant,
    ) -> Result<Option<Answer>, SourceError> {
        let mut course = Course::default();
        self.follow(ask, validators, started, &mut course)
            .map_err(|reason| SourceError {
                location: display_url(&ask.url),
                reached: course.answered || !reason.is_before_contact(),
                reason,
                retry_after: course.retry_after,
            })
    }

    /// Ends a fetch that another thread is in, at once. The source cannot be used afterwards.
    pub fn stop(&self) {
        self.hop.stop();
        self.agent.clone().shutdown();
    }

    fn follow(
        &self,
        ask: &Ask<'_>,
        validators: &Validators,
        started: Instant,
        course: &mut Course,
    ) -> Result<Option<Answer>, Reason> {
        let mut url = ask.url.clone();
        self.hop
            .begin(self.spec.private || is_plainly_private(&ask.url));
        for _ in 0..=redirect::MAX_REDIRECTS {
            let response = self.call(ask, &url, validators, started)?;
            course.answered = true;
            let code = response.status().as_u16();
            if !is_redirect(code) {
                return self.finish(ask, url, response, validators, started, course);
            }
            if ask.json.is_some() && !matches!(code, 307 | 308) {
                return Err(Reason::BadRedirect(format!("{code} drops what was asked")));
            }
            url = self.next(ask, &url, response.headers())?;
        }
        Err(Reason::TooManyRedirects(redirect::MAX_REDIRECTS))
    }

    fn call(
        &self,
        ask: &Ask<'_>,
        url: &Uri,
        validators: &Validators,
        started: Instant,
    ) -> Result<Response<ResponseBody>, Reason> {
        let left = self.left(started)?;
        let ours = redirect::same_origin(&self.spec.url, url);
        let theirs = if ours { &self.spec.headers[..] } else { &[] };
        let mut request = ask.request(url, theirs);
        for (name, value) in conditions(validators) {
            request = request.header(name, value);
        }
        match ask.json {
            Some(json) => self.run(request, json, left),
            None => self.run(request, (), left),
        }
        .map_err(|error| self.reason(error))
    }

    fn run(
        &self,
        request: Builder,
        body: impl AsSendBody,
        left: Duration,
    ) -> Result<Response<ResponseBody>, Error> {
        let request = self
            .agent
            .configure_request(request.body(body)?)
            .timeout_global(Some(left))
            .build();
        self.agent.run(request)
    }

    fn next(&self, ask: &Ask<'_>, url: &Uri, headers: &HeaderMap) -> Result<Uri, Reason> {
        let location = headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| Reason::BadRedirect("no Location".to_owned()))?;
        let target = redirect::target(url, location)?;
        self.check_host(ask, &target)?;
        self.hop.redirect();
        // A proxy resolves names in our place, so an address written out is judged here.
        if self.hop.guards() && literal(&target).is_some_and(is_private) {
            return Err(Reason::PrivateTarget(display_url(&target)));
        }
        Ok(target)
    }

    /// The host that the operator named is right; others need to be named as well.
    fn check_host(&self, ask: &Ask<'_>, target: &Uri) -> Result<(), Reason> {
        let host = host_of(target);
        let named = self.spec.redirect_hosts.iter();
        if host == host_of(&ask.url) || { named }.any(|named| named.allows(target)) {
            return Ok(());
        }
        Err(Reason::OtherHost {
            url: display_url(target),
            host,
        })
    }

    fn finish(
        &self,
        ask: &Ask<'_>,
        url: Uri,
        response: Response<ResponseBody>,
        sent: &Validators,
        started: Instant,
        course: &mut Course,
    ) -> Result<Option<Answer>, Reason> {
        let text = |name: HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        match response.status().as_u16() {
            304 if *sent == Validators::default() => return Err(Reason::EmptyNotModified),
            304 => return Ok(None),
            200 => {}
            code => {
                course.retry_after = text(header::RETRY_AFTER)
                    .and_then(|value| status::retry_after(&value, Timestamp::now()));
                return Err(status::reason(code));
            }
        }
        let gzip = text(header::CONTENT_ENCODING)
            .is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"));
        // Else only the end of the connection ends the body, and a broken one looks the same.
        let framed = gzip
            || text(header::CONTENT_LENGTH).is_some()
            || text(header::TRANSFER_ENCODING).is_some();
        let caps = Caps {
            wall_clock: self.left(started)?,
            decoded: ask.cap,
            floor: self.spec.floor(RATE_WINDOW),
            ..Caps::default()
        };
        let (head, body) = response.into_parts();
        let bytes = read_capped(body.into_reader(), &caps, gzip)
            .map_err(|error| self.read_reason(error))?;
        if !framed && ends_inside_a_line(&bytes) {
            return Err(Reason::CutShort);
        }
        let headers = head.headers;
        Ok(Some(Answer {
            url,
            headers,
            bytes,
        }))
    }

    fn left(&self, started: Instant) -> Result<Duration, Reason> {
        let left = self
            .spec
            .timeout
            .checked_sub(started.elapsed())
            .filter(|left| !left.is_zero());
        left.ok_or(Reason::Timeout("`timeout`"))
    }

    fn read_reason(&self, error: LimitError) -> Reason {
        match error {
            LimitError::Read(error) => self.reason(Error::from(error)),
            LimitError::WallClock(_) => Reason::Timeout("`timeout`"),
            other => Reason::Limit(other),
        }
    }

    fn reason(&self, error: Error) -> Reason {
        if self.hop.is_stopped() {
            return Reason::Stopped;
        }
        transport::reason(error)
    }
}

/// Half an address is another address, half a prefix length a far wider prefix. Footers and the last
/// brackets of JSON and XML come without a newline in the wild.
fn ends_inside_a_line(body: &[u8]) -> bool {
    let last = body
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let whole = last.starts_with(b"#") || matches!(last.last(), Some(b']' | b'}' | b'>'));
    !last.is_empty() && !whole
}

/// The URL as it may be shown and logged: a query may carry a key.
pub(super) fn display_url(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("http");
    let query = if url.query().is_some() { "?…" } else { "" };
    format!(
        "{scheme}://{}{}{query}",
        url.authority().map_or("", |authority| authority.as_str()),
        url.path()
    )
}

fn agent_config(spec: &HttpSpec) -> Config {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let builder = Config::builder();
    let builder = match &spec.route {
        Route::Environment => builder,
        Route::Direct => builder.proxy(None),
        Route::Proxy(proxy) => builder.proxy(Some(proxy.clone())),
    };
    builder
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("trickblock/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("gzip")
        .timeout_resolve(Some(spec.connect_timeout))
        .timeout_connect(Some(spec.connect_timeout))
        .timeout_per_read(Some(IDLE))
        .timeout_per_write(Some(IDLE))
        .max_idle_connections_per_host(1)
        .build()
}

fn is_redirect(code: u16) -> bool {
    matches!(code, 301 | 302 | 303 | 307 | 308)
}

fn conditions(validators: &Validators) -> impl Iterator<Item = (HeaderName, &String)> {
    let etag = validators
        .etag
        .iter()
        .map(|value| (header::IF_NONE_MATCH, value));
    etag.chain(
        validators
            .last_modified
            .iter()
            .map(|value| (header::IF_MODIFIED_SINCE, value)),
    )
}
