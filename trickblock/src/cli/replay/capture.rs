//! Packets of a capture file, pcap or pcapng, as Ethernet frames.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
};

use pcap_file::{DataLink, PcapError, pcap::PcapReader};

mod pcapng;

/// Link types (tcpdump.org/linktypes.html) of bare IP packets: RAW and its two older numbers, then
/// IPV4 and IPV6.
const RAW: [u32; 5] = [101, 12, 14, 228, 229];
const ETHERNET: u32 = 1;
const IPV6: u32 = 229;
/// First bytes of a pcapng file.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Shown to the program; bare IP packets got a synthetic Ethernet header.
    Frame(Cow<'a, [u8]>),
    /// Why it cannot be shown.
    Skip(&'static str),
}

/// Not a capture, or a damaged one.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error("{path}: {source}; check the path and its permissions")]
    Open { path: String, source: io::Error },
    #[error(
        "{path}: not a capture, or damaged after packet {after}: {source}; pcap and pcapng files can be read"
    )]
    Damaged {
        path: String,
        after: u64,
        source: PcapError,
    },
}

/// Calls `each` with every packet in order.
pub(super) fn read<E: From<CaptureError>>(
    path: &Path,
    each: &mut dyn FnMut(Packet<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let name = path.display().to_string();
    let (file, next_generation) = open(path).map_err(|source| CaptureError::Open {
        path: name.clone(),
        source,
    })?;
    let mut after = 0;
    let mut counted = |packet: Packet<'_>| {
        after += 1;
        each(packet)
    };
    let result = if next_generation {
        pcapng(file, &mut counted)
    } else {
        pcap(file, &mut counted)
    };
    result.map_err(|error| match error {
        Stop::Caller(error) => error,
        Stop::Capture(source) => CaptureError::Damaged {
            path: name,
            after,
            source,
        }
        .into(),
    })
}

/// Why reading ended early.
enum Stop<E> {
    Capture(PcapError),
    Caller(E),
}

type Each<'a, E> = &'a mut dyn FnMut(Packet<'_>) -> Result<(), E>;

/// Looks at the first bytes without seeking, so that the path may be a pipe.
fn open(path: &Path) -> io::Result<(impl Read + use<>, bool)> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic)?;
    let next_generation = magic == SECTION_HEADER;
    Ok((Cursor::new(magic).chain(file), next_generation))
}

fn pcap<E>(file: impl Read, each: Each<'_, E>) -> Result<(), Stop<E>> {
    let mut reader = PcapReader::new(file).map_err(Stop::Capture)?;
    let link = reader.header().datalink;
    // The raw reader takes packets that the other one refuses, such as those longer than the snap
    // length says.
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet.map_err(Stop::Capture)?;
        each(framed(link, &packet.data)).map_err(Stop::Caller)?;
    }
    Ok(())
}

fn pcapng<E>(file: impl Read, each: Each<'_, E>) -> Result<(), Stop<E>> {
    let mut reader = pcapng::Reader::new(file);
    while let Some(captured) = reader.next().map_err(Stop::Capture)? {
        let packet = match captured {
            pcapng::Captured::Packet { link, data } => framed(u32::from(link).into(), data),
            pcapng::Captured::UnknownInterface => Packet::Skip("unknown_interface"),
            pcapng::Captured::Damaged => Packet::Skip("damaged_packet"),
        };
        each(packet).map_err(Stop::Caller)?;
    }
    Ok(())
}

fn framed(link: DataLink, data: &[u8]) -> Packet<'_> {
    // The upper half of the field may hold the length of a frame check sequence.
    let link = u32::from(link) & 0xffff;
    if RAW.contains(&link) {
        return Packet::Frame(with_ethernet(link, data).into());
    }
    match link == ETHERNET {
        true if data.len() < 14 => Packet::Skip("short_frame"),
        true => Packet::Frame(data.into()),
        false => Packet::Skip("link_type"),
    }
}

/// The EtherType follows the version nibble where the link type leaves it open.
fn with_ethernet(link: u32, packet: &[u8]) -> Vec<u8> {
    let six = link == IPV6
        || (RAW[..3].contains(&link) && packet.first().is_some_and(|byte| byte >> 4 == 6));
    let ether_type: [u8; 2] = if six { [0x86, 0xdd] } else { [0x08, 0x00] };
    [&[0; 12], ether_type.as_slice(), packet].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe cannot be rewound.
    #[test]
    fn a_pipe_is_read() {
        let (from, mut to) = io::pipe().unwrap();
        let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let rest = [
            0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 14, 0, 0, 0,
        ];
        for part in [header.as_slice(), &rest, &[7; 14]] {
            io::Write::write_all(&mut to, part).unwrap();
        }
        drop(to);
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&from));
        let mut found = Vec::new();
        read::<CaptureError>(Path::new(&path), &mut |packet| {
            found.push(packet == Packet::Frame([7; 14].as_slice().into()));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [true]);
    }

    #[test]
    fn bare_ip_gets_a_header_and_the_rest_a_reason() {
        let header = |link: u32, byte: u8| match framed(DataLink::from(link), &[byte]) {
            Packet::Frame(frame) => u16::from_be_bytes([frame[12], frame[13]]),
            Packet::Skip(reason) => panic!("skipped: {reason}"),
        };
        assert_eq!(
            [header(101, 0x45), header(12, 0x60), header(14, 0x60)],
            [0x0800, 0x86dd, 0x86dd]
        );
        assert_eq!([header(228, 0x60), header(229, 0x45)], [0x0800, 0x86dd]);
        assert_eq!(
            framed(DataLink::ETHERNET, &[0; 13]),
            Packet::Skip("short_frame")
        );
        assert_eq!(
            framed(DataLink::from(113), &[0; 60]),
            Packet::Skip("link_type")
        );
        assert_eq!(
            framed(DataLink::from(0x1000_0001), &[0; 14]),
            Packet::Frame([0; 14].as_slice().into())
        );
    }
}
