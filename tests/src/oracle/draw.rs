//! What a round of fuzzing is made of, all from one seed: what is in force, and frames that meet it
//! because there are so few addresses and ports to draw from.

mod address;
mod frame;
mod mutate;
mod rules;
mod wrap;

use std::net::IpAddr;

use crate::{kernel::Setup, random::Random};

use address::Addresses;

/// The tunnels of `docs/verdicts.md`.
const TUNNELS: [&str; 5] = ["ip", "gre", "vxlan", "geneve", "gtpu"];

/// Rounds whose seeds differ in the lowest bits only share what a program is loaded with, since
/// loading one takes longer than a round.
const SHARED_BITS: u32 = 6;

/// Programs of one search, which are all kept.
const PROGRAMS: u64 = 12;

/// What the constants of a program are drawn from.
const fn program_of(seed: u64) -> u64 {
    (seed >> 32) * PROGRAMS + (seed >> SHARED_BITS) % PROGRAMS
}

/// Whether the same loaded program serves both rounds.
pub const fn share_a_program(seed: u64, other: u64) -> bool {
    seed >> SHARED_BITS == other >> SHARED_BITS
}

/// One round: everything follows from its seed, and from the captures.
#[derive(Debug)]
pub struct Round<'a> {
    pub setup: Setup,
    random: Random,
    addresses: Addresses,
    /// Frames of captures to change a little, or none.
    captured: &'a [Vec<u8>],
    /// What was drawn last, and how often it is still to be varied.
    base: Vec<u8>,
    variants: usize,
}

impl<'a> Round<'a> {
    /// `captured` are frames from the wire, beginning with an Ethernet header.
    pub fn new(seed: u64, captured: &'a [Vec<u8>]) -> Self {
        let mut shared = Random::new(program_of(seed));
        let (tunnels, nat64) = (tunnels(&mut shared), address::nat64(&mut shared));
        let mut random = Random::new(seed);
        let link = random.pick(&["ethernet", "ethernet", "ethernet", "ip"]);
        let captured = if link == "ethernet" && !captured.is_empty() && random.percent(25) {
            neighbours(captured, &mut random)
        } else {
            &[]
        };
        let addresses = Addresses::new(&nat64, captured_addresses(captured));
        let setup = Setup {
            rules: rules::rules(&mut random, &addresses),
            never: rules::never(&mut random, &addresses),
            monitor: random.percent(12),
            link: link.to_owned(),
            tunnels,
            nat64,
            closed: random.percent(40),
            role: random.pick(&["", "inside", "uplink"]).to_owned(),
            hook: hook(&mut random, link).to_owned(),
        };
        Self {
            setup,
            random,
            addresses,
            captured,
            base: Vec::new(),
            variants: 0,
        }
    }

    /// Whether the next frame shall be counted as well.
    pub fn is_counted(&mut self) -> bool {
        self.random.percent(20)
    }

    /// The next frame: something new, or what was drawn last with a few bytes changed.
    pub fn frame(&mut self) -> Vec<u8> {
        if self.variants > 0 {
            self.variants -= 1;
            return mutate::mutated(&self.base, &mut self.random);
        }
        self.base = self.fresh();
        self.variants = self.random.pick(&[0, 0, 0, 1, 1, 2]);
        self.base.clone()
    }

    fn fresh(&mut self) -> Vec<u8> {
        if !self.captured.is_empty() && self.random.percent(80) {
            return self.captured[self.random.below(self.captured.len())].clone();
        }
        let bare = self.setup.link == "ip";
        let tunnels = &self.setup.tunnels;
        frame::frame(&mut self.random, &self.addresses, tunnels, bare)
    }
}

/// None, all, or any of them.
fn tunnels(random: &mut Random) -> Vec<String> {
    let share = random.pick(&[0, 50, 50, 100, 100]);
    let mut names = TUNNELS.to_vec();
    names.retain(|_| random.percent(share));
    names.into_iter().map(str::to_owned).collect()
}

/// XDP knows no link without an Ethernet header.
fn hook(random: &mut Random, link: &str) -> &'static str {
    if link == "ip" {
        return random.pick(&["tc_ingress", "tc_egress"]);
    }
    random.pick(&["xdp", "xdp", "xdp", "tc_ingress", "tc_egress"])
}

/// Some frames that were captured one after the other, so that few addresses serve them all.
fn neighbours<'a>(captured: &'a [Vec<u8>], random: &mut Random) -> &'a [Vec<u8>] {
    const SOME: usize = 40;
    let start = random.below(captured.len());
    &captured[start..captured.len().min(start + SOME)]
}

fn captured_addresses(captured: &[Vec<u8>]) -> Vec<IpAddr> {
    let pairs = captured
        .iter()
        .filter_map(|frame| crate::model::addresses(frame));
    pairs
        .flat_map(|(source, destination)| [source, destination])
        .collect()
}

#[cfg(test)]
mod tests;
