//! Keeps redirects of public servers out of private address space.

use std::{
    fmt,
    net::SocketAddr,
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

use super::{http::display_url, is_private};

/// What the resolver must know about the request that it resolves for.
#[derive(Default)]
pub(super) struct Hop(Mutex<HopState>);

#[derive(Clone, Copy, Default)]
struct HopState {
    stopped: bool,
    redirected: bool,
    /// The operator's own URL leads into private space, so its redirects may as well.
    private_home: bool,
}

impl Hop {
    /// A new fetch: the operator's URL comes first.
    pub(super) fn begin(&self) {
        self.update(|state| {
            *state = HopState {
                stopped: state.stopped,
                ..HopState::default()
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

    /// Redirected by a public server: private addresses are out of bounds.
    pub(super) fn guards(&self) -> bool {
        self.read(|state| state.redirected && !state.private_home)
    }

    fn update(&self, change: impl FnOnce(&mut HopState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read<T>(&self, look: impl FnOnce(&HopState) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is a private address")]
pub(super) struct PrivateAddress(pub(super) String);

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
