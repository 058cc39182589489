//! The internet checksum (RFC 1071) and SCTP's CRC32c (RFC 9260, appendix A).

/// The ones' complement of the ones' complement sum of 16-bit words over `parts` laid end to
/// end; each part but the last has an even length.
pub(super) fn internet(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for word in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u64::from(word[0]) << 8 | word.get(1).map_or(0, |low| u64::from(*low));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

/// CRC-32 with the Castagnoli polynomial, reflected.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            crc >> 1 ^ 0x82f6_3b78
        } else {
            crc >> 1
        }
    };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(!0, byte)
}
