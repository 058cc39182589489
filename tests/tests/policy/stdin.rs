//! A list that another program writes to the daemon.

use std::io::{Write as _, pipe};

use trickblock_tests::{
    cli::Daemon,
    gateway::{BENIGN, C2, Gateway, INTERFACE, wait_for},
};

use super::{verb, wait_for_feed};

const FEED: &str = "[[feed]]\nname = \"piped\"\npath = \"-\"\n";

fn wait_for_passes(gateway: &Gateway, address: &str, passes: usize) {
    let what = format!("{passes} of 1 packets to {address} pass");
    wait_for(&what, || {
        Ok((gateway.wire.passes(address, 1) == passes).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", gateway.site.log()));
}

pub fn feed() {
    let gateway = Gateway::new().unwrap();
    let config = format!("{INTERFACE}{FEED}");
    gateway.site.configure(&config).unwrap();
    let (input, mut writer) = pipe().unwrap();
    let mut daemon = Daemon::spawn_with(&gateway.site, Some(gateway.inside()), input).unwrap();

    // The second row has no end yet: half an address would be another one.
    write!(writer, "{C2}:443\n{BENIGN}").unwrap();
    wait_for_passes(&gateway, C2, 0);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 1, "half a row");
    writeln!(writer, ":443").unwrap();
    wait_for_passes(&gateway, BENIGN, 0);
    // What came is not read a second time, and not forgotten either: with a configuration read anew, and
    // after the end of the input.
    gateway
        .site
        .configure(&format!("{config}hold_down = \"1h\"\n"))
        .unwrap();
    verb(&gateway, 0, &["reload"]);
    drop(writer);
    verb(&gateway, 0, &["reload"]);
    let feed = wait_for_feed(&gateway, |feed| feed["state"] == "ok");
    assert_eq!(feed["indicators"], 2, "{feed}");
    assert_eq!(
        gateway.wire.passes(C2, 2) + gateway.wire.passes(BENIGN, 2),
        0
    );

    // A restart with nothing to read says so, and keeps the last good copy.
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    let feed = wait_for_feed(&gateway, |feed| feed["state"] == "stale");
    let error = feed["last_error"].to_string();
    assert!(error.contains("standard input: it ended"), "{feed}");
    assert_eq!(feed["indicators"], 2, "{feed}");
    assert_eq!(gateway.wire.passes(C2, 2), 0);
}
