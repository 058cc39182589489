//! What is new in a feed only monitors for a while.

use trickblock_tests::{
    cli::Daemon,
    gateway::{BENIGN, C2, Gateway, INTERFACE, body, list_of},
};

use super::{answer, verb, wait_for_feed, wait_for_version};

const OTHER: &str = "198.51.100.77:8080";

/// A daemon whose feed named one server before a trial of `span` was asked for, and names another one now.
pub fn on_trial(gateway: &Gateway, span: &str) -> Daemon {
    gateway.answer(body(list_of(&[&format!("{C2}:443"), OTHER])));
    let daemon = gateway.daemon().unwrap();
    let feed = gateway.feed();
    let config = format!("{INTERFACE}{feed}canary = \"{span}\"\ncanary_packets = 20\n");
    gateway.site.configure(&config).unwrap();
    verb(gateway, 0, &["reload"]);
    gateway.answer(body(list_of(&[
        &format!("{C2}:443"),
        &format!("{BENIGN}:443"),
    ])));
    verb(gateway, 0, &["reload"]);
    let feed = wait_for_feed(gateway, |feed| feed["trial"].is_object());
    assert_eq!((&feed["state"], &feed["held"]), (&"ok".into(), &().into()));
    assert_eq!(gateway.wire.passes(C2, 1), 0, "what it named before stays");
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3, "on trial, so it passes");
    daemon
}

pub fn passes() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = on_trial(&gateway, "6s");
    let diff = answer(&gateway, 0, &["feeds", "diff", "feodo"]);
    let counts = (&diff["added"], &diff["removed"]);
    assert_eq!(counts, (&1.into(), &1.into()), "{diff}");
    let text = gateway.verb("feeds", &[]).unwrap().stdout;
    assert!(text.contains("on trial until"), "{text}");

    let feed = wait_for_feed(&gateway, |feed| feed["trial"].is_null());
    assert!(feed["held"].is_null(), "{feed}");
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0, "in force");
    // It is fetched again, and is the last good copy then.
    wait_for_version(&gateway);
    daemon.signal(9).unwrap();
    drop(daemon);
    gateway.hang_up().unwrap();
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0);
}

pub fn busy() {
    let gateway = Gateway::new().unwrap();
    let _daemon = on_trial(&gateway, "5s");
    assert_eq!(gateway.wire.passes(BENIGN, 30), 30);
    // Its counter begins anew, and what it has counted is not forgotten.
    verb(&gateway, 0, &["allow", "add", BENIGN]);
    verb(&gateway, 0, &["allow", "del", BENIGN]);
    let feed = wait_for_feed(&gateway, |feed| feed["held"].is_object());
    let reason = feed["held"]["reason"].to_string();
    assert!(reason.contains("would have stopped 3"), "{reason}");
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
    assert_eq!(gateway.status().unwrap().0, Some(4));

    // The same body is not tried again; the operator has the last word.
    verb(&gateway, 4, &["reload"]);
    assert!(wait_for_feed(&gateway, |_| true)["held"].is_object());
    verb(&gateway, 0, &["feeds", "approve", "feodo"]);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0);
}
