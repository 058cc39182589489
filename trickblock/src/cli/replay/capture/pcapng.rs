//! The blocks of a pcapng file as far as packets need them: link types and packet data. Options,
//! names and statistics are skipped unread, since nothing in them may keep a packet from its line.

use std::io::Read;

use pcap_file::PcapError;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Bytes of a packet block before the data.
const PACKET_HEADER: usize = 20;
/// Far above what any tool writes; what a block says of its length is not trusted further.
const MAX_BLOCK: u32 = 64 << 20;

/// One packet block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Captured<'a> {
    Packet {
        link: u16,
        data: &'a [u8],
    },
    UnknownInterface,
    /// The block is shorter than the packet it says it holds.
    Damaged,
}

pub(super) struct Reader<R> {
    input: R,
    big_endian: bool,
    interfaces: Vec<Interface>,
    body: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Interface {
    link: u16,
    /// 0 for no limit.
    snap_length: u32,
}

/// Where a packet lies in the body of its block.
struct Place {
    interface: u32,
    start: usize,
    length: u32,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            big_endian: false,
            interfaces: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The next packet; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Captured<'_>>, PcapError> {
        while let Some(kind) = self.block()? {
            match kind {
                SECTION => self.interfaces.clear(),
                INTERFACE => self.interface()?,
                OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    return Ok(Some(self.packet(kind)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn interface(&mut self) -> Result<(), PcapError> {
        let (Some(link), Some(snap_length)) = (self.half(0), self.word(4)) else {
            return Err(PcapError::InvalidField("an interface without link type"));
        };
        self.interfaces.push(Interface { link, snap_length });
        Ok(())
    }

    fn packet(&self, kind: u32) -> Captured<'_> {
        let Some(place) = self.place(kind) else {
            return Captured::Damaged;
        };
        let interface = usize::try_from(place.interface).ok();
        let Some(interface) = interface.and_then(|index| self.interfaces.get(index)) else {
            return Captured::UnknownInterface;
        };
        let length = match interface.snap_length {
            limit if kind == SIMPLE_PACKET && limit > 0 => place.length.min(limit),
            _ => place.length,
        };
        let data = usize::try_from(length)
            .ok()
            .and_then(|length| self.body.get(place.start..)?.get(..length));
        data.map_or(Captured::Damaged, |data| Captured::Packet {
            link: interface.link,
            data,
        })
    }

    fn place(&self, kind: u32) -> Option<Place> {
        let interface = match kind {
            ENHANCED_PACKET => self.word(0)?,
            OLD_PACKET => self.half(0)?.into(),
            // It states the length on the wire and is cut at the snap length alone.
            _ => {
                return Some(Place {
                    interface: 0,
                    start: 4,
                    length: self.word(0)?,
                });
            }
        };
        Some(Place {
            interface,
            start: PACKET_HEADER,
            length: self.word(12)?,
        })
    }

    /// Reads a block and returns its type; its body is kept.
    fn block(&mut self) -> Result<Option<u32>, PcapError> {
        if self.fill(8)? == 0 {
            return Ok(None);
        }
        let header = self.array::<8>(0).ok_or(PcapError::IncompleteBuffer)?;
        let [a, b, c, d, length @ ..] = header;
        // A section's type reads the same both ways; what follows it tells the byte order.
        let magic = match [a, b, c, d] == SECTION.to_be_bytes() {
            true => self.section()?,
            false => 0,
        };
        let kind = self.number([a, b, c, d]);
        let length = self.number(length);
        let body = length.checked_sub(12 + magic);
        let body = body.filter(|_| length.is_multiple_of(4) && length <= MAX_BLOCK);
        let body = body.ok_or(PcapError::InvalidField("a block of impossible length"))?;
        self.whole(body)?;
        let mut trailer = [0; 4];
        self.input
            .read_exact(&mut trailer)
            .map_err(|_| PcapError::IncompleteBuffer)?;
        if self.number(trailer) != length {
            return Err(PcapError::InvalidField("a block with two lengths"));
        }
        Ok(Some(kind))
    }

    /// Reads the byte order of a section; returns how many bytes that took.
    fn section(&mut self) -> Result<u32, PcapError> {
        self.whole(4)?;
        self.big_endian = match self.body.as_slice() {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(PcapError::InvalidField("a section without byte order")),
        };
        Ok(4)
    }

    fn whole(&mut self, length: u32) -> Result<(), PcapError> {
        let found = self.fill(length.into())?;
        (found == u64::from(length))
            .then_some(())
            .ok_or(PcapError::IncompleteBuffer)
    }

    /// Reads up to `length` bytes into the body. Memory grows with what is there, not with what
    /// is announced.
    fn fill(&mut self, length: u64) -> Result<u64, PcapError> {
        self.body.clear();
        let mut part = self.input.by_ref().take(length);
        let found = part
            .read_to_end(&mut self.body)
            .map_err(PcapError::IoError)?;
        Ok(u64::try_from(found).unwrap_or(u64::MAX))
    }

    fn half(&self, at: usize) -> Option<u16> {
        let bytes = self.array(at)?;
        Some(match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        })
    }

    fn word(&self, at: usize) -> Option<u32> {
        self.array(at).map(|bytes| self.number(bytes))
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.body.get(at..)?.first_chunk().copied()
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(big: bool, kind: u32, words: &[u32], tail: &[u8]) -> Vec<u8> {
        let word = |word: u32| {
            if big {
                word.to_be_bytes()
            } else {
                word.to_le_bytes()
            }
        };
        let length = u32::try_from(12 + words.len() * 4 + tail.len()).unwrap();
        let mut bytes = [word(kind), word(length)].concat();
        bytes.extend(words.iter().copied().flat_map(word));
        bytes.extend(tail);
        bytes.extend(word(length));
        bytes
    }

    fn captured(file: &[u8]) -> Result<Vec<String>, PcapError> {
        let mut reader = Reader::new(file);
        let mut found = Vec::new();
        while let Some(captured) = reader.next()? {
            found.push(format!("{captured:?}"));
        }
        Ok(found)
    }

    /// Each option is a comment that is not UTF-8.
    #[test]
    fn text_that_is_no_text_costs_no_packet() {
        let comment = |big: bool| match big {
            true => [0, 1, 0, 2, 0xff, 0xfe, 0, 0, 0, 0, 0, 0],
            false => [1, 0, 2, 0, 0xff, 0xfe, 0, 0, 0, 0, 0, 0],
        };
        for big in [true, false] {
            let link = if big { 1 << 16 } else { 1 };
            let option = comment(big);
            let packet = [[7, 7, 7, 0].as_slice(), &option].concat();
            let file = [
                block(big, SECTION, &[0x1a2b_3c4d, 0, 0, 0], &option),
                block(big, INTERFACE, &[link, 2], &option),
                block(big, 4, &[], &[0xff; 16]),
                block(big, ENHANCED_PACKET, &[0, 0, 0, 3, 3], &packet),
                block(big, OLD_PACKET, &[0, 0, 0, 3, 3], &packet),
                block(big, SIMPLE_PACKET, &[9], &[7, 7, 0, 0]),
                block(big, ENHANCED_PACKET, &[1, 0, 0, 3, 3], &packet),
                block(big, ENHANCED_PACKET, &[0, 0, 0, 99, 99], &packet),
            ]
            .concat();
            let whole = "Packet { link: 1, data: [7, 7, 7] }";
            let cut = "Packet { link: 1, data: [7, 7] }";
            let found = captured(&file).unwrap();
            assert_eq!(found, [whole, whole, cut, "UnknownInterface", "Damaged"]);
            assert!(captured(&file[..file.len() - 1]).is_err());
        }
    }

    #[test]
    fn impossible_blocks_end_the_file_with_a_reason() {
        let section = block(false, SECTION, &[0x1a2b_3c4d, 0, 0, 0], &[]);
        for length in [0_u32, 8, 13, u32::MAX] {
            let broken = [
                section.as_slice(),
                &[6, 0, 0, 0],
                &length.to_le_bytes(),
                &[0; 16],
            ];
            assert!(captured(&broken.concat()).is_err(), "{length}");
        }
    }
}
