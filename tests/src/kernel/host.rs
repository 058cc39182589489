//! The filter's own code on the host.

use anyhow::{Context as _, bail};
use ipnet::Ipv6Net;
use trickblock::{
    kernel::{Judged, Program},
    table::{Constants, Entry, Never, Snapshot, compile},
};
use trickblock_common::{
    Frame, Skb, V6,
    abi::{Interface, interface, role, tunnel},
    direction::{Travel, direction},
    embedded::Nat64,
    judge,
    table::Geometry,
};

use super::{Answer, SMALL, Setup, entries, never};

/// What the filter looks up and how its parts are set, without a kernel.
#[derive(Debug)]
pub struct Host {
    snapshot: Snapshot,
    program: Program,
    interface: Interface,
    monitor: bool,
    /// How indicators write themselves, by their ids.
    pub(super) names: Vec<String>,
}

impl Host {
    /// Compiled here, without a kernel that was ever asked.
    pub fn new(setup: &Setup) -> anyhow::Result<Self> {
        let geometry = Geometry::for_entries(SMALL).context("too many entries")?;
        let mut half = vec![0; usize::try_from(geometry.half)?];
        let entries = entries(&setup.rules)?;
        compile(&entries, 0x5eed, &geometry, &mut half)?;
        let snapshot = Snapshot {
            geometry,
            constants: constants(setup)?,
            half,
            never: Never::new(never(&setup.never)?),
        };
        Self::of(snapshot, &entries, setup)
    }

    /// What a kernel looks up, read back from it.
    pub(super) fn of(snapshot: Snapshot, entries: &[Entry], setup: &Setup) -> anyhow::Result<Self> {
        let names = entries.iter().map(|entry| entry.indicator.to_string());
        Ok(Self {
            snapshot,
            program: program(setup)?,
            interface: interface_of(setup)?,
            monitor: setup.monitor,
            names: names.collect(),
        })
    }

    /// The answer, and the direction.
    pub fn judge(&self, frame: &[u8]) -> anyhow::Result<(Answer, &'static str)> {
        match self.program {
            Program::Xdp => self.judge_frame(frame),
            _ => self.judge_frame(&Skb(frame)),
        }
    }

    /// The same of any source of bytes.
    pub fn judge_frame<F: Frame + ?Sized>(
        &self,
        frame: &F,
    ) -> anyhow::Result<(Answer, &'static str)> {
        let (outcome, flow) = judge(frame, &self.snapshot, self.program.link());
        let outcome = if self.monitor {
            outcome.monitored()
        } else if self.interface.flags & interface::CLOSED != 0 {
            outcome.closed()
        } else {
            outcome
        };
        let travel = Travel::past(self.interface.role, self.program.is_egress());
        let direction = direction(frame, travel, outcome.side(), flow.transport);
        self.answer(Judged::from_outcome(outcome, direction as u8))
    }

    /// In words.
    pub(super) fn answer(&self, judged: Judged) -> anyhow::Result<(Answer, &'static str)> {
        // Ids are places in the list.
        let named = |id: u32| {
            let name = self.names.get(usize::try_from(id)?);
            let name = name.with_context(|| format!("id {id} was given to no indicator"))?;
            anyhow::Ok(name.clone())
        };
        let answer = Answer {
            reason: judged.reason.name(),
            side: judged.side.name(),
            indicator: judged.indicator.map(named).transpose()?,
            inner: judged.inner,
        };
        Ok((answer, judged.direction.name()))
    }
}

pub(super) fn program(setup: &Setup) -> anyhow::Result<Program> {
    Ok(match (setup.hook.as_str(), setup.link.as_str()) {
        ("" | "xdp", "" | "ethernet") => Program::Xdp,
        ("tc_ingress", "" | "ethernet") => Program::TcIngress,
        ("tc_egress", "" | "ethernet") => Program::TcEgress,
        ("tc_ingress", "ip") => Program::TcIngressIp,
        ("tc_egress", "ip") => Program::TcEgressIp,
        (hook, link) => bail!("no program for {hook} on {link}"),
    })
}

pub(super) fn interface_of(setup: &Setup) -> anyhow::Result<Interface> {
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
