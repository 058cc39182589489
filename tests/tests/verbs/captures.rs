//! Capture files, written byte by byte: the reader under test must not be its own oracle.

/// Link types of tcpdump.org/linktypes.html.
pub const ETHERNET: u32 = 1;
pub const RAW: u32 = 101;
pub const IPV4: u32 = 228;
pub const IPV6: u32 = 229;
pub const COOKED: u32 = 113;

/// A pcap file.
pub fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = words(&[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, link]);
    for (packet, second) in packets.iter().zip(1..) {
        let length = length(packet);
        file.extend(words(&[second, 0, length, length]));
        file.extend(packet);
    }
    file
}

/// A pcapng file with one interface for each link type; a packet names its interface.
pub fn pcapng(links: &[u32], packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    // Byte order, version 1.0, length unknown.
    let mut file = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    for link in links {
        file.extend(block(1, &words(&[*link, 65_535])));
    }
    for (interface, packet) in packets {
        let mut body = words(&[*interface, 0, 0, length(packet), length(packet)]);
        body.extend(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let total = length(body) + 12;
    [words(&[kind, total]), body.to_vec(), words(&[total])].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}
