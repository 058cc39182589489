//! Machines and users that lack something: what must work anyway, and what must say what is missing.
//!
//! The test binary runs itself again with fewer capabilities, or in a mount namespace where
//! something is hidden.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use trickblock::kernel::{Filter, HookChoice, ModeChoice, Program, check_privilege};
use trickblock_tests::{
    child,
    harness::{self, Need, Test},
    kernel::{BPFFS, PinDir, SMALL, entries},
    packet::Packet,
    wire::Wire,
};

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return play(&role);
    }
    harness::main(&[
        Test {
            name: "three_capabilities_are_enough",
            needs: LAB,
            run: three_capabilities_are_enough,
        },
        Test {
            name: "each_missing_capability_is_named",
            needs: BPF,
            run: each_missing_capability_is_named,
        },
        Test {
            name: "sys_admin_stands_in_for_bpf_and_perfmon",
            needs: BPF,
            run: sys_admin_stands_in_for_bpf_and_perfmon,
        },
        Test {
            name: "kernel_btf_is_not_needed",
            needs: BPF,
            run: kernel_btf_is_not_needed,
        },
        Test {
            name: "a_missing_bpf_file_system_is_named",
            needs: BPF,
            run: a_missing_bpf_file_system_is_named,
        },
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
const LAB: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs, Need::Netns, Need::Xdp];

/// What the child does: load and judge, and attach where its role names a pin directory.
fn play(role: &str) -> ExitCode {
    let loaded = match role.strip_prefix("attach ") {
        Some(pins) => attach(Path::new(pins)),
        None => judge(),
    };
    match loaded {
        Ok(()) => {
            println!("{}", child::DONE);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn judge() -> anyhow::Result<()> {
    let mut filter = Filter::load_private(Path::new(BPFFS), SMALL)?;
    filter.report_everything(false)?;
    filter
        .maps
        .swap(&entries(&["drop 203.0.113.7:443"])?, &[0], 1)?;
    let packet = Packet::v4("192.0.2.1", "203.0.113.7").tcp(1, 443).build();
    let judged = filter.judge(Program::Xdp, &packet)?;
    anyhow::ensure!(judged.reason.name() == "address_port", "{judged:?}");
    Ok(())
}

/// Everything that a daemon does: load, fill, protect, attach, adopt, switch off and on.
fn attach(path: &Path) -> anyhow::Result<()> {
    let pins = trickblock::kernel::Pins::new(path);
    for adopted in [false, true] {
        let mut filter = Filter::load(&pins, SMALL)?;
        filter
            .maps
            .swap(&entries(&["drop 203.0.113.7"])?, &[0], 1)?;
        filter
            .maps
            .set_never_block(&trickblock_tests::kernel::never(&["hard 192.0.2.1"])?)?;
        let attached = filter.attach("eth0", ModeChoice::Native)?;
        anyhow::ensure!(attached.len() == 2, "{attached:?}");
        let same = attached.iter().all(|on| on.adopted == adopted);
        anyhow::ensure!(same, "{attached:?}");
    }
    let hooks = trickblock::kernel::Hooks::new(pins.clone());
    anyhow::ensure!(hooks.off()? == ["eth0"], "off");
    anyhow::ensure!(hooks.on(ModeChoice::Native)?.len() == 2, "on");
    // And what it does on older kernels.
    Filter::load(&pins, SMALL)?.attach("eth0", HookChoice::Clsact)?;
    let clsact = hooks.attached()?;
    anyhow::ensure!(
        clsact.len() == 2 && clsact.iter().all(|on| on.mode.is_none()),
        "{clsact:?}"
    );
    anyhow::ensure!(hooks.off()? == ["eth0"], "off from clsact");
    anyhow::ensure!(hooks.on(ModeChoice::Native)?.len() == 2, "on at clsact");
    Ok(())
}

/// This binary in `role` with exactly these capabilities.
fn with_capabilities(mut command: Command, capabilities: &str, role: &str) -> (bool, String) {
    // The user stays root, but the bounding set is all that root gets at exec.
    command.args(["--bounding-set", capabilities, "--inh-caps", "-all"]);
    let mut command = child::with_role(command, role).unwrap();
    child::run(&mut command).unwrap()
}

fn three_capabilities_are_enough() {
    let (wire, pins) = (Wire::new("eth0"), PinDir::new());
    let command = wire.inside.command("setpriv").unwrap();
    let role = format!("attach {}", pins.path().display());
    let (done, said) = with_capabilities(command, "-all,+net_admin,+perfmon,+bpf", &role);
    assert!(done, "{said}");
    assert_eq!(wire.passes("203.0.113.7", 5), 0);
    assert_eq!(wire.passes("203.0.113.8", 5), 5);
}

fn each_missing_capability_is_named() {
    check_privilege().unwrap();
    let cases = [
        ("-all,+net_admin,+bpf", "missing privilege: CAP_PERFMON;"),
        ("-all,+net_admin,+perfmon", "missing privilege: CAP_BPF;"),
        ("-all,+perfmon,+bpf", "missing privilege: CAP_NET_ADMIN;"),
        ("-all,+sys_admin", "missing privilege: CAP_NET_ADMIN;"),
        (
            "-all",
            "missing privilege: CAP_BPF CAP_PERFMON CAP_NET_ADMIN;",
        ),
    ];
    for (capabilities, message) in cases {
        let (done, said) = with_capabilities(Command::new("setpriv"), capabilities, "judge");
        assert!(!done, "{capabilities} did");
        assert!(
            said.contains(message) && said.contains("AmbientCapabilities="),
            "{capabilities}: {said}"
        );
    }
}

fn sys_admin_stands_in_for_bpf_and_perfmon() {
    let (done, said) = with_capabilities(
        Command::new("setpriv"),
        "-all,+net_admin,+sys_admin",
        "judge",
    );
    assert!(done, "{said}");
}

/// Runs the child after `script` changed a mount namespace of its own.
fn in_mount_namespace(script: &str) -> (bool, String) {
    let mut command = Command::new("unshare");
    let script = format!("set -e; {script}; exec \"$0\"");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    let mut command = child::with_role(command, "judge").unwrap();
    child::run(&mut command).unwrap()
}

/// Kernels without CONFIG_DEBUG_INFO_BTF, and containers that hide it.
fn kernel_btf_is_not_needed() {
    let hide = "mount -t tmpfs none /sys/kernel/btf; test ! -e /sys/kernel/btf/vmlinux";
    let (done, said) = in_mount_namespace(hide);
    assert!(done, "{said}");
}

fn a_missing_bpf_file_system_is_named() {
    let (done, said) = in_mount_namespace("mount -t tmpfs none /sys/fs/bpf");
    assert!(!done, "{said}");
    for part in [
        "/sys/fs/bpf/",
        "is not on a BPF file system",
        "mount -t bpf bpf /sys/fs/bpf",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
