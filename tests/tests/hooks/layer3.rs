//! Interfaces whose frames begin with the IP header.

use trickblock::kernel::{FilterError, HookChoice, Role};
use trickblock_tests::{
    packet::Packet,
    road::{BENIGN, BENIGN_6, C2, C2_6},
    tun::Tun,
};

use crate::gate::{Gate, way};

const HERE: &str = "198.18.0.1";
const HERE_6: &str = "2001:db8:8::1";
const PORT: u16 = 5353;

/// A tunnel that leads to all servers.
fn tun(gate: &Gate) -> Tun {
    let host = &gate.road.gateway;
    let tun = Tun::new(host, "tun0").unwrap();
    host.ip(&["link", "set", "tun0", "up"]).unwrap();
    host.address("tun0", "198.18.0.1/24").unwrap();
    host.address("tun0", "2001:db8:8::1/64").unwrap();
    host.sysctl("net/ipv4/conf/tun0/rp_filter", "0").unwrap();
    for (family, servers) in [("-4", "203.0.113.0/24"), ("-6", "2001:db8:c2::/64")] {
        host.ip(&[family, "route", "add", servers, "dev", "tun0"])
            .unwrap();
    }
    tun
}

pub fn both_ways() {
    for (hook, names) in [
        (HookChoice::Auto, ["tun0 tcx-ingress", "tun0 tcx-egress"]),
        (
            HookChoice::Clsact,
            ["tun0 clsact-ingress", "tun0 clsact-egress"],
        ),
    ] {
        let mut gate = Gate::new();
        let tun = tun(&gate);
        assert_eq!(in_and_out(&gate, &tun), [(10, 10); 4], "before");

        gate.attach("tun0", way(hook, Role::Uplink));

        assert_eq!(gate.attached(), names);
        let expected = [(0, 0), (10, 10), (0, 0), (10, 10)];
        assert_eq!(in_and_out(&gate, &tun), expected, "{hook:?}");
        let expected = [
            (("address", "destination", "out"), 20),
            (("address", "source", "reply"), 20),
        ];
        assert_eq!(gate.counted(), expected.into(), "{hook:?}");
    }
}

/// Of ten packets from each server, and of ten to it, how many arrive.
fn in_and_out(gate: &Gate, tun: &Tun) -> Vec<(usize, usize)> {
    let servers = [C2, BENIGN, C2_6, BENIGN_6];
    let both = |server: &&str| (arriving(gate, tun, server), leaving(gate, tun, server));
    servers.iter().map(both).collect()
}

fn here(server: &str) -> &'static str {
    if server.contains(':') { HERE_6 } else { HERE }
}

fn arriving(gate: &Gate, tun: &Tun, server: &str) -> usize {
    let receiver = gate.gateway(here(server), PORT).socket().unwrap();
    let (source, destination) = (server.parse().unwrap(), here(server).parse().unwrap());
    let packet = Packet::ip(source, destination).udp(443, PORT);
    let frame = packet.payload(b"counted").build();
    // Without its Ethernet header.
    (0..10).for_each(|_| tun.write(&frame[14..]).unwrap());
    receiver.set_nonblocking(true).unwrap();
    // Writing to a tun is as good as receiving.
    std::iter::from_fn(|| receiver.recv(&mut [0; 16]).ok()).count()
}

fn leaving(gate: &Gate, tun: &Tun, server: &str) -> usize {
    let sender = gate.gateway(here(server), PORT).socket().unwrap();
    for _ in 0..10 {
        // A packet that is dropped on its way out may be an error here.
        let _refused = sender.send_to(b"counted", (server, 443));
    }
    let sent = std::iter::from_fn(|| tun.read().unwrap());
    sent.filter(|packet| packet.ends_with(b"counted")).count()
}

/// Radiotap headers, for instance, are no Ethernet headers.
pub fn refused() {
    const ARPHRD_IEEE80211_RADIOTAP: u32 = 803;
    let mut gate = Gate::new();
    let tun = Tun::new(&gate.road.gateway, "odd0").unwrap();
    tun.link_type(ARPHRD_IEEE80211_RADIOTAP).unwrap();
    for hook in [HookChoice::Auto, HookChoice::Tcx, HookChoice::Clsact] {
        let filter = &mut gate.filter;
        let tried = gate.road.gateway.run(|| filter.attach("odd0", hook));
        let error = tried.unwrap().unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, FilterError::LinkType { .. }), "{message}");
        assert!(
            message.contains("odd0") && message.contains("choose"),
            "{message}"
        );
    }
    assert_eq!(gate.attached(), [""; 0]);

    // XDP is for Ethernet.
    let _tun = Tun::new(&gate.road.gateway, "tun0").unwrap();
    let filter = &mut gate.filter;
    let tried = gate
        .road
        .gateway
        .run(|| filter.attach("tun0", HookChoice::Xdp));
    let error = tried.unwrap().unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, FilterError::NoEthernet { .. }), "{message}");
    assert!(message.contains("hook = \"tcx\""), "{message}");
}
