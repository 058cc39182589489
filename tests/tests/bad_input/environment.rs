//! Machines that lack something: privilege, file systems, BTF.

use std::{fs, os::unix::fs::PermissionsExt as _};

use trickblock_tests::{cli, gateway::Gateway, sys};

use crate::{left_filtering, refused};

/// Each capability alone, and all of them for another user.
pub fn privileges() {
    let gateway = left_filtering();
    let config = gateway.site.config().display().to_string();
    let run = ["run", "-c", config.as_str()];
    for (missing, without) in [
        ("CAP_PERFMON", "-perfmon,-sys_admin"),
        ("CAP_BPF", "-bpf,-sys_admin"),
        ("CAP_NET_ADMIN", "-net_admin"),
    ] {
        let prefix = ["setpriv", "--bounding-set", without, "--inh-caps", without];
        let output = gateway.behind(&prefix, &run).unwrap();
        let says = [
            &format!("missing privilege: {missing};") as &str,
            "AmbientCapabilities",
        ];
        refused(&gateway, missing, &output, 1, &says);
    }
    let output = as_nobody(&gateway, &run);
    let says = ["CAP_BPF CAP_PERFMON CAP_NET_ADMIN", "run as root"];
    refused(&gateway, "another user", &output, 1, &says);
    let place = place(&gateway);
    for verb in ["off", "on"] {
        let output = as_nobody(
            &gateway,
            &[&[verb], &place.each_ref().map(String::as_str)[..]].concat(),
        );
        refused(
            &gateway,
            verb,
            &output,
            3,
            &["missing privilege", "run as root"],
        );
    }
    let output = as_nobody(
        &gateway,
        &[&["status"], &place.each_ref().map(String::as_str)[..]].concat(),
    );
    refused(
        &gateway,
        "status",
        &output,
        1,
        &["permission denied", "run this as root"],
    );
}

fn place(gateway: &Gateway) -> [String; 4] {
    let (socket, pins) = (gateway.site.socket(), gateway.site.pins());
    [
        "--socket".into(),
        socket.display().to_string(),
        "--pins".into(),
        pins.display().to_string(),
    ]
}

/// The build directory may be closed to others, so the binary is copied out of it.
fn as_nobody(gateway: &Gateway, arguments: &[&str]) -> cli::Output {
    let dir = gateway.site.dir();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("trickblock");
    if !copy.exists() {
        fs::copy(cli::binary().unwrap(), &copy).unwrap();
    }
    let copy = copy.display().to_string();
    let prefix = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "sh",
        "-c",
    ];
    let script = format!("exec {copy} \"$@\"");
    gateway
        .behind(&[&prefix[..], &[&script]].concat(), arguments)
        .unwrap()
}

/// Pins need a bpffs, the socket and the state a place to write.
pub fn file_systems() {
    let gateway = left_filtering();
    let config = gateway.site.config().display().to_string();
    let run = ["run", "-c", config.as_str()];
    let unmounted = [
        "unshare",
        "-m",
        "sh",
        "-c",
        "while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec \"$0\" \"$@\"",
    ];
    let output = gateway.behind(&unmounted, &run).unwrap();
    let says = [
        "not on a BPF file system",
        "mount -t bpf bpf /sys/fs/bpf",
        "`pins` in [paths]",
    ];
    refused(&gateway, "bpffs is not mounted", &output, 1, &says);

    let elsewhere = gateway.site.dir().join("pins").display().to_string();
    let output = gateway
        .behind(&["env"], &[&run[..], &["--pins", &elsewhere]].concat())
        .unwrap();
    refused(
        &gateway,
        "pins elsewhere",
        &output,
        1,
        &[&elsewhere, "not on a BPF file system"],
    );

    let file = gateway.site.dir().join("a-file");
    fs::write(&file, "text").unwrap();
    let taken = file.display().to_string();
    let output = gateway
        .behind(&["env"], &[&run[..], &["--socket", &taken]].concat())
        .unwrap();
    refused(
        &gateway,
        "the socket is a file",
        &output,
        1,
        &[&taken, "not a socket", "move it away"],
    );
}

/// Nothing in it needs BTF: no message at all, it filters.
pub fn no_kernel_btf() {
    let gateway = Gateway::new().unwrap();
    let hidden = [
        "unshare",
        "-m",
        "sh",
        "-c",
        "mount -t tmpfs none /sys/kernel/btf && test ! -e /sys/kernel/btf/vmlinux && exec \"$0\" \"$@\"",
    ];
    let mut command = gateway.command_behind(&hidden).unwrap();
    command.args(["run", "-c"]).arg(gateway.site.config());
    let log = fs::File::create(gateway.site.dir().join("daemon.log")).unwrap();
    command.stderr(log);
    sys::die_with_parent(&mut command);
    let mut daemon = command.spawn().unwrap();

    let status = gateway.wait_for_active();
    gateway.filters().unwrap();

    assert_eq!(status["daemon"]["pid"], daemon.id(), "the one without BTF");
    assert_eq!(status["interfaces"][0]["mode"], "native");
    daemon.kill().and_then(|()| daemon.wait()).unwrap();
    gateway.filters().unwrap();
}
