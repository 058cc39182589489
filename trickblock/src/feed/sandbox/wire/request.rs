//! A body and how it is to be read.

use std::io::{self, ErrorKind, Read, Write};

use super::REQUEST;
use crate::feed::{Options, limits::Caps};

/// No options are longer.
const MAX_OPTIONS: u32 = 64 << 10;

pub(in super::super) fn write(
    out: &mut impl Write,
    body: &[u8],
    options: &Options,
) -> io::Result<()> {
    let options = serde_json::to_vec(options)?;
    let length = u32::try_from(options.len()).map_err(io::Error::other)?;
    let size = u64::try_from(body.len()).map_err(io::Error::other)?;
    let mut head = REQUEST.to_vec();
    head.extend(length.to_le_bytes());
    head.extend(options);
    head.extend(size.to_le_bytes());
    out.write_all(&head)?;
    out.write_all(body)
}

pub(in super::super) fn read(input: &mut impl Read) -> io::Result<(Vec<u8>, Options)> {
    let wrong = || io::Error::from(ErrorKind::InvalidData);
    if bytes::<4>(input)? != REQUEST {
        return Err(wrong());
    }
    let length = u32::from_le_bytes(bytes(input)?);
    if length > MAX_OPTIONS {
        return Err(wrong());
    }
    let options = sized(input, usize::try_from(length).map_err(|_| wrong())?)?;
    let options = serde_json::from_slice(&options)?;
    let length = usize::try_from(u64::from_le_bytes(bytes(input)?)).map_err(|_| wrong())?;
    if length > Caps::default().decoded {
        return Err(wrong());
    }
    Ok((sized(input, length)?, options))
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn sized(input: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
