//! trickblock on the host, protecting a network of containers.

use std::net::SocketAddr;

use serde_json::json;
use trickblock_tests::{
    docker::{BENIGN, BRIDGE, C2, Echo, HOST, World},
    gateway::wait_for,
};

use crate::site::{Filter, IDLE};

pub fn outbound() {
    let world = World::new().unwrap();
    world.container("job", &[], IDLE).unwrap();
    let veth = world.port_of("job").unwrap();
    assert!(world.reaches("job", C2).unwrap(), "there is no filter yet");
    let mut calls = world.c2_server.accepted();

    for (interface, hook) in [
        (BRIDGE, "tcx"),
        (BRIDGE, "xdp"),
        (&veth, "tcx"),
        (&veth, "xdp"),
    ] {
        let filter = Filter::start(&world, &[(interface, "inside", hook)]);
        let none = filter.contacts(0, &[]);
        assert!(none.stdout.contains("no C2 contact"), "{none:?}");

        assert!(!world.reaches("job", C2).unwrap(), "{interface} {hook}");
        assert!(world.reaches("job", BENIGN).unwrap(), "{interface} {hook}");

        let contact = filter.contact_of("job");
        assert_eq!(contact["client"], json!(world.address("job").unwrap()));
        assert_eq!(contact["port"], 447, "{contact:#}");
        assert_eq!(contact["protocol"], "tcp", "{contact:#}");
        assert_eq!(contact["direction"], "out", "{contact:#}");
        assert_eq!(contact["interface"], json!(interface), "{contact:#}");
        assert_eq!(contact["feeds"], json!(["own"]), "{contact:#}");
        let text = filter.contacts(5, &["--direction", "out"]).stdout;
        assert!(
            text.contains("job") && text.contains("203.0.113.7:447/tcp"),
            "{text}"
        );
        filter.contacts(0, &["--direction", "unsolicited,hosted"]);
        assert_eq!(world.c2_server.accepted(), calls, "{interface} {hook}");
        drop(filter);
        assert!(
            world.reaches("job", C2).unwrap(),
            "the filter went with its pins"
        );
        calls = world.c2_server.accepted();
    }
}

/// Port 8080 of the host leads to an echo in a container.
pub fn published_ports() {
    let world = World::new().unwrap();
    let echo = ["nc", "-ll", "-p", "80", "-e", "cat"];
    world
        .container("web", &["--publish", "8080:80"], &echo)
        .unwrap();
    let port: SocketAddr = format!("{HOST}:8080").parse().unwrap();
    let both = || [&world.c2, &world.benign].map(|from| Echo::answers(from, port).unwrap());
    wait_for("the server", || Ok((both() == [true, true]).then_some(()))).unwrap();

    let filter = Filter::start(&world, &[(BRIDGE, "inside", "tcx")]);
    assert_eq!(both(), [false, true], "on the way to the container");
    let contact = filter.contact_of("web");
    assert_eq!(contact["direction"], "unsolicited", "{contact:#}");
    drop(filter);

    let filter = Filter::start(
        &world,
        &[("up0", "uplink", "xdp"), (BRIDGE, "inside", "tcx")],
    );
    assert_eq!(both(), [false, true], "at the uplink");
    let seen = filter.contacts(5, &["--json"]).json().unwrap();
    let contacts = seen["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1, "judged once: {seen:#}");
    assert_eq!(
        contacts[0]["client"], HOST,
        "before its address is translated"
    );
    assert_eq!(contacts[0]["interface"], "up0", "{seen:#}");
    assert!(world.reaches("web", BENIGN).unwrap());
}

pub fn container_to_container() {
    let world = World::new().unwrap();
    let echo = ["nc", "-ll", "-p", "447", "-e", "cat"];
    world.container("server", &[], &echo).unwrap();
    world.container("client", &[], IDLE).unwrap();
    let server = world.address("server").unwrap();
    let ports = ["server", "client"].map(|name| world.port_of(name).unwrap());
    wait_for("the server", || {
        Ok(world.reaches("client", &server)?.then_some(()))
    })
    .unwrap();

    for hook in ["tcx", "xdp"] {
        let places = [
            (BRIDGE, "inside", hook),
            (&ports[0], "inside", hook),
            (&ports[1], "inside", hook),
        ];
        let filter = Filter::start(&world, &places);
        for _ in 0..3 {
            assert!(world.reaches("client", &server).unwrap(), "{hook}");
        }
        // The list holds their own network, which is refused, not obeyed.
        filter.contacts(0, &[]);
        let before = world.attempts("server").unwrap();
        assert!(!world.reaches("server", C2).unwrap(), "{hook}");
        // On a slow machine the client tries twice before it gives up.
        let sent = world.attempts("server").unwrap() - before;
        let contact = filter.contact_of("server");
        assert_eq!(contact["packets"], sent, "judged once: {contact:#}");
    }
}
