//! The laboratory itself: if namespaces, delivery or the notice of loss were wrong, every test
//! built on them would prove nothing.

use std::{
    io,
    net::UdpSocket,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use trickblock_tests::{
    case,
    harness::{self, Need},
    netns::{Lab, Netns},
};

fn main() -> ExitCode {
    harness::main(&[
        case!(namespaces_come_and_go, NETNS),
        case!(leftovers_are_removed, NETNS),
        case!(child_keeps_the_mounts, NETNS),
        case!(delivery_and_blackhole, NETNS),
    ])
}

const NETNS: &[Need] = &[Need::Root, Need::Netns];

fn namespaces_come_and_go() {
    let lab = Lab::new().unwrap();
    let path = {
        let host = lab.host("host").unwrap();
        assert!(host.path().exists());
        host.path()
    };
    assert!(!path.exists(), "{} survived", path.display());
}

/// A process id above the kernel's maximum (2^22) is nobody's.
fn leftovers_are_removed() {
    let name = "tb-99999999-0-dead";
    let added = Command::new("ip")
        .args(["netns", "add", name])
        .status()
        .unwrap();
    assert!(added.success());
    // Labs sweep once per process, and another test may have been first: use another process.
    let own = std::env::current_exe().unwrap();
    let swept = Command::new(own)
        .args(["--exact", "namespaces_come_and_go"])
        .output()
        .unwrap();
    assert!(swept.status.success());
    assert!(!PathBuf::from("/run/netns").join(name).exists());
}

fn child_keeps_the_mounts() {
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    let mounts = |mut command: Command| {
        let output = command.arg("/proc/self/ns/mnt").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        mounts(host.command("readlink").unwrap()),
        mounts(Command::new("readlink"))
    );

    let inside = host
        .command("readlink")
        .unwrap()
        .arg("/proc/self/ns/net")
        .output()
        .unwrap();
    let outside = Command::new("readlink")
        .arg("/proc/self/ns/net")
        .output()
        .unwrap();
    assert_ne!(inside.stdout, outside.stdout);
}

fn delivery_and_blackhole() {
    let lab = Lab::new().unwrap();
    let [left, gateway, right] = ["left", "gateway", "right"].map(|role| lab.host(role).unwrap());
    left.connect("eth0", &gateway, "lan0").unwrap();
    gateway.connect("wan0", &right, "eth0").unwrap();
    gateway.forward().unwrap();
    for (host, interface, address) in [
        (&left, "eth0", ["192.0.2.1/24", "2001:db8:1::1/64"]),
        (&gateway, "lan0", ["192.0.2.254/24", "2001:db8:1::fe/64"]),
        (&gateway, "wan0", ["203.0.113.254/24", "2001:db8:2::fe/64"]),
        (&right, "eth0", ["203.0.113.1/24", "2001:db8:2::1/64"]),
    ] {
        address
            .iter()
            .for_each(|address| host.address(interface, address).unwrap());
    }
    for via in ["192.0.2.254", "2001:db8:1::fe"] {
        left.route("default", via.parse().unwrap()).unwrap();
    }
    for via in ["203.0.113.254", "2001:db8:2::fe"] {
        right.route("default", via.parse().unwrap()).unwrap();
    }

    for (from, to) in [
        ("192.0.2.1", "203.0.113.1"),
        ("2001:db8:1::1", "2001:db8:2::1"),
    ] {
        assert_eq!(exchange(&left, from, &right, to), (20, 20), "{from} → {to}");
        gateway.ip(&["route", "add", "blackhole", to]).unwrap();
        assert_eq!(exchange(&left, from, &right, to), (20, 0), "{from} → {to}");
    }
}

/// Sends 20 datagrams and counts those that arrive.
fn exchange(left: &Netns, from: &str, right: &Netns, to: &str) -> (usize, usize) {
    let bind = |address: &str| UdpSocket::bind((address, 0)).unwrap();
    let (sender, receiver) = (
        left.run(|| bind(from)).unwrap(),
        right.run(|| bind(to)).unwrap(),
    );
    let target = receiver.local_addr().unwrap();
    let sent = (0..20_u8)
        .filter(|n| sender.send_to(&[*n], target).is_ok())
        .count();
    receiver
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut byte = [0];
    let arrived: Vec<_> = std::iter::from_fn(|| {
        receiver
            .recv(&mut byte)
            .map(|_| byte[0])
            .map_err(|error| unless_timeout(&error))
            .ok()
    })
    .collect();
    assert!(arrived.is_sorted(), "{arrived:?}");
    (sent, arrived.len())
}

/// Silence is an answer here, anything else is not.
fn unless_timeout(error: &io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
}
