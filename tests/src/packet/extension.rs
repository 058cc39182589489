//! IPv6 extension headers (RFC 8200, RFC 4302, RFC 6275).

/// One extension header. `extra` counts the 8-byte units after the first one.
#[derive(Clone, Debug)]
pub enum Extension {
    /// Hop-by-hop options, filled with padding.
    HopByHop { extra: u8 },
    /// Routing, of a type that no router acts upon.
    Routing { segments_left: u8, extra: u8 },
    /// Fragment; `offset` in units of 8 bytes. Only a first one (0) has what follows.
    Fragment { id: u32, offset: u16, more: bool },
    /// Authentication, with this many 32-bit words of check value after the fixed 12 bytes.
    Authentication { words: u8 },
    /// Destination options, filled with padding.
    Destination { extra: u8 },
    /// Mobility.
    Mobility { extra: u8 },
    /// Any other: its number, and its bytes after the next header field.
    Other { number: u8, rest: Vec<u8> },
}

impl Extension {
    /// The value that announces this header.
    pub fn number(&self) -> u8 {
        match self {
            Self::HopByHop { .. } => 0,
            Self::Routing { .. } => 43,
            Self::Fragment { .. } => 44,
            Self::Authentication { .. } => 51,
            Self::Destination { .. } => 60,
            Self::Mobility { .. } => 135,
            Self::Other { number, .. } => *number,
        }
    }

    /// Appends the header, with `next` in its next header field.
    pub(super) fn append(&self, next: u8, packet: &mut Vec<u8>) {
        packet.push(next);
        match self {
            Self::HopByHop { extra } | Self::Destination { extra } => options(*extra, packet),
            Self::Routing {
                segments_left,
                extra,
            } => {
                packet.extend([*extra, EXPERIMENTAL_ROUTING, *segments_left]);
                packet.extend(zeros(*extra, 4));
            }
            Self::Fragment { id, offset, more } => {
                packet.push(0);
                packet.extend((offset << 3 | u16::from(*more)).to_be_bytes());
                packet.extend(id.to_be_bytes());
            }
            Self::Authentication { words } => {
                // In words minus 2; the fixed part is three words.
                packet.push(words + 1);
                packet.extend(vec![0; 10 + 4 * usize::from(*words)]);
            }
            Self::Mobility { extra } => {
                packet.push(*extra);
                packet.extend(zeros(*extra, 6));
            }
            Self::Other { rest, .. } => packet.extend(rest),
        }
    }
}

/// RFC 4727.
const EXPERIMENTAL_ROUTING: u8 = 253;

fn zeros(extra: u8, first_unit: usize) -> Vec<u8> {
    vec![0; first_unit + 8 * usize::from(extra)]
}

/// The length byte and that much padding: Pad1 options are single zero bytes.
fn options(extra: u8, packet: &mut Vec<u8>) {
    packet.push(extra);
    packet.extend(zeros(extra, 6));
}
