//! trickblock inside a container, on the container's own interface.

use std::process::Command;

use trickblock_tests::{
    cli::binary,
    docker::{self, BENIGN, C2, C2_PORT, NET_CAPS, World, talk},
    gateway::wait_for,
};

use crate::site::LIST;

/// A BPF file system that is gone with the container, as `packaging/docker/ci-job.sh` mounts it.
pub const BPF_FS: &str = "--mount=type=volume,dst=/sys/fs/bpf,volume-driver=local,\
volume-opt=type=bpf,volume-opt=device=bpf";

/// The world, the image, and a list that can be mounted.
fn world() -> (World, String) {
    let world = World::new().unwrap();
    docker::trickblock(&world.engine).unwrap();
    let list = world.engine.dir().join("c2.txt");
    std::fs::write(&list, LIST).unwrap();
    let mount = format!("--volume={}:/c2.txt:ro", list.display());
    (world, mount)
}

/// The list comes from a server that only the network's own resolver knows.
pub fn own_interface() {
    let (world, list) = world();
    let serve = ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"];
    let mount = list.replace(":/c2.txt", ":/www/c2.txt");
    world.container("lists", &[&mount], &serve).unwrap();
    let run = ["run", "--detach", "--network=lan", "--name=guarded", BPF_FS];
    let feed = "http://lists/c2.txt";
    let words = ["trickblock", "run", "-i", "eth0", "--feed", feed];
    world
        .engine
        .done(&[&run[..], &NET_CAPS, &words].concat())
        .unwrap();
    let verb = |words: &[&str]| {
        let exec = ["exec", "guarded", "/usr/bin/trickblock"];
        world.engine.docker(&[&exec, words].concat()).unwrap()
    };
    let waited = wait_for("the filter", || {
        Ok((verb(&["status"]).code == Some(0)).then_some(()))
    });
    let log = world.engine.docker(&["logs", "guarded"]).unwrap();
    assert!(waited.is_ok(), "{log:?}\n{:?}", verb(&["status"]));
    let status = verb(&["status", "--json"]).json().unwrap();
    assert_eq!(status["interfaces"][0]["mode"], "native", "{status:#}");

    // Another container in the same network namespace is what a job beside the filter would be.
    let reaches = |address: &str| {
        let run = [
            "run",
            "--rm",
            "--network=container:guarded",
            "busybox",
            "sh",
            "-c",
        ];
        let script = talk(address);
        let output = world
            .engine
            .docker(&[&run[..], &[&script]].concat())
            .unwrap();
        output.stdout.contains("hello")
    };
    assert!(reaches(BENIGN));
    assert!(!reaches(C2));
    let seen = verb(&["contacts"]);
    assert_eq!(seen.code, Some(5), "{seen:?}");
    assert!(
        seen.stdout.contains(&format!("{C2}:{C2_PORT}/tcp")),
        "{seen:?}"
    );
    assert_eq!(world.c2_server.accepted(), 0);
}

/// The very words of docs/docker.md.
pub fn missing() {
    let (world, list) = world();
    let cases: [(&[&str], &str); 3] = [
        (&[BPF_FS], "CAP_BPF CAP_PERFMON CAP_NET_ADMIN"),
        (&[BPF_FS, "--cap-add=NET_ADMIN"], "CAP_BPF CAP_PERFMON"),
        (&NET_CAPS, "not on a BPF file system"),
    ];
    let docs = std::fs::read_to_string(docker::packaging().join("../../docs/docker.md")).unwrap();
    let documented = |error: &str| {
        assert!(
            docs.contains(error),
            "docs/docker.md does not show: {error}"
        );
    };
    for (arguments, expected) in cases {
        let run = ["run", "--rm", "--network=lan", &list];
        let words = ["trickblock", "run", "-i", "eth0", "--feed", "/c2.txt"];
        let output = world
            .engine
            .docker(&[&run[..], arguments, &words].concat())
            .unwrap();
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(expected), "{output:?}");
        let error = output
            .stderr
            .lines()
            .find(|line| line.starts_with("trickblock: "))
            .unwrap();
        documented(error);
    } // What rootless engines start containers in.
    let mut rootless = Command::new("unshare");
    rootless.args(["--user", "--map-root-user", "--net"]);
    rootless.arg(binary().unwrap());
    let output = rootless
        .args(["run", "-i", "lo", "--feed", "/c2.txt"])
        .output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(said.contains("in a user namespace"), "{said}");
    documented(said.trim_end());
}
