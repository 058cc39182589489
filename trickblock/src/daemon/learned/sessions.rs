//! Where the people come from who are logged in.

use std::{
    mem::{offset_of, size_of},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::{Found, Places, files};

/// Of `/run/utmp`: some ten thousand records.
const MAX_BYTES: u64 = 4 << 20;
const RECORD: usize = size_of::<libc::utmpx>();
const TYPE: usize = offset_of!(libc::utmpx, ut_type);
const PID: usize = offset_of!(libc::utmpx, ut_pid);
const ADDRESS: usize = offset_of!(libc::utmpx, ut_addr_v6);

/// Peers of login sessions. A connection that has not logged in is in neither place.
pub(super) fn peers(places: &Places) -> Vec<Found> {
    let records = files::bytes(&places.path("run/utmp"), MAX_BYTES).unwrap_or_default();
    let of_utmp = records.chunks_exact(RECORD).filter_map(logged_in);
    let sessions = files::listing(&places.path("run/systemd/sessions"));
    let of_logind = sessions
        .iter()
        .filter_map(|path| session(&files::text(path)?));
    let all = of_utmp.chain(of_logind);
    all.map(|address| {
        (
            address,
            "where a login session of this host comes from".to_owned(),
        )
    })
    .collect()
}

/// The remote address of a record of utmp whose session still runs.
fn logged_in(record: &[u8]) -> Option<IpAddr> {
    let kind = i16::from_ne_bytes(field(record, TYPE)?);
    let pid = i32::from_ne_bytes(field(record, PID)?);
    // A session that was killed leaves its record behind.
    if kind != libc::USER_PROCESS || !Path::new("/proc").join(pid.to_string()).exists() {
        return None;
    }
    let address: [u8; 16] = field(record, ADDRESS)?;
    let (first, rest) = address.split_first_chunk::<4>()?;
    let address = match rest.iter().all(|byte| *byte == 0) {
        true => IpAddr::V4(Ipv4Addr::from(*first)),
        false => IpAddr::V6(Ipv6Addr::from(address)),
    };
    (!address.is_unspecified()).then_some(address)
}

fn field<const N: usize>(record: &[u8], at: usize) -> Option<[u8; N]> {
    record.get(at..)?.first_chunk().copied()
}

/// The remote address of a session of systemd-logind that has not ended.
fn session(text: &str) -> Option<IpAddr> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let remote = value("REMOTE") == Some("1") && value("STATE") != Some("closing");
    remote.then(|| files::address(value("REMOTE_HOST")?))?
}
