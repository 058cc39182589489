//! A feed over HTTP: conditional, bounded in time and size, careful about redirects.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ureq::{
    Agent, Body as ResponseBody, Error, Timeout,
    config::Config,
    http::{HeaderMap, HeaderName, Response, Uri, header},
    tls::{RootCerts, TlsConfig},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::{
    Body, Fetched, HttpSpec, Part, Reason, SourceError, Validators, is_private, redirect, status,
};
use crate::feed::limits::{Caps, LimitError, read_capped};

/// A server that sends nothing for this long is given up before the whole timeout has passed.
const IDLE: Duration = Duration::from_secs(10);

/// One HTTP feed with its own connection pool. Fetches of one source run one at a time.
pub struct HttpSource {
    spec: HttpSpec,
    agent: Agent,
    hop: Arc<Hop>,
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl HttpSource {
    /// Connects to nothing yet. The proxy, if any, is taken from the environment.
    pub fn new(spec: HttpSpec) -> Self {
        let hop = Arc::new(Hop::default());
        let resolver = GuardedResolver {
            hop: Arc::clone(&hop),
            inner: DefaultResolver::default(),
        };
        let agent = Agent::with_parts(agent_config(&spec), DefaultConnector::new(), resolver);
        Self { spec, agent, hop }
    }

    /// Gets the feed, conditionally if `validators` say something. Blocks for at most
    /// `timeout` (and a moment).
    pub fn fetch(&self, validators: &Validators) -> Result<Fetched, SourceError> {
        let mut retry_after = None;
        self.follow(validators, &mut retry_after)
            .map_err(|reason| SourceError {
                location: display_url(&self.spec.url),
                reason,
                retry_after,
            })
    }

    /// Ends a fetch that another thread is in, at once. The source cannot be used afterwards.
    pub fn stop(&self) {
        self.hop.update(|state| state.stopped = true);
        self.agent.clone().shutdown();
    }

    fn follow(
        &self,
        validators: &Validators,
        retry_after: &mut Option<Duration>,
    ) -> Result<Fetched, Reason> {
        let started = Instant::now();
        let mut url = self.spec.url.clone();
        self.hop.update(|state| {
            *state = HopState {
                stopped: state.stopped,
                ..HopState::default()
            }
        });
        for _ in 0..=redirect::MAX_REDIRECTS {
            let response = self.call(&url, validators, started)?;
            if !is_redirect(response.status().as_u16()) {
                return self.finish(&url, response, started, retry_after);
            }
            url = self.next(&url, response.headers())?;
        }
        Err(Reason::TooManyRedirects(redirect::MAX_REDIRECTS))
    }

    fn call(
        &self,
        url: &Uri,
        validators: &Validators,
        started: Instant,
    ) -> Result<Response<ResponseBody>, Reason> {
        let left = self.left(started)?;
        let mut request = self
            .agent
            .get(url)
            .config()
            .timeout_global(Some(left))
            .build();
        for (name, value) in conditions(validators) {
            request = request.header(name, value);
        }
        if redirect::same_origin(&self.spec.url, url) {
            for (name, value) in &self.spec.headers {
                request = request.header(name, value);
            }
        }
        request.call().map_err(|error| self.reason(error))
    }

    fn next(&self, url: &Uri, headers: &HeaderMap) -> Result<Uri, Reason> {
        let location = headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| Reason::BadRedirect("no Location".to_owned()))?;
        let target = redirect::target(url, location)?;
        self.hop.update(|state| state.redirected = true);
        // A proxy resolves names in our place, so an address written out is judged here.
        if self.hop.guards() && literal(&target).is_some_and(is_private) {
            return Err(Reason::PrivateTarget(display_url(&target)));
        }
        Ok(target)
    }

    fn finish(
        &self,
        url: &Uri,
        response: Response<ResponseBody>,
        started: Instant,
        retry_after: &mut Option<Duration>,
    ) -> Result<Fetched, Reason> {
        let text = |name: HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        match response.status().as_u16() {
            304 => return Ok(Fetched::NotModified),
            200 => {}
            code => {
                *retry_after = text(header::RETRY_AFTER)
                    .and_then(|value| status::retry_after(&value, Timestamp::now()));
                return Err(status::reason(code));
            }
        }
        let validators = Validators {
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
        };
        let gzip = text(header::CONTENT_ENCODING)
            .is_some_and(|encoding| encoding.trim().eq_ignore_ascii_case("gzip"));
        let caps = Caps {
            wall_clock: self.left(started)?,
            ..Caps::default()
        };
        let bytes = read_capped(response.into_body().into_reader(), &caps, gzip)
            .map_err(|error| self.read_reason(error))?;
        let body = Body {
            parts: vec![Part {
                name: display_url(url),
                bytes,
            }],
        };
        Ok(Fetched::Body { body, validators })
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
        if self.hop.read(|state| state.stopped) {
            return Reason::Stopped;
        }
        reason(error)
    }
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
    Config::builder()
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

fn literal(url: &Uri) -> Option<IpAddr> {
    url.host()?
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

fn reason(error: Error) -> Reason {
    match error {
        Error::HostNotFound => Reason::Unresolved,
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => Reason::Timeout("`connect_timeout`"),
        Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
            Reason::Timeout("idle limit of 10 s")
        }
        Error::Timeout(_) => Reason::Timeout("`timeout`"),
        Error::Tls(text) => Reason::Tls(text.to_owned()),
        Error::Rustls(error) => Reason::Tls(error.to_string()),
        Error::TlsRequired => Reason::Tls("the server does not speak it".to_owned()),
        Error::ConnectionFailed => Reason::Connect("no address answered".to_owned()),
        Error::ConnectProxyFailed(text) => Reason::Connect(format!("the proxy refused: {text}")),
        Error::InvalidProxyUrl => {
            Reason::Connect("the proxy's URL in the environment is not valid".to_owned())
        }
        Error::Other(inner) => match inner.downcast::<PrivateAddress>() {
            Ok(private) => Reason::PrivateTarget(private.0),
            Err(other) => Reason::Broken(other.to_string()),
        },
        Error::Io(error) => io_reason(&error),
        other => Reason::Broken(other.to_string()),
    }
}

fn io_reason(error: &io::Error) -> Reason {
    use io::ErrorKind::{
        ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable, TimedOut,
    };
    // `getaddrinfo` failures have no kind and no code of their own in std.
    let lookup = error.raw_os_error().is_none() && error.to_string().contains("lookup address");
    match error.kind() {
        _ if lookup => Reason::Unresolved,
        ConnectionRefused | HostUnreachable | NetworkUnreachable => {
            Reason::Connect(error.to_string())
        }
        TimedOut => Reason::Timeout("`connect_timeout`"),
        InvalidData => Reason::Tls(error.to_string()),
        _ => Reason::Broken(error.to_string()),
    }
}

/// What the resolver must know about the request that it resolves for.
#[derive(Default)]
struct Hop(Mutex<HopState>);

#[derive(Clone, Copy, Default)]
struct HopState {
    stopped: bool,
    redirected: bool,
    /// The operator's own URL leads into private space, so its redirects may as well.
    private_home: bool,
}

impl Hop {
    fn update(&self, change: impl FnOnce(&mut HopState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read<T>(&self, look: impl FnOnce(&HopState) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn guards(&self) -> bool {
        self.read(|state| state.redirected && !state.private_home)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is a private address")]
struct PrivateAddress(String);

/// Judges the addresses that are really connected to, so a name that resolves to another
/// address at a second look gains nothing.
struct GuardedResolver {
    hop: Arc<Hop>,
    inner: DefaultResolver,
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedResolver")
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.inner.resolve(uri, config, timeout)?;
        // A proxy is the operator's own choice and usually inside.
        if config
            .proxy()
            .is_some_and(|proxy| proxy.host() == uri.host().unwrap_or_default())
        {
            return Ok(addresses);
        }
        let private = |address: &SocketAddr| is_private(address.ip());
        if self.hop.guards() && addresses.iter().any(private) {
            return Err(Error::Other(Box::new(PrivateAddress(display_url(uri)))));
        }
        let home = addresses.iter().all(private);
        self.hop
            .update(|state| state.private_home |= home && !state.redirected);
        Ok(addresses)
    }
}
