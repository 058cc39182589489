//! Somebody else's programs.

use trickblock::kernel::{Filter, FilterError, HookChoice, Role};
use trickblock_tests::{
    bpf,
    kernel::{PinDir, SMALL},
    road::{BENIGN, C2, CLIENT, WAN},
    sys,
};

use crate::gate::{Counted, Gate, way};

fn arrivals(gate: &Gate) -> [usize; 2] {
    [C2, BENIGN].map(|server| gate.send(gate.internet(server, 443), gate.client(CLIENT, 4000), 10))
}

fn calls(gate: &Gate) -> usize {
    gate.send(gate.client(CLIENT, 4000), gate.internet(C2, 443), 10)
}

pub fn xdp() {
    let mut gate = Gate::new();
    let program = bpf::load_pass().unwrap();
    let link = gate.inside(|| bpf::attach_native(&program, sys::interface_index(WAN).unwrap()));
    let link = link.unwrap();
    let filter = &mut gate.filter;
    let tried = gate
        .road
        .gateway
        .run(|| filter.attach(WAN, HookChoice::Auto));
    let error = tried.unwrap().unwrap_err();
    assert!(matches!(error, FilterError::Busy { .. }), "{error}");
    assert_eq!(gate.attached(), [""; 0], "nothing is half attached");
    assert_eq!(arrivals(&gate), [10, 10]);

    // As the message offers.
    gate.attach(WAN, way(HookChoice::Tcx, Role::Uplink));

    assert_eq!(gate.attached(), ["wan0 tcx-ingress", "wan0 tcx-egress"]);
    assert_eq!(arrivals(&gate), [0, 10]);
    let interface = gate.inside(|| trickblock::kernel::netlink::interface(WAN));
    let holder = interface.unwrap().unwrap().xdp.map(|(id, _)| id);
    assert_eq!(holder, Some(bpf::program_id(&program).unwrap()));
    drop(link);
}

/// One that ends the chain does not hide packets from the filter, and one that drops goes on dropping.
pub fn tcx() {
    for (answer, before, after) in [
        (bpf::TC_OK, [10, 10], [0, 10]),
        (bpf::TC_SHOT, [0; 2], [0; 2]),
    ] {
        let mut gate = Gate::new();
        // Link addresses are known before nothing passes any more.
        assert_eq!((arrivals(&gate), calls(&gate)), ([10, 10], 10));
        let program = bpf::load_tc(answer).unwrap();
        let attach = |egress| {
            let index = sys::interface_index(WAN).unwrap();
            bpf::attach_tcx(&program, index, egress).unwrap()
        };
        let links = gate.inside(|| [false, true].map(attach));
        assert_eq!(arrivals(&gate), before);

        gate.attach(WAN, way(HookChoice::Tcx, Role::Uplink));

        assert_eq!(arrivals(&gate), after);
        let mut expected = Counted::from([(("address", "source", "reply"), 10)]);
        assert_eq!(gate.counted(), expected, "the filter comes first");
        // What leaves.
        assert_eq!(calls(&gate), 0);
        expected.insert(("address", "destination", "out"), 10);
        assert_eq!(gate.counted(), expected, "{answer}");
        let hooks = gate.hooks();
        gate.inside(|| hooks.off()).unwrap();
        assert_eq!(arrivals(&gate), before, "theirs is still there");
        drop(links);
    }
}

/// Two filters may not take each other's place.
pub fn clsact() {
    let mut gate = Gate::new();
    gate.attach(WAN, way(HookChoice::Clsact, Role::Uplink));
    let pins = PinDir::new();
    let mut second = Filter::load(&pins.pins(), SMALL).unwrap();
    let tried = gate
        .road
        .gateway
        .run(|| second.attach(WAN, HookChoice::Clsact));
    let error = tried.unwrap().unwrap_err().to_string();
    assert!(
        error.contains("clsact-ingress") && error.contains("tc filter del"),
        "{error}"
    );
    assert_eq!(arrivals(&gate), [0, 10]);
    assert_eq!(
        gate.attached(),
        ["wan0 clsact-ingress", "wan0 clsact-egress"]
    );
}

/// The qdisc `ingress` has no egress side, and takes clsact's place.
pub fn ingress_qdisc() {
    let mut gate = Gate::new();
    let mut tc = gate.road.gateway.command("tc").unwrap();
    let done = tc.args(["qdisc", "add", "dev", WAN, "ingress"]).status();
    assert!(done.unwrap().success());
    let filter = &mut gate.filter;
    let tried = gate
        .road
        .gateway
        .run(|| filter.attach(WAN, HookChoice::Clsact));
    let error = tried.unwrap().unwrap_err().to_string();
    assert!(
        error.contains("qdisc ingress") && error.contains("tc qdisc del"),
        "{error}"
    );
    assert_eq!(gate.attached(), [""; 0]);
    // TCX does not need a qdisc.
    gate.attach(WAN, way(HookChoice::Tcx, Role::Uplink));
    assert_eq!(arrivals(&gate), [0, 10]);
}
