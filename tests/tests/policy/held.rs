//! Updates that are too large a change to be believed.

use trickblock_tests::gateway::{BENIGN, C2, Gateway, body, list_of, wait_for};

use super::{answer, verb, wait_for_feed, wait_for_version};

/// The list, and as many others.
pub fn with_others(count: usize) -> String {
    let mut rows = vec![
        format!("{C2}:443"),
        "198.51.100.77:8080".to_owned(),
        format!("{BENIGN}:443"),
    ];
    rows.extend((0..count).map(|n| format!("198.18.{}.{}:443", n / 250, n % 250)));
    list_of(&rows)
}

fn held(gateway: &Gateway) -> serde_json::Value {
    verb(gateway, 4, &["reload"]);
    wait_for_feed(gateway, |feed| feed["held"].is_object())
}

pub fn flood() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.answer(body(with_others(6_000)));
    let feed = held(&gateway);

    assert_eq!(feed["state"], "stale");
    assert_eq!(feed["indicators"], 2, "the last good set stays");
    gateway.filters().unwrap();
    let (code, status) = gateway.status().unwrap();
    assert_eq!(code, Some(4));
    let problems = status["problems"].to_string();
    assert!(problems.contains("feeds approve feodo"), "{problems}");
    let diff = answer(&gateway, 0, &["feeds", "diff", "feodo", "--most", "3"]);
    assert_eq!(
        (
            &diff["before"],
            &diff["after"],
            &diff["added"],
            &diff["removed"]
        ),
        (&2.into(), &6_003.into(), &6_001.into(), &0.into())
    );
    assert_eq!(diff["added_indicators"].as_array().unwrap().len(), 3);
    let text = verb(&gateway, 0, &["feeds", "diff", "feodo"]).stdout;
    assert!(text.contains("and 5901 more"), "{text}");

    let done = answer(&gateway, 0, &["feeds", "approve", "feodo"]);
    assert_eq!(done["indicators"], 6_003);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0, "approved, so enforced");
    gateway.wait_for_active();
    verb(&gateway, 2, &["feeds", "approve", "feodo"]);

    // It is the last good copy now.
    drop(daemon);
    gateway.hang_up().unwrap();
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.status().unwrap().1["indicators"]["total"], 6_003);
}

pub fn shrink() {
    let gateway = Gateway::new().unwrap();
    gateway.answer(body(with_others(100)));
    let mut daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of(&["203.0.113.99:443"])));
    held(&gateway);
    assert_eq!(gateway.wire.passes(C2, 3), 0);

    let shown = verb(&gateway, 4, &["feeds"]).stdout;
    assert_eq!(shown.matches("feeds approve feodo").count(), 1, "{shown}");
    verb(&gateway, 0, &["feeds", "reject", "feodo"]);
    // Decided is decided: nothing is degraded, now and after the same body came again.
    assert!(stands(&gateway), "after the decision");
    verb(&gateway, 2, &["feeds", "approve", "feodo"]);
    let again = answer(&gateway, 0, &["reload"]);
    assert_eq!(again["rejected"], serde_json::json!(["feodo"]));
    assert!(stands(&gateway), "after the same body");
    let shown = verb(&gateway, 4, &["feeds"]).stdout;
    assert!(
        shown.contains("rejected by the operator") && !shown.contains("feeds approve"),
        "{shown}"
    );
    assert_eq!(gateway.wire.passes(C2, 3), 0);
    // A restart remembers it.
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    wait_for_feed(&gateway, |feed| feed["stands"] == true);
    gateway.wait_for_active();
    assert_eq!(gateway.wire.passes(C2, 3), 0);
    // Another body is another question.
    gateway.answer(body(with_others(50)));
    verb(&gateway, 0, &["reload"]);
    gateway.wait_for_active();
    assert!(!stands(&gateway), "after another body");
}

/// Whether what the source says is what the operator rejected; then nothing is wrong.
fn stands(gateway: &Gateway) -> bool {
    assert_eq!(gateway.status().unwrap().0, Some(0));
    // Its statements are old.
    let feeds = answer(gateway, 4, &["feeds"]);
    let feed = &feeds["feeds"][0];
    assert_eq!(feed["alarm_kinds"], serde_json::json!(["old"]));
    feed["stands"] == true
}

pub fn says_empty() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of::<&str>(&[])));
    verb(&gateway, 0, &["reload"]);
    let feed = wait_for_feed(&gateway, |feed| {
        feed["state"] == "ok" && feed["indicators"] == 0
    });
    assert!(
        feed["alarms"].to_string().contains("alive but empty"),
        "{feed}"
    );
}

pub fn rollback() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let text = verb(&gateway, 0, &["feeds", "history", "feodo"]).stdout;
    assert!(text.contains("no earlier version"), "{text}");
    verb(&gateway, 2, &["feeds", "rollback", "feodo"]);
    gateway.answer(body(list_of(&[C2, BENIGN])));
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0);
    wait_for_version(&gateway);
    let history = answer(&gateway, 0, &["feeds", "history", "feodo"]);
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1, "{history}");
    assert_eq!(versions[0]["format"], "feodo-csv");

    let id = versions[0]["id"].as_str().unwrap();
    let done = answer(&gateway, 0, &["feeds", "rollback", "feodo", id]);
    assert_eq!(done["body"], id, "{done}");
    gateway.filters().unwrap();
    assert!(gateway.site.log().contains("rollback {\"feed\":\"feodo\""));
    // What it went back from is an earlier version now, but not one to go back to unasked.
    let history = answer(&gateway, 0, &["feeds", "history", "feodo"]);
    assert_eq!(history["in_force"]["id"], id, "{history}");
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(
        (versions.len(), &versions[0]["rejected"]),
        (1, &true.into())
    );
    verb(&gateway, 2, &["feeds", "rollback", "feodo"]);
    // What was gone back from is not taken again, now and after a restart.
    assert!(stands(&gateway), "after the decision");
    gateway.filters().unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    wait_for_feed(&gateway, |feed| feed["stands"] == true);
    gateway.filters().unwrap();
    further_back(&gateway);
}

/// What the source says was rejected, however far back one goes from there.
fn further_back(gateway: &Gateway) {
    for host in ["203.0.113.50", "203.0.113.51"] {
        gateway.answer(body(list_of(&[C2, host])));
        verb(gateway, 0, &["reload"]);
        // A reload does not wait for what the sources say.
        let listed = || {
            Ok(answer(gateway, 0, &["list"])
                .to_string()
                .contains(host)
                .then_some(()))
        };
        wait_for(host, listed).unwrap();
    }
    let history = answer(gateway, 0, &["feeds", "history", "feodo"]);
    let versions = history["versions"].as_array().unwrap();
    let good = versions
        .iter()
        .filter(|version| version["rejected"] == false);
    let good: Vec<_> = good
        .map(|version| version["id"].as_str().unwrap())
        .collect();
    assert_eq!(good.len(), 2, "{history}");
    verb(gateway, 2, &["feeds", "rollback", "feodo", "zz"]);
    verb(gateway, 0, &["feeds", "rollback", "feodo", &good[0][..8]]);
    verb(gateway, 0, &["feeds", "rollback", "feodo"]);
    verb(gateway, 0, &["reload"]);
    assert!(stands(gateway), "after two steps");
    assert_eq!(gateway.wire.passes("203.0.113.51", 3), 3, "it was rejected");
}
