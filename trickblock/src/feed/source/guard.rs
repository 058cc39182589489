//! Keeps names that others answer for, and redirects, out of private address space.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use ureq::{
    Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

use super::{http::display_url, is_private, private::literal};

/// What the resolver must know about the request that it resolves for.
#[derive(Default)]
pub(super) struct Hop(Mutex<HopState>);

#[derive(Clone, Copy, Default)]
struct HopState {
    stopped: bool,
    redirected: bool,
    /// The operator means a private address, so redirects may lead to one as well.
    private: bool,
}

impl Hop {
    /// A new request: the operator's URL comes first, which may lead into private space if `private` says so.
    pub(super) fn begin(&self, private: bool) {
        self.update(|state| {
            *state = HopState {
                stopped: state.stopped,
                redirected: false,
                private,
            }
        });
    }

    /// What comes next was chosen by the server.
    pub(super) fn redirect(&self) {
        self.update(|state| state.redirected = true);
    }

    /// For good: the source is not used any more.
    pub(super) fn stop(&self) {
        self.update(|state| state.stopped = true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.read(|state| state.stopped)
    }

    /// Private addresses are out of bounds.
    pub(super) fn guards(&self) -> bool {
        self.read(|state| !state.private)
    }

    fn update(&self, change: impl FnOnce(&mut HopState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read<T>(&self, look: impl FnOnce(&HopState) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the operator's URL says by itself that a private address is meant: it is written out, or its name has no
/// dot, as `localhost` and names of containers, for which nobody outside answers. What starts with a digit may be an
/// address in disguise (`2130706433`).
pub(super) fn is_plainly_private(url: &Uri) -> bool {
    let is_local = |host: &str| {
        !host.contains(['.', ':']) && host.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    url.host().is_some_and(is_local) || literal(url).is_some_and(is_private)
}

#[derive(Debug, thiserror::Error)]
#[error("{url} is at {address}, a private address")]
pub(super) struct PrivateAddress {
    pub(super) url: String,
    pub(super) address: IpAddr,
    /// A server led there, not the operator.
    pub(super) redirected: bool,
}

/// Judges the addresses that are really connected to, so a name that resolves to another
/// address at a second look gains nothing.
pub(super) struct GuardedResolver {
    pub(super) hop: Arc<Hop>,
    pub(super) inner: DefaultResolver,
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
        let private = |address: &&SocketAddr| is_private(address.ip());
        match addresses.iter().find(private) {
            Some(found) if self.hop.guards() => Err(Error::Other(Box::new(PrivateAddress {
                url: display_url(uri),
                address: found.ip(),
                redirected: self.hop.read(|state| state.redirected),
            }))),
            _ => Ok(addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_outside_answers_for_and_addresses_need_no_leave() {
        let plain = |url: &str| is_plainly_private(&url.parse().expect("a URL"));
        for url in [
            "http://localhost/",
            "http://LISTS:8080/c2.txt",
            "http://127.0.0.1/",
            "http://10.0.0.5:80/",
            "http://[::1]/",
            "http://[fd00::1]/",
        ] {
            assert!(plain(url), "{url}");
        }
        for url in [
            "http://feeds.example/",
            "http://localhost.example/",
            "http://lists./",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://198.51.100.1/",
            "http://[2001:4860:4860::8888]/",
        ] {
            assert!(!plain(url), "{url}");
        }
    }
}
