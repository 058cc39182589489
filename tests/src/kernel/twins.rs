//! A filter in the kernel and its twin on the host.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, bail};
use ipnet::Ipv6Net;
use trickblock::{
    kernel::{Filter, Judged, Load, Program},
    table::{Constants, Entry, Snapshot},
};
use trickblock_common::{
    Direction, Flow, Outcome, Skb, V6,
    abi::{Interface, interface, role, tunnel},
    direction::{Travel, direction},
    embedded::Nat64,
    judge,
};

use super::{Answer, BPFFS, Directed, SMALL, Setup, directed, entries, never};

/// In a test run, a packet is said to come from loopback.
const LOOPBACK: u32 = 1;

/// A loaded program that nothing else uses, and the host's copy of what it looks up.
pub struct Twins {
    /// One for each set of load-time constants that was asked for so far.
    filters: Vec<(Constants, Filter)>,
    current: usize,
    program: Program,
    host: Snapshot,
    entries: Vec<Entry>,
    setup: Setup,
}

impl Twins {
    /// An empty filter. Panics where the kernel refuses it.
    pub fn load() -> Self {
        let constants = Constants::default();
        let filter = load(&constants).expect("a loaded filter");
        let host = filter.maps.snapshot().expect("a snapshot");
        Self {
            filters: vec![(constants, filter)],
            current: 0,
            program: Program::Xdp,
            host,
            entries: Vec::new(),
            setup: Setup::default(),
        }
    }

    /// Puts `setup` in force in the kernel and copies it to the host. Hits start at zero.
    pub fn set(&mut self, setup: &Setup) -> anyhow::Result<()> {
        self.choose(constants(setup)?)?;
        self.program = program(setup)?;
        self.entries = entries(&setup.rules)?;
        let ids: Vec<u32> = self.entries.iter().map(|entry| entry.id).collect();
        let filter = &mut self.filters[self.current].1;
        filter.maps.swap(&self.entries, &ids, 0x5eed)?;
        filter.maps.set_never_block(&never(&setup.never)?)?;
        filter.report_everything(setup.monitor)?;
        filter.maps.set_interface(LOOPBACK, interface_of(setup)?)?;
        self.host = filter.maps.snapshot()?;
        self.setup = setup.clone();
        Ok(())
    }

    fn choose(&mut self, wanted: Constants) -> anyhow::Result<()> {
        let found = self.filters.iter().position(|(has, _)| *has == wanted);
        self.current = match found {
            Some(index) => index,
            None => {
                self.filters.push((wanted, load(&wanted)?));
                self.filters.len() - 1
            }
        };
        Ok(())
    }

    /// The filter that [`Self::set`] chose.
    pub fn filter(&mut self) -> &mut Filter {
        &mut self.filters[self.current].1
    }

    /// What the loaded program does with a frame.
    pub fn program(&mut self, frame: &[u8]) -> anyhow::Result<Answer> {
        Ok(self.program_in_full(frame)?.0)
    }

    /// And which direction it counts it under.
    pub fn program_in_full(&mut self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        let program = self.program;
        let judged = self.filter().judge(program, frame)?;
        self.answer(judged)
    }

    /// As [`Self::program_in_full`], but nothing is counted.
    pub fn probe(&mut self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        let program = self.program;
        let judged = self.filter().probe(program, frame)?;
        self.answer(judged)
    }

    /// What the same code does with it on the host.
    pub fn host(&self, frame: &[u8]) -> anyhow::Result<Answer> {
        Ok(self.host_in_full(frame)?.0)
    }

    /// And which direction it finds.
    pub fn host_in_full(&self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        let link = self.program.link();
        let (outcome, flow) = match self.program {
            Program::Xdp => judge(frame, &self.host, link),
            _ => judge(&Skb(frame), &self.host, link),
        };
        let outcome = if self.setup.monitor {
            outcome.monitored()
        } else if self.setup.closed {
            outcome.closed()
        } else {
            outcome
        };
        let direction = self.direction(frame, outcome, flow)?;
        self.answer(Judged::from_outcome(outcome, direction as u8))
    }

    fn direction(&self, frame: &[u8], outcome: Outcome, flow: Flow) -> anyhow::Result<Direction> {
        let role = interface_of(&self.setup)?.role;
        let travel = Travel::past(role, self.program.is_egress());
        Ok(direction(frame, travel, outcome.side(), flow.transport))
    }

    fn answer(&self, judged: Judged) -> anyhow::Result<(Answer, &'static str)> {
        let named = |id: u32| {
            let entry = self.entries.iter().find(|entry| entry.id == id);
            let entry = entry.with_context(|| format!("id {id} was given to no indicator"))?;
            anyhow::Ok(entry.indicator.to_string())
        };
        let answer = Answer {
            reason: judged.reason.name(),
            side: judged.side.name(),
            indicator: judged.indicator.map(named).transpose()?,
            inner: judged.inner,
        };
        Ok((answer, judged.direction.name()))
    }

    /// All counters so far.
    pub fn counts(&self) -> Directed {
        directed(&self.filters[self.current].1.maps)
    }

    /// Hits of every indicator since [`Self::set`].
    pub fn hits(&self) -> BTreeMap<String, u64> {
        let ids = self.entries.iter().map(|entry| entry.id);
        let hits = self.filters[self.current].1.maps.hits(ids).expect("hits");
        let names = self.entries.iter().map(|entry| entry.indicator.to_string());
        names.zip(hits).collect()
    }
}

fn load(constants: &Constants) -> anyhow::Result<Filter> {
    let wanted = Load {
        capacity: SMALL,
        constants: *constants,
    };
    let mut filter = Filter::load_private(Path::new(BPFFS), wanted)?;
    filter.report_everything(false)?;
    Ok(filter)
}

fn program(setup: &Setup) -> anyhow::Result<Program> {
    Ok(match (setup.hook.as_str(), setup.link.as_str()) {
        ("" | "xdp", "" | "ethernet") => Program::Xdp,
        ("tc_ingress", "" | "ethernet") => Program::TcIngress,
        ("tc_egress", "" | "ethernet") => Program::TcEgress,
        ("tc_ingress", "ip") => Program::TcIngressIp,
        ("tc_egress", "ip") => Program::TcEgressIp,
        (hook, link) => bail!("no program for {hook} on {link}"),
    })
}

fn interface_of(setup: &Setup) -> anyhow::Result<Interface> {
    let role = match setup.role.as_str() {
        "" => role::UNKNOWN,
        "inside" => role::INSIDE,
        "uplink" => role::UPLINK,
        other => bail!("{other} is no role"),
    };
    let flags = if setup.closed { interface::CLOSED } else { 0 };
    Ok(Interface { role, flags })
}

/// The load-time constants of a setup.
pub fn constants(setup: &Setup) -> anyhow::Result<Constants> {
    let mut constants = Constants::default();
    for name in &setup.tunnels {
        constants.tunnels |= match name.as_str() {
            "ip" => tunnel::IP,
            "gre" => tunnel::GRE,
            "vxlan" => tunnel::VXLAN,
            "geneve" => tunnel::GENEVE,
            "gtpu" => tunnel::GTPU,
            other => bail!("{other} is no tunnel"),
        };
    }
    for (index, text) in setup.nat64.iter().enumerate() {
        let net: Ipv6Net = text.parse()?;
        let slot = constants
            .nat64
            .get_mut(index)
            .context("too many prefixes")?;
        *slot = Nat64 {
            length: u64::from(net.prefix_len()),
            prefix: V6::from_bytes(net.network().octets()),
        };
    }
    Ok(constants)
}
