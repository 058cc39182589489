//! What outlives what, at every hook.

use std::fs;

use trickblock::kernel::{HookChoice, ModeChoice, Role};
use trickblock_tests::{
    bpf,
    road::{BENIGN, C2, CLIENT, End, GATEWAY, LAN, Road, WAN},
};

use crate::gate::{Gate, way};

const HOOKS: [(HookChoice, [&str; 4]); 3] = [
    (
        HookChoice::Auto,
        ["lan0 xdp", "lan0 tcx-egress", "wan0 xdp", "wan0 tcx-egress"],
    ),
    (
        HookChoice::Tcx,
        [
            "lan0 tcx-ingress",
            "lan0 tcx-egress",
            "wan0 tcx-ingress",
            "wan0 tcx-egress",
        ],
    ),
    (
        HookChoice::Clsact,
        [
            "lan0 clsact-ingress",
            "lan0 clsact-egress",
            "wan0 clsact-ingress",
            "wan0 clsact-egress",
        ],
    ),
];

/// To C2, from C2, from the gateway itself to C2, and the same with a benign host.
fn arrivals(gate: &Gate) -> [usize; 6] {
    let mut arrived = [0; 6];
    for (slots, server) in arrived.chunks_exact_mut(3).zip([C2, BENIGN]) {
        let (client, own) = (gate.client(CLIENT, 4000), gate.gateway(GATEWAY, 4000));
        let server = gate.internet(server, 443);
        for (slot, (from, to)) in
            slots
                .iter_mut()
                .zip([(client, server), (server, client), (own, server)])
        {
            *slot = gate.send(from, to, 4);
        }
    }
    arrived
}

const FILTERED: [usize; 6] = [0, 0, 0, 4, 4, 4];

pub fn survives() {
    for (hook, expected) in HOOKS {
        let mut gate = Gate::filtering(hook);
        assert_eq!(gate.attached(), expected);
        let before = links(&gate);
        for _ in 0..2 {
            gate.restart();
            assert_eq!(arrivals(&gate), FILTERED, "{hook:?}: before it attaches");
            for (name, role) in [(LAN, Role::Inside), (WAN, Role::Uplink)] {
                let attached = gate.attach(name, way(hook, role));
                assert!(attached.iter().all(|on| on.adopted), "{attached:?}");
            }
            assert_eq!(arrivals(&gate), FILTERED, "{hook:?}");
            assert_eq!(gate.attached(), expected);
            assert_eq!(links(&gate), before, "{hook:?}: the links are the same");
        }
        let counted = gate.counted();
        assert_eq!(counted[&("address", "destination", "out")], 2 * 4 * 4);
        assert_eq!(counted[&("address", "source", "reply")], 4 * 4);
    }
}

/// Numbers of the pinned links.
fn links(gate: &Gate) -> Vec<(String, u32)> {
    let pinned = fs::read_dir(gate.pins.version().join("links")).unwrap();
    let mut links: Vec<(String, u32)> = pinned
        .map(|link| {
            let link = link.unwrap();
            let name = link.file_name().into_string().unwrap();
            (name, bpf::link_ids(&link.path()).unwrap().0)
        })
        .collect();
    links.sort();
    links
}

pub fn off_and_on() {
    for (hook, expected) in HOOKS {
        let gate = Gate::filtering(hook);
        assert_eq!(arrivals(&gate), FILTERED);
        let hooks = gate.hooks();

        let names = gate.inside(|| hooks.off()).unwrap();

        assert_eq!(names, [LAN, WAN]);
        assert_eq!(hooks.switched_off(), [LAN, WAN]);
        assert_eq!(gate.attached(), [""; 0]);
        assert_eq!(arrivals(&gate), [4; 6], "{hook:?}");
        assert_eq!(gate.inside(|| hooks.off()).unwrap(), [""; 0]);

        let attached = gate.inside(|| hooks.on(ModeChoice::Auto)).unwrap();

        assert_eq!(attached.len(), 4);
        assert_eq!(hooks.switched_off(), [""; 0]);
        assert_eq!(gate.attached(), expected);
        assert_eq!(arrivals(&gate), FILTERED, "{hook:?}");
        // The roles are known as before, and nothing is counted twice.
        let counted = gate.counted();
        assert_eq!(counted[&("address", "destination", "out")], 2 * 2 * 4);
        assert_eq!(counted[&("address", "source", "reply")], 2 * 4);
        assert_eq!(counted.len(), 2, "{counted:?}");
    }
}

/// Under a stream: the new hook is there before the old one goes.
pub fn change() {
    let mut gate = Gate::filtering(HookChoice::Auto);
    let road = &gate.road;
    let (stop, sent) = (
        std::sync::atomic::AtomicBool::new(false),
        std::sync::atomic::AtomicU64::new(0),
    );
    let receiver = End::new(&road.client, CLIENT, 4000).socket().unwrap();
    let sender = End::new(&road.internet, C2, 443).socket().unwrap();
    std::thread::scope(|scope| {
        use std::sync::atomic::Ordering::Relaxed;
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let _refused = sender.send_to(b"c", (CLIENT, 4000));
                sent.fetch_add(1, Relaxed);
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        });
        let filter = &mut gate.filter;
        for (hook, _) in HOOKS.iter().cycle().skip(1).take(9) {
            let wanted = way(*hook, Role::Uplink);
            let attached = road.gateway.run(|| filter.attach(WAN, wanted));
            attached.unwrap().unwrap();
        }
        stop.store(true, Relaxed);
    });
    receiver.set_nonblocking(true).unwrap();
    assert!(receiver.recv(&mut [0]).is_err(), "one leaked");
    assert!(sent.into_inner() > 100);
    drop((sender, receiver));
    let wan = gate.attached().into_iter().filter(|on| on.starts_with(WAN));
    assert_eq!(wan.collect::<Vec<_>>(), ["wan0 xdp", "wan0 tcx-egress"]);
    assert_eq!(arrivals(&gate), FILTERED);
}

/// An interface of the gateway.
pub fn rename(road: &Road, from: &str, to: &str) {
    let host = &road.gateway;
    host.ip(&["link", "set", from, "down"]).unwrap();
    host.ip(&["link", "set", from, "name", to]).unwrap();
    host.ip(&["link", "set", to, "up"]).unwrap();
}

pub fn renamed() {
    for (hook, expected) in HOOKS {
        let mut gate = Gate::filtering(hook);
        rename(&gate.road, WAN, "up0");
        let renamed = expected.map(|on| on.replace(WAN, "up0"));
        assert_eq!(gate.attached(), renamed, "{hook:?}");
        let attached = gate.attach("up0", way(hook, Role::Uplink));
        assert!(attached.iter().all(|on| on.adopted), "{attached:?}");
        assert_eq!(gate.attached(), renamed, "{hook:?}");
        let hooks = gate.hooks();
        let others = gate.inside(|| hooks.detach_others(&[LAN.to_owned()]));
        assert_eq!(others.unwrap(), ["up0"]);
        assert_eq!(gate.attached(), expected[..2], "{hook:?}");
    }
}

/// Links go along into another network namespace, where the filter cannot see the interface; qdiscs
/// do not.
pub fn moved() {
    for (hook, expected) in HOOKS {
        let gate = Gate::filtering(hook);
        let there = gate.road.internet.name();
        let set = ["link", "set", WAN, "netns", there];
        gate.road.gateway.ip(&set).unwrap();
        assert_eq!(gate.attached(), expected[..2], "{hook:?}");
        let hooks = gate.hooks();
        let elsewhere = gate.inside(|| hooks.elsewhere()).unwrap();
        let lost = hook == HookChoice::Clsact;
        assert_eq!(elsewhere, [WAN][usize::from(lost)..], "{hook:?}");
        // It is left there as well.
        gate.inside(|| hooks.off()).unwrap();
        assert_eq!(gate.inside(|| hooks.elsewhere()).unwrap(), [""; 0]);
    }
}
