//! Follows the container engine, so that contacts can be named after containers.
//!
//! Nothing here can hurt the filter: the engine is asked by a task of its own, every answer is
//! bounded in size and time, and what it says is used for names only.

mod http;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

use self::http::{EngineError, get, stream};
use super::{contacts::Ledger, engine::Engine};
use crate::observe::containers::{Container, Following};

/// Between two attempts at an engine that does not answer; doubled up to the second one.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A silent engine is asked after this: it may be stuck, or an event may have been missed.
const LISTING: Duration = Duration::from_secs(60);
/// Longest name that is kept; the engine's own limit is below.
const MAX_NAME: usize = 128;
/// Networks gained and lost, and new names of containers. The filter is
/// `{"type":["network","container"],"event":["connect","disconnect","rename"]}`.
const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22network%22%2C%22container%22%5D%2C\
%22event%22%3A%5B%22connect%22%2C%22disconnect%22%2C%22rename%22%5D%7D";

/// The task that follows the engine of the configuration.
#[derive(Debug)]
pub struct Follower {
    socket: Option<PathBuf>,
    task: Option<JoinHandle<()>>,
}

impl Follower {
    /// Must be called inside a tokio runtime.
    pub fn start(engine: &Engine) -> Self {
        let socket = engine.config.docker.socket.clone();
        let follow = |socket| tokio::spawn(follow(socket, engine.ledger.clone()));
        Self {
            task: socket.clone().map(follow),
            socket,
        }
    }

    /// Follows another engine if the configuration names another one now.
    pub fn keep(&mut self, engine: &Engine) {
        if self.socket == engine.config.docker.socket {
            return;
        }
        if let Some(task) = self.task.take() {
            task.abort();
        }
        engine.ledger.containers().following = Following::Off;
        *self = Self::start(engine);
    }
}

/// Keeps `ledger` current for as long as the task runs.
async fn follow(socket: PathBuf, ledger: Ledger) {
    let mut story = Story {
        socket,
        ledger,
        // Whoever is there at first has been so all along, as far as contacts are concerned.
        heard: Timestamp::UNIX_EPOCH,
        quiet: false,
    };
    let mut pause = PAUSE.0;
    loop {
        let before = story.heard;
        let Err(error) = story.tell().await;
        story.lost(&error);
        pause = if story.heard == before {
            PAUSE.1.min(pause.saturating_mul(2))
        } else {
            PAUSE.0
        };
        sleep(pause).await;
    }
}

/// What has been heard from an engine.
struct Story {
    socket: PathBuf,
    ledger: Ledger,
    /// When the account was last complete.
    heard: Timestamp,
    /// It was said that there is nothing to hear.
    quiet: bool,
}

enum Never {}

impl Story {
    /// Events first, then who is there: nobody comes between.
    async fn tell(&mut self) -> Result<Never, EngineError> {
        let mut events = stream(&self.socket, EVENTS).await?;
        self.list().await?;
        self.found();
        let mut next = Instant::now() + LISTING;
        loop {
            match timeout_at(next, events.next()).await {
                Ok(line) => self.take(&line?).await?,
                Err(_) => {
                    self.list().await?;
                    next = Instant::now() + LISTING;
                }
            }
            self.heard = Timestamp::now();
        }
    }

    async fn list(&mut self) -> Result<(), EngineError> {
        let at = Timestamp::now();
        let listed: Vec<Listed> = self.ask("/containers/json").await?;
        let holders: Vec<_> = listed.iter().flat_map(Listed::holders).collect();
        let mut containers = self.ledger.containers();
        containers.only(&holders, at);
        for (address, container) in holders {
            containers.arrived(address, container, self.heard);
        }
        drop(containers);
        self.heard = at;
        Ok(())
    }

    async fn take(&self, line: &[u8]) -> Result<(), EngineError> {
        let event: Event = parse(line)?;
        match (event.kind.as_str(), event.action.as_str()) {
            ("network", "connect") => self.look_at(&event).await,
            ("network", "disconnect") => {
                let Attributes { container, name } = &event.actor.attributes;
                let mut containers = self.ledger.containers();
                containers.left(container, &tidy(name), event.at());
                Ok(())
            }
            ("container", "rename") => self.rename(&event).await,
            _ => Ok(()),
        }
    }

    /// A network knows its containers before they have started, which gives even one that ends at
    /// once its name.
    async fn look_at(&self, event: &Event) -> Result<(), EngineError> {
        let path = format!("/networks/{}", checked(&event.actor.id)?);
        let network: Network = match self.ask(&path).await {
            // Removed meanwhile.
            Err(EngineError::Status { code: 404, .. }) => return Ok(()),
            network => network?,
        };
        let mut containers = self.ledger.containers();
        for (address, container) in network.holders() {
            containers.arrived(address, container, event.at());
        }
        Ok(())
    }

    async fn rename(&self, event: &Event) -> Result<(), EngineError> {
        let listed: Vec<Listed> = self.ask("/containers/json").await?;
        let mut containers = self.ledger.containers();
        for (address, container) in listed.iter().flat_map(Listed::holders) {
            containers.arrived(address, container, event.at());
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        parse(&get(&self.socket, path).await?)
    }

    fn found(&mut self) {
        self.quiet = false;
        let mut containers = self.ledger.containers();
        containers.following = Following::Followed;
        tracing::info!(
            socket = %self.socket.display(),
            containers = containers.current(),
            "containers are known by name"
        );
    }

    /// Said once: most machines have no engine, and one that is gone is asked again and again.
    fn lost(&mut self, error: &EngineError) {
        let was_there = self.heard != Timestamp::UNIX_EPOCH;
        let absent = matches!(error, EngineError::Absent { .. });
        self.ledger.containers().following = if absent && !was_there {
            Following::Off
        } else {
            Following::Lost
        };
        if !std::mem::replace(&mut self.quiet, true) {
            if absent && !was_there {
                tracing::info!("containers have no names here: {error}");
            } else {
                tracing::warn!("new containers have no names until the engine answers: {error}");
            }
        }
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, EngineError> {
    serde_json::from_slice(text).map_err(|source| EngineError::Json { source })
}

/// An id goes into a path: nothing but an id may.
fn checked(id: &str) -> Result<&str, EngineError> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric();
    if id.is_empty() || id.len() > MAX_NAME || !id.bytes().all(harmless) {
        return Err(EngineError::Garbled { what: "an id" });
    }
    Ok(id)
}

/// A name as it can be printed.
fn tidy(name: &str) -> String {
    let shown = name.chars().take(MAX_NAME);
    shown
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "Type")]
    kind: String,
    action: String,
    actor: Actor,
    #[serde(rename = "timeNano")]
    time: i64,
}

impl Event {
    fn at(&self) -> Timestamp {
        Timestamp::from_nanosecond(self.time.into()).unwrap_or_else(|_| Timestamp::now())
    }
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Attributes,
}

/// Of a network's event: the container's id, the network's name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    container: String,
    name: String,
}

/// A container in the engine's list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    network_settings: Networks,
}

#[derive(Default, Deserialize)]
struct Networks {
    #[serde(rename = "Networks", default)]
    networks: BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "IPAddress", default)]
    v4: String,
    #[serde(rename = "GlobalIPv6Address", default)]
    v6: String,
}

impl Listed {
    fn holders(&self) -> Vec<(IpAddr, Container)> {
        // Links give a container further names, below that of another one.
        let own = |name: &&String| name.matches('/').count() <= 1;
        let name = self.names.iter().find(own).map_or("", String::as_str);
        let networks = self.network_settings.networks.iter();
        let addresses = networks.flat_map(|(network, endpoint)| {
            let texts = [&endpoint.v4, &endpoint.v6];
            texts.map(|text| Some((text.parse().ok()?, network)))
        });
        let container = |network: &String| Container {
            name: tidy(name.trim_start_matches('/')),
            id: tidy(&self.id),
            network: tidy(network),
        };
        addresses
            .flatten()
            .map(|(address, network)| (address, container(network)))
            .collect()
    }
}

/// A network and who is in it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    name: String,
    #[serde(default)]
    containers: BTreeMap<String, Member>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "Name")]
    name: String,
    /// With the prefix's length behind it, as the other one.
    #[serde(rename = "IPv4Address", default)]
    v4: String,
    #[serde(rename = "IPv6Address", default)]
    v6: String,
}

impl Network {
    fn holders(&self) -> Vec<(IpAddr, Container)> {
        let members = self.containers.iter().flat_map(|(id, member)| {
            let container = Container {
                name: tidy(&member.name),
                id: tidy(id),
                network: tidy(&self.name),
            };
            let address = |text: &str| text.split('/').next()?.parse().ok();
            let addresses = [address(&member.v4), address(&member.v6)];
            addresses.map(|address| Some((address?, container.clone())))
        });
        members.flatten().collect()
    }
}

#[cfg(test)]
mod tests;
