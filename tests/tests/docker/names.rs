//! Containers by name, and engines by maker.

use std::{os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;
use trickblock_tests::{
    docker::{BRIDGE, C2, World, talk},
    gateway::wait_for,
};

use crate::site::{Filter, IDLE};

/// Ten containers that say one thing and are gone, one after the other: most with the same address.
pub fn short_lived() {
    let world = World::new().unwrap();
    let filter = Filter::start(&world, &[(BRIDGE, "inside", "tcx")]);
    let script = format!("echo hello | timeout 1 nc {C2} 447");
    for number in 0..10 {
        let name = format!("--name=job-{number}");
        let run = [
            "run",
            "--rm",
            "--network=lan",
            &name,
            "busybox",
            "sh",
            "-c",
            &script,
        ];
        world.engine.docker(&run).unwrap();
    }
    for number in 0..10 {
        filter.contact_of(&format!("job-{number}"));
    }
}

/// At first the filter is to ask nobody, then somebody who is not there yet.
pub fn late_engine() {
    let world = World::new().unwrap();
    let places = [(BRIDGE, "inside", "tcx")];
    let filter = Filter::with_engine(&world, Path::new(""), &places);
    world.container("job", &[], IDLE).unwrap();
    assert!(!world.reaches("job", C2).unwrap());
    let nameless = filter.contacts(5, &["--json"]).json().unwrap();
    assert_eq!(
        nameless["contacts"][0]["container"],
        Value::Null,
        "{nameless:#}"
    );
    assert_eq!(nameless["containers"], "off", "{nameless:#}");

    let socket = world.engine.dir().join("late.sock");
    filter.change_engine(&socket, &places);
    symlink(world.engine.socket(), &socket).unwrap();

    filter.wait_for_names();
    let name = || -> anyhow::Result<Option<()>> {
        let seen = filter.contacts(5, &["--json"]).json()?;
        Ok((seen["contacts"][0]["container"]["name"] == "job").then_some(()))
    };
    wait_for("the name", name).unwrap();
    let renamed = ["rename", "job", "task"];
    world.engine.done(&renamed).unwrap();
    let run = ["run", "--rm", "--network=lan", "--name=other", "busybox"];
    let script = talk(C2);
    world
        .engine
        .docker(&[&run[..], &["sh", "-c", &script]].concat())
        .unwrap();
    assert!(!world.reaches("task", C2).unwrap());
    filter.contact_of("other");
    let names = format!("{:#}", filter.contacts(5, &["--json"]).json().unwrap());
    assert!(names.contains("\"task\""), "{names}");
}

/// A process id above the kernel's maximum (2^22) is nobody's. Engines are swept once per process, and
/// another test may have been first: another process does it.
pub fn leftovers() {
    let left = std::env::temp_dir().join("tb-docker-99999999-0-dead");
    std::fs::create_dir_all(left.join("data")).unwrap();
    let own = std::env::current_exe().unwrap();
    let other = ["--exact", "container_to_container"];
    let swept = Command::new(own).args(other).output().unwrap();
    assert!(swept.status.success(), "{swept:?}");
    assert!(!left.exists());
}
