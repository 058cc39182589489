//! The recipe of docs/docker.md, as it stands in `packaging/docker/ci-job.sh`.

use trickblock_tests::{
    cli::Output,
    docker::{self, BENIGN, C2, World, packaging, talk},
};

/// Runs `script` as a job.
fn job(world: &World, script: &str) -> Output {
    docker::trickblock(&world.engine).unwrap();
    let list = world.engine.dir().join("c2.txt");
    std::fs::write(&list, format!("{C2}:447\n")).unwrap();
    let mut command = world.engine.command("sh");
    command.arg(packaging().join("ci-job.sh")).arg(list);
    command.args(["busybox", "sh", "-c", script]);
    command.env("TRICKBLOCK_SUBNET", "10.78.0.0/24");
    let output = docker::output(&mut command).unwrap();
    nothing_is_left(world);
    output
}

fn nothing_is_left(world: &World) {
    let containers = world.engine.done(&["ps", "--all", "--quiet"]).unwrap();
    assert_eq!(containers, "");
    let volumes = world.engine.done(&["volume", "ls", "--quiet"]).unwrap();
    assert_eq!(volumes, "");
    let names = ["network", "ls", "--quiet", "--filter", "type=custom"];
    assert_eq!(world.engine.done(&names).unwrap().lines().count(), 1);
}

pub fn infected() {
    let world = World::new().unwrap();
    // A job that hides its failure.
    let script = format!("{}; {}; exit 0", talk(BENIGN), talk(C2));
    let output = job(&world, &script);
    assert_eq!(output.code, Some(5), "{output:?}");
    let line = output
        .stdout
        .lines()
        .find(|line| line.contains("203.0.113.7:447/tcp"));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    assert!(
        line.starts_with("10.78.0.") && line.contains("-job "),
        "{line}"
    );
    assert!(output.stdout.contains("hello"), "{output:?}");
    assert_eq!(
        (world.c2_server.accepted(), world.benign_server.accepted()),
        (0, 1)
    );
}

pub fn clean() {
    let world = World::new().unwrap();
    let output = job(&world, &talk(BENIGN));
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("hello"), "{output:?}");
    assert!(output.stdout.contains("no C2 contact since"), "{output:?}");

    let failing = job(&world, "exit 7");
    assert_eq!(failing.code, Some(7), "the job's own: {failing:?}");
}
