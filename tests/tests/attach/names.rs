//! Interfaces that are deleted, renamed, or called as bpffs does not like it.

use std::fs;

use trickblock::kernel::{Filter, Hooks, ModeChoice};
use trickblock_tests::kernel::SMALL;

use crate::site::{BENIGN, C2, Site};

pub fn a_deleted_interface_leaves_no_trace() {
    let site = Site::new("eth0");
    let hooks = Hooks::new(site.pins.pins());
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    for _ in 0..5 {
        site.wire.inside.ip(&["link", "delete", "eth0"]).unwrap();
        assert_eq!(site.attached(&hooks), [""; 0]);
        site.wire.lay_again();
        assert_eq!(
            site.wire.passes(C2, 3),
            3,
            "a new interface is not filtered yet"
        );
        let attached = site.attach(&mut filter, ModeChoice::Native).unwrap();
        assert!(!attached.adopted);
        assert_eq!(site.wire.passes(C2, 3), 0);
    }
    site.wire.inside.ip(&["link", "delete", "eth0"]).unwrap();
    assert_eq!(site.inside(|| hooks.detach_others(&[])).unwrap(), ["eth0"]);
    assert_eq!(pinned(&site), [""; 0]);
}

/// VLAN interfaces are called so.
pub fn a_dotted_name_works_throughout() {
    let name = "eth0.100".to_owned();
    let site = Site::new(&name);
    let hooks = Hooks::new(site.pins.pins());
    let mut filter = site.load(SMALL);
    let attached = site.attach(&mut filter, ModeChoice::Native).unwrap();
    assert_eq!(attached.name, name);
    assert_eq!(site.attached(&hooks), [name.as_str()]);

    let keep = std::slice::from_ref(&name);
    assert_eq!(site.inside(|| hooks.detach_others(keep)).unwrap(), [""; 0]);
    assert_eq!(site.attached(&hooks), [name.as_str()]);
    assert_eq!(site.wire.passes(C2, 3), 0);

    assert_eq!(site.inside(|| hooks.off()).unwrap(), [name.as_str()]);
    assert_eq!(hooks.switched_off(), [name.as_str()]);
    assert_eq!(site.wire.passes(C2, 3), 3);
    assert_eq!(
        site.inside(|| hooks.on(ModeChoice::Native)).unwrap()[0].name,
        name
    );
    assert_eq!(site.attached(&hooks), [name.as_str()]);
    assert_eq!(site.wire.passes(C2, 3), 0);

    let mut second = Filter::load(&site.pins.pins(), SMALL).unwrap();
    assert!(
        site.attach(&mut second, ModeChoice::Native)
            .unwrap()
            .adopted
    );
    assert_eq!(
        site.inside(|| hooks.detach_others(&["eth0".to_owned()]))
            .unwrap(),
        [name.as_str()]
    );
    assert_eq!(site.wire.passes(C2, 3), 3);
}

pub fn a_renamed_interface_stays_filtered() {
    let site = Site::new("eth0");
    let hooks = Hooks::new(site.pins.pins());
    let mut filter = site.load(SMALL);
    site.attach(&mut filter, ModeChoice::Native).unwrap();
    rename(&site, "eth0", "lan0");
    assert_eq!(site.attached(&hooks), ["lan0"]);
    assert_eq!(site.wire.passes(C2, 3), 0);
    // Its name of today counts, not that of its pin.
    assert_eq!(
        site.inside(|| hooks.detach_others(&["lan0".to_owned()]))
            .unwrap(),
        [""; 0]
    );

    // Another interface takes the old name, and is attached first.
    site.wire
        .inside
        .connect("eth0", &site.wire.outside, "other0")
        .unwrap();
    assert!(
        !site
            .attach_to(&mut filter, "eth0", ModeChoice::Native)
            .unwrap()
            .adopted
    );
    assert_eq!(site.wire.passes(C2, 3), 0, "the renamed one lost its link");
    assert!(
        site.attach_to(&mut filter, "lan0", ModeChoice::Native)
            .unwrap()
            .adopted
    );
    let both = ["eth0", "eth0%tcx-egress", "lan0", "lan0%tcx-egress"];
    assert_eq!(pinned(&site), both);

    assert_eq!(site.inside(|| hooks.off()).unwrap(), ["eth0", "lan0"]);
    assert_eq!(
        site.inside(|| hooks.on(ModeChoice::Native)).unwrap().len(),
        4
    );
    assert_eq!(site.wire.passes(C2, 3), 0);
    assert_eq!(site.wire.passes(BENIGN, 3), 3);
}

pub fn swapped_names_lose_no_link() {
    let site = Site::new("eth0");
    site.wire
        .inside
        .connect("eth1", &site.wire.outside, "other0")
        .unwrap();
    let mut filter = site.load(SMALL);
    for name in ["eth0", "eth1"] {
        site.inside(|| filter.attach(name, ModeChoice::Native))
            .unwrap();
    }
    for (from, to) in [("eth0", "x"), ("eth1", "eth0"), ("x", "eth1")] {
        rename(&site, from, to);
    }
    let mut second = Filter::load(&site.pins.pins(), SMALL).unwrap();
    for name in ["eth0", "eth1"] {
        let attached = site
            .attach_to(&mut second, name, ModeChoice::Native)
            .unwrap();
        assert!(attached.adopted, "{attached:?}");
        assert_eq!(attached.name, name);
    }
    let both = ["eth0", "eth0%tcx-egress", "eth1", "eth1%tcx-egress"];
    assert_eq!(pinned(&site), both);
    drop((filter, second));
    assert_eq!(site.wire.passes(C2, 3), 0);
    let hooks = Hooks::new(site.pins.pins());
    assert_eq!(site.attached(&hooks), ["eth0", "eth1"]);
}

/// The interface stays up where the kernel allows it; addresses stay anyway.
fn rename(site: &Site, from: &str, to: &str) {
    let set = |arguments: &[&str]| site.wire.inside.ip(arguments).unwrap();
    set(&["link", "set", from, "down"]);
    set(&["link", "set", from, "name", to]);
    set(&["link", "set", to, "up"]);
    if let Err(error) = site.wire.inside.address(to, "2001:db8:1::10/64") {
        assert!(error.to_string().contains("File exists"), "{error}");
    }
}

fn pinned(site: &Site) -> Vec<String> {
    let links = fs::read_dir(site.pins.version().join("links")).unwrap();
    let mut names: Vec<String> = links
        .map(|link| link.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
