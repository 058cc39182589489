//! Packets of the capture corpus, and rules that meet them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use pcap_file::{
    DataLink,
    pcap::PcapReader,
    pcapng::{Block, PcapNgReader},
};

use crate::{kernel::Setup, model};

/// Every capture below `pcaps/` of the corpus, sorted.
pub fn files(corpus: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    find(&corpus.join("pcaps"), &mut files)?;
    files.sort();
    Ok(files)
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listed = fs::read_dir(dir).with_context(|| format!("{}", dir.display()))?;
    for entry in listed {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The Ethernet frames of a capture; bare IPv6 packets stand behind a made-up header.
pub fn frames(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let start = fs::read(path).with_context(|| format!("{}", path.display()))?;
    let read = if start.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        pcapng(path)
    } else {
        pcap(path)
    };
    read.with_context(|| format!("{}", path.display()))
}

fn pcapng(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut reader = PcapNgReader::new(File::open(path)?)?;
    let mut link = DataLink::ETHERNET;
    let mut frames = Vec::new();
    while let Some(block) = reader.next_block() {
        match block? {
            Block::InterfaceDescription(interface) => link = interface.linktype,
            Block::EnhancedPacket(packet) => frames.push(frame(link, &packet.data)?),
            _ => {}
        }
    }
    Ok(frames)
}

fn pcap(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut reader = PcapReader::new(File::open(path)?)?;
    let link = reader.header().datalink;
    let mut frames = Vec::new();
    // A damaged end is the end: that is for `replay` to complain about.
    while let Some(Ok(packet)) = reader.next_raw_packet() {
        frames.push(frame(link, &packet.data)?);
    }
    Ok(frames)
}

fn frame(link: DataLink, data: &[u8]) -> anyhow::Result<Vec<u8>> {
    match link {
        DataLink::ETHERNET => Ok(data.to_vec()),
        DataLink::IPV6 => Ok([&[2; 12], &[0x86, 0xdd][..], data].concat()),
        other => bail!("link type {other:?}"),
    }
}

/// Of the addresses in their order of appearance: every third with a port it uses, every third whole,
/// every third not at all.
pub fn rules_of(frames: &[Vec<u8>]) -> Setup {
    let mut setup = Setup::default();
    let mut seen = BTreeSet::new();
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
            let action = ["drop", "monitor"][seen.len() % 2];
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
