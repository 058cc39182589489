//! A veth pair, and sockets at both ends that were opened before the privilege for them was given up.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::links;
use crate::{
    packet::Packet,
    sys::{self, guest},
};

/// The filtered end, and the one beyond it.
#[derive(Debug)]
pub struct Field {
    pub inner: End,
    pub outer: End,
}

/// One end: what is sent leaves the interface, what is heard arrived there and was not dropped.
#[derive(Debug)]
pub struct End {
    pub name: &'static str,
    sender: OwnedFd,
    ears: [OwnedFd; 2],
}

/// Frames to count and the last one carry these at their end.
const COUNTED: &[u8] = b"matrix: counted";
const LAST: &[u8] = b"matrix: last";
const PATIENCE: Duration = Duration::from_secs(20);
/// EtherTypes
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

impl Field {
    /// Makes the pair in the calling thread's network namespace.
    pub fn new() -> anyhow::Result<Self> {
        const NAMES: [&str; 2] = ["inner0", "outer0"];
        links::veth([(NAMES[0], 2), (NAMES[1], 1)]).context("cannot make a veth pair")?;
        let end = |name| End::open(name).with_context(|| format!("sockets of {name}"));
        Ok(Self {
            inner: end(NAMES[0])?,
            outer: end(NAMES[1])?,
        })
    }
}

impl End {
    fn open(name: &'static str) -> io::Result<Self> {
        let index = sys::interface_index(name)?;
        Ok(Self {
            name,
            sender: sys::frame_socket(index)?,
            ears: [guest::listen(index, IPV4)?, guest::listen(index, IPV6)?],
        })
    }

    /// Sends a frame to be counted; whether it left.
    pub fn send(&self, packet: &Packet) -> anyhow::Result<bool> {
        send(&self.sender, &packet.clone().payload(COUNTED).build())
    }

    /// How many of `count` packets that this end sends reach `other`.
    pub fn reach(&self, other: &Self, packet: &Packet, count: usize) -> anyhow::Result<usize> {
        for _ in 0..count {
            self.send(packet)?;
        }
        self.arrived(other)
    }

    /// How many of the packets sent so far reached `other`. Sends a last one, which nobody lists and
    /// which overtakes none, until it is there: the first frames on a fresh link may be lost.
    pub fn arrived(&self, other: &Self) -> anyhow::Result<usize> {
        let last = [
            Packet::v4("198.51.100.200", "198.51.100.201").udp(1, 2),
            Packet::v6("2001:db8:ffff::1", "2001:db8:ffff::2").udp(1, 2),
        ];
        let mut arrived = 0;
        for (ear, last) in other.ears.iter().zip(last) {
            arrived += self.heard(ear, &last.payload(LAST).build())?;
        }
        Ok(arrived)
    }

    fn heard(&self, ear: &OwnedFd, last: &[u8]) -> anyhow::Result<usize> {
        let start = Instant::now();
        let (mut counted, mut buffer) = (0, [0; 2_048]);
        while start.elapsed() < PATIENCE {
            send(&self.sender, last)?;
            while let Some(length) = guest::hear(ear, &mut buffer)? {
                let frame = &buffer[..length];
                counted += usize::from(frame.ends_with(COUNTED));
                if frame.ends_with(LAST) {
                    return Ok(counted);
                }
            }
        }
        bail!("nothing that {} sends arrives", self.name)
    }
}

/// Whether the frame left. A filter on the way out, or a full queue, is told as a lack of buffers.
fn send(socket: &OwnedFd, frame: &[u8]) -> anyhow::Result<bool> {
    match sys::send_frame(socket, frame) {
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(false),
        result => result.map(|()| true).context("cannot send"),
    }
}
