//! A tun interface with this process at its other end: what the kernel sends through it is read here,
//! and what is written here arrives there.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{netns::Netns, sys};

/// Gone when dropped.
#[derive(Debug)]
pub struct Tun(File);

impl Tun {
    /// An interface in `netns`, not up yet and without address.
    pub fn new(netns: &Netns, name: &str) -> anyhow::Result<Self> {
        let file = netns.run(|| sys::open_tun(name))?;
        file.map(Self).with_context(|| format!("tun {name}"))
    }

    /// While it is down: its frames are of this link type (ARPHRD_…).
    pub fn link_type(&self, kind: u32) -> anyhow::Result<()> {
        sys::set_link_type(&self.0, kind).context("TUNSETLINK")
    }

    /// Lets a bare IP packet arrive.
    pub fn write(&self, packet: &[u8]) -> anyhow::Result<()> {
        (&self.0).write_all(packet).context("tun")
    }

    /// The next packet that the kernel sent, `None` after a while of silence.
    pub fn read(&self) -> anyhow::Result<Option<Vec<u8>>> {
        const PATIENCE: Duration = Duration::from_millis(200);
        let start = Instant::now();
        let mut buffer = vec![0; 65_536];
        while start.elapsed() < PATIENCE {
            match (&self.0).read(&mut buffer) {
                Ok(length) => {
                    buffer.truncate(length);
                    return Ok(Some(buffer));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error).context("tun"),
            }
        }
        Ok(None)
    }
}
