//! Packets of the gateway itself, and packets that pass through it.

use std::fs;

use trickblock::kernel::{HookChoice, Role};
use trickblock_common::abi::event;
use trickblock_tests::{
    gateway::wait_for,
    road::{BENIGN, BENIGN_6, C2, C2_6, CLIENT, CLIENT_6, GATEWAY, LAN, WAN, WATCHED},
    sys,
};

use crate::gate::{Gate, way};

pub fn own() {
    for (hook, egress) in [
        (HookChoice::Auto, "tcx-egress"),
        (HookChoice::Clsact, "clsact-egress"),
    ] {
        let mut gate = Gate::new();
        let servers = [C2, C2_6, BENIGN, BENIGN_6];
        let sources = [GATEWAY, "2001:db8:2::1", GATEWAY, "2001:db8:2::1"];
        let send = |gate: &Gate| {
            let pairs = servers.into_iter().zip(sources);
            let one = |(server, source)| {
                gate.send(gate.gateway(source, 4000), gate.internet(server, 443), 20)
            };
            pairs.map(one).collect::<Vec<usize>>()
        };
        assert_eq!(send(&gate), [20; 4], "before");

        let attached = gate.attach(WAN, way(hook, Role::Uplink));

        assert_eq!(attached[1].hook.name(), egress);
        assert_eq!(send(&gate), [0, 0, 20, 20], "{egress}");
        let expected = [(("address", "destination", "out"), 40)];
        assert_eq!(gate.counted(), expected.into());
        gate.filter.report_everything(false).unwrap();
        gate.send(gate.gateway(GATEWAY, 4000), gate.internet(C2, 443), 1);
        let said = std::iter::from_fn(|| gate.filter.events.pop());
        let event = said.into_iter().find(|event| event.version != 0).unwrap();
        let index = gate.inside(|| sys::interface_index(WAN)).unwrap();
        assert_eq!((event.interface, event.flags), (index, event::EGRESS));

        // XDP alone sees none of that.
        if hook == HookChoice::Auto {
            fs::remove_file(gate.pins.version().join("links/wan0%tcx-egress")).unwrap();
            assert_eq!(gate.attached(), ["wan0 xdp"]);
            // The kernel lets go of a link some time after its last pin.
            let passes = || send(&gate) == [20; 4];
            wait_for("XDP alone", || Ok(passes().then_some(()))).unwrap();
        }
    }
}

/// Both interfaces see arrivals and departures: four programs, of which one counts.
pub fn once() {
    for hook in [HookChoice::Auto, HookChoice::Tcx, HookChoice::Clsact] {
        let gate = Gate::filtering(hook);
        for (server, arrives) in [(C2, 0), (WATCHED, 30), (BENIGN, 30)] {
            let (client, server) = (gate.client(CLIENT, 4000), gate.internet(server, 443));
            assert_eq!(gate.send(client, server, 30), arrives, "{hook:?}");
            assert_eq!(gate.send(server, client, 30), arrives, "{hook:?}");
        }
        let (client, server) = (gate.client(CLIENT_6, 4000), gate.internet(C2_6, 443));
        assert_eq!(gate.send(client, server, 30), 0);
        let expected = [
            (("address", "destination", "out"), 60),
            (("address", "source", "reply"), 30),
            (("monitor_address", "destination", "out"), 30),
            (("monitor_address", "source", "reply"), 30),
        ];
        assert_eq!(gate.counted(), expected.into(), "{hook:?}");
    }
}

/// Only the uplink is filtered: what comes through the other interface is judged when it leaves.
pub fn unfiltered() {
    let mut gate = Gate::new();
    gate.attach(WAN, way(HookChoice::Auto, Role::Uplink));
    for (server, arrives) in [(C2, 0), (WATCHED, 20), (BENIGN, 20)] {
        let (client, server) = (gate.client(CLIENT, 4000), gate.internet(server, 443));
        assert_eq!(gate.send(client, server, 20), arrives);
    }
    let expected = [
        (("address", "destination", "out"), 20),
        (("monitor_address", "destination", "out"), 20),
    ];
    assert_eq!(gate.counted(), expected.into());

    // What is judged on arrival from now on is not judged again, until that ends.
    gate.attach(LAN, way(HookChoice::Auto, Role::Inside));
    gate.send(gate.client(CLIENT, 4000), gate.internet(WATCHED, 443), 20);
    let watched = ("monitor_address", "destination", "out");
    assert_eq!(gate.counted()[&watched], 40);
    let hooks = gate.hooks();
    let left = gate.inside(|| hooks.detach_others(&[WAN.to_owned()]));
    assert_eq!(left.unwrap(), [LAN]);
    let arrived = gate.send(gate.client(CLIENT, 4000), gate.internet(C2, 443), 20);
    assert_eq!(arrived, 0);
    assert_eq!(gate.counted()[&("address", "destination", "out")], 40);
}
