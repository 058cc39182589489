//! The real reader, and the daemon that starts it.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use trickblock::feed::{
    Options,
    sandbox::{Program, Reader},
};
use trickblock_tests::{cli::binary, gateway::Gateway};

/// A reader that waits for its request, started with a file open that it must not keep.
fn waiting() -> Child {
    let script = "exec 9</etc/passwd; exec \"$0\" parse-child";
    Command::new("sh")
        .args(["-c", script])
        .arg(binary().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The fields of its status, once it is confined.
fn confined_status(child: &Child) -> String {
    let path = format!("/proc/{}/status", child.id());
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let status = fs::read_to_string(&path).unwrap();
        if status.contains("Seccomp:\t2") {
            return status;
        }
        assert!(Instant::now() < until, "never confined: {status}");
    }
}

pub fn a_reader_has_nothing_left() {
    let mut child = waiting();
    let status = confined_status(&child);
    let none = "0000000000000000";
    for (field, value) in [
        ("Uid", "65534\t65534\t65534\t65534"),
        ("Gid", "65534\t65534\t65534\t65534"),
        ("Groups", ""),
        ("CapInh", none),
        ("CapPrm", none),
        ("CapEff", none),
        ("CapBnd", none),
        ("CapAmb", none),
        ("NoNewPrivs", "1"),
        ("Threads", "1"),
    ] {
        let line = format!("\n{field}:\t{value}");
        let is_so = status.lines().any(|of| of.trim_end() == line.trim());
        assert!(is_so, "{field} is not {value}: {status}");
    }
    let proc = format!("/proc/{}", child.id());
    let files = fs::read_dir(format!("{proc}/fd")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["0", "1", "2"]);
    let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
    for limit in [
        "Max open files            0 ",
        "Max data size             536870912 ",
        "Max cpu time              60 ",
        "Max processes             0 ",
        "Max file size             0 ",
    ] {
        assert!(limits.contains(limit), "{limit}: {limits}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Killed, hung up, silent: an error each, and soon.
pub fn a_reader_that_breaks_is_named() {
    let read = |script: &str, body: &[u8]| {
        let binary = binary().unwrap().display().to_string();
        let program = Program::new("/bin/sh", ["-c", script, &binary]);
        let reader = Reader::confined(program.within(Duration::from_secs(2)));
        reader
            .parse(body, &Options::default())
            .unwrap_err()
            .to_string()
    };
    for (script, says) in [
        ("kill -KILL $$", "died by signal 9"),
        ("\"$0\" parse-child | head -c 6", "ended early"),
        ("sleep 60", "took more than 2 s"),
        ("yes", "does not begin as one"),
        (
            "exec \"$0\" check --feed /nowhere",
            "ended early, with exit code",
        ),
    ] {
        let said = read(script, b"192.0.2.1\n");
        assert!(said.contains(says), "{script}: {said}");
    }
    let large = vec![b'\n'; 8 << 20];
    assert!(read("kill -KILL $$", &large).contains("died by signal 9"));
}

/// It waits for a request, and noise is none.
pub fn who_types_it_by_hand_gets_nothing() {
    for noise in [
        &b"192.0.2.1\n"[..],
        b"",
        b"TBQ1\xff\xff\xff\xff",
        b"TBQ1\x02\0\0\0{}\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut child = waiting();
        child.stdin.take().unwrap().write_all(noise).unwrap();
        let mut said = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(4));
        assert_eq!(said, b"");
    }
}

pub fn daemon_says_how_it_is_confined() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let (_, status) = gateway.status().unwrap();
    assert_eq!(status["daemon"]["sandbox"], "full", "{status}");
    gateway.verb("reload", &[]).unwrap().succeeded().unwrap();
    assert_eq!(
        children(daemon.pid()),
        "",
        "readers are gone when they have answered"
    );
    assert!(
        !gateway.site.log().contains("feeds are read"),
        "{}",
        gateway.site.log()
    );
}

fn children(pid: u32) -> String {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    let children = tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    children.collect()
}

/// Root without CAP_SETUID stays root, without anything that makes it one.
pub fn three_capabilities_are_said() {
    let gateway = Gateway::new().unwrap();
    let keep = "-all,+net_admin,+bpf,+perfmon";
    let mut run = gateway
        .command_behind(&["setpriv", "--bounding-set", keep, "--inh-caps", "-all"])
        .unwrap();
    let run = run.args(["run", "-c"]).arg(gateway.site.config());
    let mut child = run.stderr(Stdio::null()).spawn().unwrap();
    let status = gateway.wait_for_status(|status| status["daemon"].is_object());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status.unwrap()["daemon"]["sandbox"], "no user of its own");
}
