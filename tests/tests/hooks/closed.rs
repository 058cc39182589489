//! Interfaces on which what cannot be understood is dropped.

use std::collections::BTreeMap;

use trickblock::kernel::{HookChoice, Role, Way};
use trickblock_tests::{
    packet::Packet,
    road::{BENIGN, CLIENT, WAN},
    sys,
};

use crate::gate::{Gate, way};

/// Packets by reason, of the malformed ones.
fn malformed(gate: &Gate) -> BTreeMap<&'static str, u64> {
    let mut counted = BTreeMap::new();
    for tally in gate.filter.maps.counters().unwrap() {
        if tally.reason.name().contains("truncated_ip") {
            *counted.entry(tally.reason.name()).or_default() += tally.packets;
        }
    }
    counted
}

/// Five cut packets, and how many of them the gateway's kernel saw behind the filter.
fn cut(gate: &Gate) -> usize {
    let listening = gate.inside(sys::packet_socket).unwrap();
    let sender = gate.road.internet.run(|| {
        let index = sys::interface_index("i0")?;
        sys::frame_socket(index)
    });
    let sender = sender.unwrap().unwrap();
    let frame = Packet::v4(BENIGN, CLIENT).udp(443, 4000).cut_to(30).build();
    (0..5).for_each(|_| sys::send_frame(&sender, &frame).unwrap());
    let mut buffer = [0; 2_048];
    let read = || match sys::receive_incoming(&listening, &mut buffer) {
        // From the IP header on, with whatever padding a driver adds.
        Ok(seen) => Some(seen.is_some_and(|length| length <= 60 && buffer[0] == 0x45)),
        Err(_silence) => None,
    };
    std::iter::from_fn(read).filter(|cut| *cut).count()
}

pub fn drops() {
    let mut gate = Gate::new();
    let open = way(HookChoice::Auto, Role::Uplink);
    let closed = Way {
        fail_closed: true,
        ..open
    };
    gate.attach(WAN, open);
    assert_eq!(cut(&gate), 5);
    assert_eq!(malformed(&gate), [("truncated_ip", 5)].into());

    gate.attach(WAN, closed);

    assert_eq!(cut(&gate), 0);
    let expected = [("closed_truncated_ip", 5), ("truncated_ip", 5)];
    assert_eq!(malformed(&gate), expected.into());
    let benign = |gate: &Gate| gate.send(gate.internet(BENIGN, 443), gate.client(CLIENT, 4000), 5);
    assert_eq!(benign(&gate), 5, "what can be understood passes");

    // Monitor mode drops nothing.
    gate.filter.report_everything(true).unwrap();
    assert_eq!(cut(&gate), 5);
    let expected = [("closed_truncated_ip", 5), ("truncated_ip", 10)];
    assert_eq!(malformed(&gate), expected.into());
}
