//! Which interfaces take the program, and in which mode.

use trickblock::kernel::{FilterError, Hooks, Mode, ModeChoice};
use trickblock_tests::{kernel::SMALL, sys};

use crate::site::{BENIGN, C2, C2_6, Site};

pub fn loopback_is_generic_and_says_so() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    let error = site
        .inside(|| filter.attach("lo", ModeChoice::Native))
        .unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, FilterError::NoNative { .. }), "{message}");
    assert!(
        message.contains("lo:") && message.contains("generic"),
        "{message}"
    );
    assert_eq!(
        site.attach_to(&mut filter, "lo", ModeChoice::Auto)
            .map(|attached| (attached.mode, attached.note.is_some()))
            .unwrap(),
        (Some(Mode::Generic), true)
    );
    let attached = site
        .inside(|| Hooks::new(site.pins.pins()).attached())
        .unwrap();
    assert_eq!(
        (attached[0].name.as_str(), attached[0].mode),
        ("lo", Some(Mode::Generic))
    );
}

pub fn generic_on_request_drops_too() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    let attached = site.attach(&mut filter, ModeChoice::Generic).unwrap();
    assert_eq!(
        (attached.mode, attached.note),
        (Some(Mode::Generic), None),
        "it was asked for"
    );
    assert_eq!(site.xdp_mode(), "xdpgeneric");
    for (source, passing) in [(C2, 0), (C2_6, 0), (BENIGN, 20)] {
        assert_eq!(site.wire.passes(source, 20), passing, "{source}");
    }
}

/// Without `xdp.frags` a veth refuses programs from an MTU of 3,520 on.
pub fn large_frames_do_not_refuse_native_mode() {
    let site = Site::new("eth0");
    for (host, name) in [(&site.wire.inside, "eth0"), (&site.wire.outside, "peer0")] {
        host.ip(&["link", "set", name, "mtu", "9000"]).unwrap();
    }
    let mut filter = site.load(SMALL);
    assert_eq!(
        site.attach(&mut filter, ModeChoice::Auto).unwrap().mode,
        Some(Mode::Native)
    );
    assert_eq!(site.wire.passes(C2, 5), 0);
    assert_eq!(site.wire.passes(BENIGN, 5), 5);
}

pub fn a_missing_interface_is_named() {
    let site = Site::new("eth0");
    let mut filter = site.load(SMALL);
    for name in ["nope0", "", "a-name-longer-than-fifteen", "eth0/../x"] {
        let error = site
            .inside(|| filter.attach(name, ModeChoice::Auto))
            .unwrap_err();
        assert!(
            matches!(error, FilterError::NoInterface { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("ip link"), "{error}");
    }
    // An interface of another namespace is none of this one.
    assert!(
        site.wire
            .outside
            .run(|| sys::interface_index("peer0"))
            .unwrap()
            .is_ok()
    );
    assert!(
        site.inside(|| filter.attach("peer0", ModeChoice::Auto))
            .is_err()
    );
}
