//! Frames that do not fit into one piece of memory.

use trickblock::kernel::{HookChoice, Mode, Role};
use trickblock_common::Verdict;
use trickblock_tests::{
    kernel::entries,
    packet::{Extension, Packet},
    road::{BENIGN, BENIGN_6, C2, C2_6, CLIENT, CLIENT_6, WAN},
    sys,
};

use crate::gate::{Gate, way};

fn gate(hook: HookChoice) -> Gate {
    let mut gate = Gate::new();
    let road = &gate.road;
    for (host, name) in [
        (&road.client, "c0"),
        (&road.gateway, "lan0"),
        (&road.gateway, WAN),
        (&road.internet, "i0"),
    ] {
        host.ip(&["link", "set", name, "mtu", "9000"]).unwrap();
    }
    let attached = gate.attach(WAN, way(hook, Role::Uplink));
    if hook == HookChoice::Auto {
        assert_eq!(attached[0].mode, Some(Mode::Native));
    }
    gate
}

const HOOKS: [HookChoice; 3] = [HookChoice::Auto, HookChoice::Tcx, HookChoice::Clsact];

pub fn whole() {
    const BYTES: usize = 7_000;
    for hook in HOOKS {
        let gate = gate(hook);
        for (server, client, arrives) in [
            (C2, CLIENT, 0),
            (BENIGN, CLIENT, 10),
            (C2_6, CLIENT_6, 0),
            (BENIGN_6, CLIENT_6, 10),
        ] {
            let (from, to) = (gate.internet(server, 443), gate.client(client, 4000));
            let arrived = gate.road.send_large(&from, &to, 10, BYTES).unwrap();
            assert_eq!(arrived, arrives, "{server} by {hook:?}");
        }
        let tallies = gate.filter.maps.counters().unwrap();
        let dropped = tallies
            .iter()
            .filter(|tally| tally.reason.verdict() == Verdict::Drop);
        let bytes: u64 = dropped.map(|tally| tally.bytes).sum();
        // Ethernet, IPv4 or IPv6, UDP: the whole frame is counted, not its first piece.
        let expected = 10 * (14 + 20 + 8 + BYTES) + 10 * (14 + 40 + 8 + BYTES);
        assert_eq!(bytes, expected as u64, "{hook:?}");
    }
}

/// Of a frame of this size the kernel keeps 14 bytes in one piece for TC: tags, labels and sessions lie beyond.
pub fn wrapped() {
    for hook in HOOKS {
        let gate = gate(hook);
        let large = |source: &str| {
            Packet::v4(source, CLIENT)
                .udp(443, 4000)
                .payload(&[7; 5_000])
        };
        let wrapped = |source: &str| {
            [
                large(source).mpls(16),
                large(source).pppoe(5),
                large(source).pppoe(5).mpls(16),
                large(source).vlan(7).vlan(8),
            ]
        };
        let socket = gate.road.internet.run(|| {
            let index = sys::interface_index("i0")?;
            sys::frame_socket(index)
        });
        let socket = socket.unwrap().unwrap();
        for packet in [wrapped(C2), wrapped(BENIGN)].concat() {
            (0..10).for_each(|_| sys::send_frame(&socket, &packet.build()).unwrap());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let expected = [(("address", "source", "reply"), 40)];
        assert_eq!(gate.counted(), expected.into(), "{hook:?}");
    }
}

/// The ports stand behind 6,000 bytes of extension headers; a veth keeps 3,520 in the first piece
/// for XDP, and the kernel 14 of a frame of this size for TC.
pub fn behind() {
    for hook in HOOKS {
        let gate = gate(hook);
        let rules = entries(&["drop [2001:db8:c2::7]:443/udp"]).unwrap();
        gate.filter.maps.swap(&rules, &[0], 8).unwrap();
        let padded = |source: &str, port| {
            let mut packet = Packet::v6(source, CLIENT_6);
            for _ in 0..3 {
                packet = packet.extension(Extension::Destination { extra: 249 });
            }
            packet.udp(port, 4000).payload(b"c").build()
        };
        let frames = [padded(C2_6, 443), padded(C2_6, 80), padded(BENIGN_6, 443)];
        let socket = gate.road.internet.run(|| {
            let index = sys::interface_index("i0")?;
            sys::frame_socket(index)
        });
        let socket = socket.unwrap().unwrap();
        for frame in &frames {
            assert!(frame.len() > 6_000);
            (0..10).for_each(|_| sys::send_frame(&socket, frame).unwrap());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let expected = [(("address_port", "source", "reply"), 10)];
        assert_eq!(gate.counted(), expected.into(), "{hook:?}");
    }
}
