//! Every packet of the capture corpus, under rules made of the captures' own addresses and ports.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use pcap_file::{
    DataLink,
    pcap::PcapReader,
    pcapng::{Block, PcapNgReader},
};
use trickblock_tests::{
    kernel::{Setup, Twins},
    model::{self, Model},
    needs::corpus_dir,
};

use crate::{Distribution, agree};

pub fn captures_get_three_equal_answers() {
    let mut files = Vec::new();
    find(&corpus_dir().unwrap().join("pcaps"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no capture below pcaps/");
    let mut twins = Twins::load();
    let mut reasons = Distribution::new();
    for file in &files {
        judge_all(&mut twins, file, &frames(file), &mut reasons);
    }
    let total: usize = reasons.values().sum();
    println!("{} captures, {total} packets", files.len());
    for (reason, count) in &reasons {
        println!("{count:>9} {reason}");
    }
    assert!(total > 500, "{total} packets");
    let missed = reasons.get("miss").copied().unwrap_or_default();
    assert!(
        (total - missed) * 100 >= total * 30,
        "{missed} of {total} missed"
    );
}

fn judge_all(twins: &mut Twins, file: &Path, frames: &[Vec<u8>], reasons: &mut Distribution) {
    let setup = rules_of(frames);
    twins.set(&setup).unwrap();
    let model = Model::new(&setup).unwrap();
    for (number, frame) in (1..).zip(frames) {
        let answer = agree(twins, &model, &setup, frame)
            .unwrap_or_else(|error| panic!("{}, packet {number}\n{error}", file.display()));
        *reasons.entry(answer.reason).or_default() += 1;
    }
}

/// Of the addresses in their order of appearance: every third with a port it uses, every third whole,
/// every third not at all; and a prefix around the first one.
fn rules_of(frames: &[Vec<u8>]) -> Setup {
    let mut setup = Setup::default();
    let mut seen = std::collections::BTreeSet::new();
    for frame in frames {
        let Some((source, destination)) = model::addresses(frame) else {
            continue;
        };
        let ports = model::ports(frame);
        for (address, port) in [
            (destination, ports.map(|(_, _, port)| port)),
            (source, ports.map(|(_, port, _)| port)),
        ] {
            if !seen.insert(address) {
                continue;
            }
            let action = if seen.len() % 2 == 0 {
                "drop"
            } else {
                "monitor"
            };
            let shown = if address.is_ipv6() {
                format!("[{address}]")
            } else {
                address.to_string()
            };
            match (seen.len() % 3, port.filter(|port| *port != 0)) {
                (0, Some(port)) => setup.rules.push(format!("{action} {shown}:{port}")),
                (1, _) => setup.rules.push(format!("{action} {address}")),
                _ => {}
            }
        }
    }
    setup
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Ethernet frames, and bare IPv6 packets behind a made-up header; nothing below 14 bytes.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut keep = |link: DataLink, data: &[u8]| {
        let frame = match link {
            DataLink::ETHERNET => data.to_vec(),
            DataLink::IPV6 => [&[2; 12], &[0x86, 0xdd][..], data].concat(),
            other => panic!("{}: link type {other:?}", path.display()),
        };
        if frame.len() >= 14 {
            frames.push(frame);
        }
    };
    let file = || File::open(path).unwrap();
    if fs::read(path)
        .unwrap()
        .starts_with(&[0x0a, 0x0d, 0x0d, 0x0a])
    {
        let mut reader = PcapNgReader::new(file()).unwrap();
        let mut link = DataLink::ETHERNET;
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::InterfaceDescription(interface) => link = interface.linktype,
                Block::EnhancedPacket(packet) => keep(link, &packet.data),
                _ => {}
            }
        }
    } else {
        let mut reader = PcapReader::new(file()).unwrap();
        let link = reader.header().datalink;
        // A damaged end is the end: that is for `replay` to complain about.
        while let Some(Ok(packet)) = reader.next_raw_packet() {
            keep(link, &packet.data);
        }
    }
    frames
}
