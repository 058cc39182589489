//! Addresses behind names: of the servers that feeds come from, and of time servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, ToSocketAddrs as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{Found, files};

/// Between two looks at a name.
const AGAIN: Duration = Duration::from_secs(300);
/// What a name stood for stays protected so long: behind some names stand others every time.
const KEPT: Duration = Duration::from_secs(3_600);
/// How long a look waits for names; what comes later counts at the next one.
const PATIENCE: Duration = Duration::from_secs(2);
/// Addresses that one name may stand for.
const MAX_EACH: usize = 32;
/// Addresses that all names together may stand for.
const MAX_ALL: usize = 512;

/// Remembers what names stood for. A clone shares it.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A thread resolves names. There is at most one, since a resolver may take half a minute for each.
    busy: bool,
    asked: BTreeMap<String, Instant>,
    seen: BTreeMap<(String, IpAddr), Instant>,
}

impl Hosts {
    /// What these names stand for, or stood for lately. Literal addresses need nobody to be asked.
    pub(super) fn resolve(&self, feeds: &[String], time_servers: &[String]) -> Vec<Found> {
        let all: BTreeSet<&String> = feeds.iter().chain(time_servers).collect();
        let names: Vec<String> = all
            .iter()
            .filter(|host| files::address(host).is_none())
            .map(|host| (*host).clone())
            .collect();
        self.refresh(names.clone());
        let mut state = self.lock();
        state.forget(&names);
        let kind = |host: &String| match feeds.contains(host) {
            true => format!("a server of a feed ({host})"),
            false => format!("a time server of this host ({host})"),
        };
        let literal = all
            .iter()
            .filter_map(|host| Some((files::address(host)?, kind(host))));
        let seen = state
            .seen
            .keys()
            .map(|(host, address)| (*address, kind(host)));
        literal.chain(seen).collect()
    }

    /// Has names looked up that were not for a while, and waits for that, though not for long.
    fn refresh(&self, names: Vec<String>) {
        let mut state = self.lock();
        let due = names
            .into_iter()
            .filter(|name| state.asked.get(name).is_none_or(|at| at.elapsed() >= AGAIN));
        let due: Vec<String> = due.collect();
        if !due.is_empty() && !state.busy {
            let shared = Arc::clone(&self.0);
            state.busy = thread::Builder::new()
                .name("names".to_owned())
                .spawn(move || shared.look_up(&due))
                .is_ok();
        }
        let waited = self
            .0
            .done
            .wait_timeout_while(state, PATIENCE, |state| state.busy);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, names: &[String]) {
        for name in names {
            let found = (name.as_str(), 0).to_socket_addrs();
            let found: Vec<IpAddr> = found
                .into_iter()
                .flatten()
                .map(|found| found.ip())
                .take(MAX_EACH)
                .collect();
            self.lock().note(name, &found);
        }
        self.lock().busy = false;
        self.done.notify_all();
    }
}

impl State {
    fn note(&mut self, name: &str, found: &[IpAddr]) {
        let now = Instant::now();
        self.asked.insert(name.to_owned(), now);
        for address in found {
            let key = (name.to_owned(), *address);
            if self.seen.len() < MAX_ALL || self.seen.contains_key(&key) {
                self.seen.insert(key, now);
            }
        }
    }

    /// What is too old, and names that nobody asks for any more.
    fn forget(&mut self, names: &[String]) {
        self.asked.retain(|name, _| names.contains(name));
        self.seen
            .retain(|(name, _), at| names.contains(name) && at.elapsed() < KEPT);
    }
}
