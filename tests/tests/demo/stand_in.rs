//! A filter made of policy routing rules, with faults on request: it shows that the demo can
//! pass, and that it notices each fault. It shares nothing with trickblock.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use trickblock_tests::{
    demo::filter::{Filter, Live, Place},
    netns::Netns,
};

/// What is wrong with the stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Only packets to C2s are dropped.
    RepliesPass,
    /// Ports are ignored.
    WholeAddresses,
    /// It goes with its daemon.
    EndsWithDaemon,
    /// What a feed no longer lists stays blocked.
    NeverForgets,
}

#[derive(Debug)]
pub struct StandIn {
    fault: Fault,
    place: Option<Place>,
    rules: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
    broken: bool,
}

impl StandIn {
    pub fn new(fault: Fault) -> Self {
        let (rules, stop) = <(Arc<_>, Arc<_>)>::default();
        Self {
            fault,
            place: None,
            rules,
            stop,
            poller: None,
            broken: false,
        }
    }

    fn end_poller(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(poller) = self.poller.take() {
            // Its panic was printed; a second one while unwinding would abort.
            self.broken |= poller.join().is_err();
        }
    }
}

impl Filter for StandIn {
    fn start(&mut self, place: &Place) -> anyhow::Result<()> {
        self.place = Some(place.clone());
        let (place, fault) = (place.clone(), self.fault);
        let (rules, stop) = (Arc::clone(&self.rules), Arc::clone(&self.stop));
        self.poller = Some(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let wanted = wanted(&place, fault).unwrap();
                let mut rules = rules.lock().unwrap();
                let wanted = match fault {
                    Fault::NeverForgets => wanted.union(&rules).cloned().collect(),
                    _ => wanted,
                };
                apply(&place.gateway, &rules, &wanted).unwrap();
                *rules = wanted;
                drop(rules);
                thread::sleep(Duration::from_millis(100));
            }
        }));
        Ok(())
    }

    fn live(&mut self) -> anyhow::Result<Option<Live>> {
        let rules = self.rules.lock().unwrap().len();
        let live = || Live {
            xdp_mode: "generic".to_owned(),
            indicators: rules as u64,
        };
        Ok((rules > 0).then(live))
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.end_poller();
        ensure!(!self.broken, "the stand-in panicked");
        if self.fault == Fault::EndsWithDaemon {
            self.off()
        } else {
            Ok(())
        }
    }

    fn off(&mut self) -> anyhow::Result<()> {
        let gateway = &self.place.as_ref().context("not started")?.gateway;
        let rules = std::mem::take(&mut *self.rules.lock().unwrap());
        apply(gateway, &rules, &BTreeSet::new())
    }

    fn log(&self) -> String {
        format!("{} rules", self.rules.lock().unwrap().len())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end_poller();
    }
}

/// Arguments of `ip rule` for what the feeds list.
fn wanted(place: &Place, fault: Fault) -> anyhow::Result<BTreeSet<String>> {
    let mut rules = BTreeSet::new();
    for line in fetch(&place.gateway, &place.csv_url)?.lines() {
        if let [_, _, _, ip, _, port, ..] = line.split('"').collect::<Vec<_>>()[..]
            && let (Ok(ip), Ok(port)) = (ip.parse(), port.parse())
        {
            add(&mut rules, fault, ip, Some(port));
        }
    }
    for line in fetch(&place.gateway, &place.plain_url)?.lines() {
        let word = line.split(' ').next().unwrap_or_default();
        if let Ok(endpoint) = word.parse::<SocketAddr>() {
            add(&mut rules, fault, endpoint.ip(), Some(endpoint.port()));
        } else if let Ok(ip) = word.parse() {
            add(&mut rules, fault, ip, None);
        }
    }
    Ok(rules)
}

fn add(rules: &mut BTreeSet<String>, fault: Fault, ip: IpAddr, port: Option<u16>) {
    let port = port.filter(|_| fault != Fault::WholeAddresses);
    let ends: &[_] = match fault {
        Fault::RepliesPass => &[("to", "dport")],
        _ => &[("to", "dport"), ("from", "sport")],
    };
    for (end, port_word) in ends {
        match port {
            None => drop(rules.insert(format!("{end} {ip}"))),
            Some(port) => rules.extend(
                ["tcp", "udp"]
                    .map(|protocol| format!("{end} {ip} ipproto {protocol} {port_word} {port}")),
            ),
        }
    }
}

/// New rules come before old ones go, so that what stays listed stays blocked. A batch takes
/// `rule` for IPv4; the few of IPv6 have a process each.
fn apply(gateway: &Netns, old: &BTreeSet<String>, new: &BTreeSet<String>) -> anyhow::Result<()> {
    let mut batch = String::new();
    for (verb, rules) in [("add", new - old), ("del", old - new)] {
        for rule in rules {
            let command = format!("rule {verb} {rule} blackhole");
            if rule.contains(':') {
                gateway.ip(&["-6"]
                    .into_iter()
                    .chain(command.split(' '))
                    .collect::<Vec<_>>())?;
            } else {
                batch += &format!("{command}\n");
            }
        }
    }
    gateway.ip_batch(&batch)
}

fn fetch(gateway: &Netns, url: &str) -> anyhow::Result<String> {
    let (address, path) = url
        .trim_start_matches("http://")
        .split_once('/')
        .context("url")?;
    let address: SocketAddr = address.parse()?;
    let mut stream = gateway
        .run(|| TcpStream::connect(address))?
        .context("feed server")?;
    stream.write_all(format!("GET /{path} HTTP/1.1\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => bail!("{url}: {answer}"),
    }
}
