//! What a block stopped: a call, an answer, a knock, or something on the inside.

use trickblock::kernel::{HookChoice, Role};
use trickblock_tests::{
    packet::{Packet, Transport},
    road::{C2, CLIENT, LAN, OTHER_CLIENT, Road, WAN},
    sys,
};

use crate::gate::{Counted, Gate, way};

/// SYN, and SYN with ACK.
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

pub fn apart() {
    for hook in [HookChoice::Auto, HookChoice::Tcx, HookChoice::Clsact] {
        let gate = Gate::filtering(hook);
        let road = &gate.road;
        let from_c2 = |packet: Packet, count| send(road, &packet, count);
        // Calls, one of them by the gateway itself.
        gate.send(gate.client(CLIENT, 4000), gate.internet(C2, 443), 11);
        gate.send(
            gate.gateway("198.51.100.1", 4000),
            gate.internet(C2, 443),
            5,
        );
        // Answers: from a lower port, with ACK, or an echo reply.
        let packet = || Packet::v4(C2, CLIENT);
        from_c2(packet().udp(443, 4000), 7);
        from_c2(packet().transport(tcp(443, 4000, SYN_ACK)), 6);
        from_c2(packet().transport(icmp(0)), 4);
        // Knocks.
        from_c2(packet().udp(4000, 443), 3);
        from_c2(packet().transport(tcp(4000, 22, SYN)), 2);
        from_c2(packet().transport(icmp(8)), 1);
        // No telling.
        from_c2(packet().raw(50).payload(&[0; 16]), 9);
        // Somebody listed on the inside: reached from outside, and calling.
        from_c2(Packet::v4("203.0.113.8", OTHER_CLIENT).udp(4000, 443), 12);
        gate.send(
            gate.client(OTHER_CLIENT, 4000),
            gate.internet("203.0.113.8", 443),
            13,
        );

        let expected: Counted = [
            (("address", "destination", "out"), 11 + 5),
            (("address", "source", "reply"), 7 + 6 + 4),
            (("address", "source", "unsolicited"), 3 + 2 + 1),
            (("address", "source", "unknown"), 9),
            (("address", "destination", "hosted"), 12),
            (("address", "source", "hosted"), 13),
        ]
        .into();
        assert_eq!(gate.counted(), expected, "{hook:?}");
    }
}

pub fn without_roles() {
    let mut gate = Gate::new();
    for name in [LAN, WAN] {
        gate.attach(name, way(HookChoice::Auto, Role::Unknown));
    }
    gate.send(gate.client(CLIENT, 4000), gate.internet(C2, 443), 8);
    send(&gate.road, &Packet::v4(C2, CLIENT).udp(443, 4000), 9);
    let expected = [
        (("address", "destination", "unknown"), 8),
        (("address", "source", "unknown"), 9),
    ];
    assert_eq!(gate.counted(), expected.into());
}

fn tcp(source: u16, destination: u16, flags: u8) -> Transport {
    Transport::Tcp {
        source,
        destination,
        flags,
    }
}

fn icmp(kind: u8) -> Transport {
    Transport::Icmp { kind, code: 0 }
}

/// Lets frames arrive at the gateway's uplink.
fn send(road: &Road, packet: &Packet, count: usize) {
    let socket = road.internet.run(|| {
        let index = sys::interface_index("i0")?;
        sys::frame_socket(index)
    });
    let socket = socket.unwrap().unwrap();
    let frame = packet.build();
    (0..count).for_each(|_| sys::send_frame(&socket, &frame).unwrap());
    // The softirq of the last one.
    std::thread::sleep(std::time::Duration::from_millis(30));
}
