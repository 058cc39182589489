//! Somebody else's program on the hook.

use std::os::fd::OwnedFd;

use trickblock::kernel::{FilterError, ModeChoice};
use trickblock_tests::{bpf, kernel::SMALL, sys};

use crate::site::{C2, Site};

type Attach = fn(&OwnedFd, u32) -> anyhow::Result<OwnedFd>;

pub fn a_foreign_program_is_left_alone() {
    let ways: [(Attach, &str); 2] = [
        (bpf::attach_native, "native"),
        (bpf::attach_generic, "generic"),
    ];
    for (attach, mode) in ways {
        for choice in [ModeChoice::Auto, ModeChoice::Native, ModeChoice::Generic] {
            refused(attach, mode, choice);
        }
    }
}

fn refused(attach: Attach, mode: &str, choice: ModeChoice) {
    let site = Site::new("eth0");
    let program = bpf::load_pass().unwrap();
    let link = site.inside(|| attach(&program, sys::interface_index("eth0").unwrap()).unwrap());
    let shown = site.xdp_mode();
    let mut filter = site.load(SMALL);

    let error = site.attach(&mut filter, choice).unwrap_err();

    let message = error.to_string();
    assert!(
        matches!(error, FilterError::Busy { .. }),
        "{mode} {choice:?}: {message}"
    );
    let holder = format!("id {}", bpf::program_id(&program).unwrap());
    for part in [
        "eth0",
        &holder,
        mode,
        "hook = \"tcx\"",
        "ip link set dev eth0 xdp off",
    ] {
        assert!(message.contains(part), "{choice:?}: no {part} in {message}");
    }
    assert_eq!(site.xdp_mode(), shown, "it is still there");
    assert_eq!(site.wire.passes(C2, 3), 3);
    let links = std::fs::read_dir(site.pins.version().join("links")).unwrap();
    assert_eq!(links.count(), 0, "nothing was pinned");
    // Once it is gone, the way is free.
    drop(link);
    site.wait_for_xdp_mode("");
    site.attach(&mut filter, choice).unwrap();
    assert_eq!(site.wire.passes(C2, 3), 0);
}
