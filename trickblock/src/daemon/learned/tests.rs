//! Files as hosts have them, below a directory of the test's own.

use std::{fs, path::Path, process};

use super::*;

fn write(root: &Path, name: &str, contents: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

fn addresses_of(found: Vec<Found>) -> Vec<String> {
    found
        .into_iter()
        .map(|(address, _)| address.to_string())
        .collect()
}

#[test]
fn resolvers_are_read_from_both_files() {
    let dir = tempfile::tempdir().unwrap();
    let places = Places::below(dir.path());
    assert!(files::resolvers(&places).is_empty());
    write(
        dir.path(),
        "etc/resolv.conf",
        "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n",
    );
    write(
        dir.path(),
        "run/systemd/resolve/resolv.conf",
        b"nameserver\t2001:db8::53\n\0\xff",
    );
    let found = files::resolvers(&places);
    assert_eq!(found[0].1, "a resolver of this host (/etc/resolv.conf)");
    assert_eq!(
        addresses_of(found),
        ["192.0.2.53", "fe80::1", "2001:db8::53"]
    );
}

#[test]
fn time_servers_are_read_from_chrony_ntpd_and_timesyncd() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "etc/chrony/chrony.conf",
        "pool 2.pool.example iburst\nserver 192.0.2.1 iburst\nserver time.example.com\n!server 192.0.2.2\nallow 192.0.2.3\n",
    );
    write(
        dir.path(),
        "etc/chrony/sources.d/lan.sources",
        "peer 2001:db8::7\n",
    );
    write(
        dir.path(),
        "etc/ntp.conf",
        "server -4 192.0.2.4\nrestrict 192.0.2.5\n",
    );
    write(
        dir.path(),
        "etc/systemd/timesyncd.conf",
        "[Time]\n#NTP=192.0.2.6\nNTP=192.0.2.7 ntp.example.net\nFallbackNTP=192.0.2.8\n",
    );
    write(
        dir.path(),
        "run/systemd/netif/links/2",
        "NTP=192.0.2.10\nDNS=192.0.2.11\n",
    );
    let (found, names) = files::time_servers(&Places::below(dir.path()));
    assert_eq!(
        addresses_of(found),
        [
            "192.0.2.1",
            "192.0.2.4",
            "2001:db8::7",
            "192.0.2.7",
            "192.0.2.10"
        ]
    );
    assert_eq!(names, ["time.example.com", "ntp.example.net"]);
}

fn record(kind: i16, pid: u32, address: [u8; 16]) -> Vec<u8> {
    let mut record = vec![0; size_of::<libc::utmpx>()];
    let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
    put(
        std::mem::offset_of!(libc::utmpx, ut_type),
        &kind.to_ne_bytes(),
    );
    put(
        std::mem::offset_of!(libc::utmpx, ut_pid),
        &pid.to_ne_bytes(),
    );
    put(std::mem::offset_of!(libc::utmpx, ut_addr_v6), &address);
    record
}

#[test]
fn only_who_is_logged_in_is_protected() {
    let dir = tempfile::tempdir().unwrap();
    let v4 = |last: u8| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[192, 0, 2, last]);
        address
    };
    let v6 = "2001:db8::7"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    let (user, me) = (libc::USER_PROCESS, process::id());
    let utmp = [
        record(user, me, v4(1)),
        // A session at the console, one that is only a login prompt, and one whose process is gone.
        record(user, me, [0; 16]),
        record(libc::LOGIN_PROCESS, me, v4(2)),
        record(user, u32::MAX >> 1, v4(3)),
        record(user, me, v6),
        vec![1; 7],
    ];
    write(dir.path(), "run/utmp", utmp.concat());
    for (name, text) in [
        (
            "1",
            "UID=0\nREMOTE=1\nREMOTE_HOST=192.0.2.20\nSTATE=active\n",
        ),
        ("2", "REMOTE=0\nREMOTE_HOST=192.0.2.21\nSTATE=active\n"),
        ("3", "REMOTE=1\nREMOTE_HOST=192.0.2.22\nSTATE=closing\n"),
        ("4", "REMOTE=1\nREMOTE_HOST=host.example\nSTATE=online\n"),
        ("5", "REMOTE=1\nREMOTE_HOST=2001:db8::9\nSTATE=online\n"),
    ] {
        write(dir.path(), &format!("run/systemd/sessions/{name}"), text);
    }
    // logind keeps a pipe beside each session.
    fs::create_dir(dir.path().join("run/systemd/sessions/1.ref")).unwrap();
    let found = sessions::peers(&Places::below(dir.path()));
    assert_eq!(
        addresses_of(found),
        ["192.0.2.1", "2001:db8::7", "192.0.2.20", "2001:db8::9"]
    );
}

#[test]
fn hosts_that_are_addresses_ask_nobody() {
    let hosts = Hosts::default();
    let found = hosts.resolve(&["192.0.2.80".to_owned(), "2001:db8::80".to_owned()], &[]);
    assert_eq!(found[0].1, "a server of a feed (192.0.2.80)");
    assert_eq!(addresses_of(found), ["192.0.2.80", "2001:db8::80"]);
    // A name of this host; where it is not known nothing is learned, and nothing hangs.
    let found = addresses_of(hosts.resolve(&[], &["localhost".to_owned()]));
    assert!(
        found
            .iter()
            .all(|address| ["127.0.0.1", "::1"].contains(&address.as_str())),
        "{found:?}"
    );
    assert!(hosts.resolve(&[], &[]).is_empty());
}

#[test]
fn what_is_learned_is_bounded_sorted_and_told_once() {
    let found = |text: &str, what: &str| (text.parse().unwrap(), what.to_owned());
    let mut all = vec![
        found("203.0.113.1", "this host's default gateway"),
        found("203.0.113.1", "a resolver"),
        found("::ffff:192.0.2.1", "a resolver"),
        found("0.0.0.0", "a resolver"),
        found("ff02::1", "a resolver"),
    ];
    let learned = bounded(all.clone());
    let whys: Vec<&str> = learned.iter().map(|learned| learned.why.as_str()).collect();
    assert_eq!(
        whys,
        [
            "192.0.2.1 is a resolver",
            "203.0.113.1 is this host's default gateway"
        ]
    );
    all.extend((0..2 * MAX_LEARNED).map(|n| {
        let address = IpAddr::from(std::net::Ipv6Addr::from((0x2001_0db8 << 96) + n as u128));
        (address, "an address of this host".to_owned())
    }));
    let learned = bounded(all);
    assert_eq!(learned.len(), MAX_LEARNED);
    assert!(
        learned
            .iter()
            .any(|learned| learned.why.ends_with("default gateway"))
    );
}
