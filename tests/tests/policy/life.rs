//! How long indicators stay, and in whose name.

use std::fs;

use trickblock_tests::gateway::{BENIGN, C2, Gateway, INTERFACE, body, list_of, wait_for};

use super::{answer, verb, wait_for_feed};

/// The gateway's feed with more settings.
fn with(gateway: &Gateway, settings: &str) {
    let feed = gateway.feed().replace("hold_down = \"0s\"\n", "");
    let config = format!("{INTERFACE}{feed}{settings}\n");
    gateway.site.configure(&config).unwrap();
}

pub fn hold_down() {
    let gateway = Gateway::new().unwrap();
    with(&gateway, "hold_down = \"4s\"");
    let mut daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of(&[BENIGN, "198.51.100.77:8080"])));
    verb(&gateway, 0, &["reload"]);
    assert_eq!(
        gateway.wire.passes(C2, 3),
        0,
        "gone from its list, and held down"
    );
    let feed = wait_for_feed(&gateway, |feed| feed["departed"] == 1);
    assert_eq!(feed["indicators"], 3);
    let why = answer(&gateway, 0, &["why", &format!("{C2}:443")]);
    let found = &why["indicator"];
    assert_eq!(found["sources"][0]["departed"], true, "{why}");
    assert!(
        found["until"].is_string() && found["family"] == "Dridex",
        "{why}"
    );
    let named = |key: &str| found["sources"][0][key].as_str().map(str::to_owned);
    let (first, last) = (named("named_first"), named("named_last"));
    assert!(first.is_some() && first <= last, "{why}");
    let kept = (first, last);

    // A restart neither forgets it nor prolongs it.
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    let feed = wait_for_feed(&gateway, |_| true);
    println!("after the restart: {}", feed["departed"]);
    let why = answer(&gateway, 0, &["why", &format!("{C2}:443")]);
    let source = &why["indicator"]["sources"][0];
    if source["departed"] == true {
        let named = |key: &str| source[key].as_str().map(str::to_owned);
        assert_eq!((named("named_first"), named("named_last")), kept, "{why}");
    }
    wait_for("its end", || {
        Ok((gateway.wire.passes(C2, 1) == 1).then_some(()))
    })
    .unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0, "what is named stays");
    wait_for_feed(&gateway, |feed| feed["departed"] == 0);
}

pub fn authority() {
    let gateway = Gateway::new().unwrap();
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
    let settings = format!("authority = \"court\"\norder = \"1:20-cv-01171\"\nuntil = \"{until}\"");
    with(&gateway, &settings);
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(C2, 1), 0);
    let list = answer(&gateway, 0, &["list"]);
    let authority = list["indicators"][0]["sources"][0]["authority"].to_string();
    assert!(
        authority.contains("court order 1:20-cv-01171 until"),
        "{list}"
    );
    wait_for("its end", || {
        Ok((gateway.wire.passes(C2, 1) == 1).then_some(()))
    })
    .unwrap();
    let list = answer(&gateway, 0, &["list"]);
    assert_eq!(
        list["indicators"],
        serde_json::json!([]),
        "nothing outlives the order"
    );
    let feed = answer(&gateway, 4, &["feeds"])["feeds"][0].clone();
    assert_eq!(feed["alarm_kinds"], serde_json::json!(["ended"]), "{feed}");
}

pub fn quorum() {
    let gateway = Gateway::new().unwrap();
    with(&gateway, "min_feeds = 2");
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(C2, 3), 3, "one voice only monitors");
    let own = gateway.site.dir().join("own.txt");
    fs::write(&own, format!("{C2}:443\n")).unwrap();
    with(
        &gateway,
        "min_feeds = 2\n[[feed]]\nname = \"own\"\npath = \"own.txt\"\naction = \"monitor\"",
    );
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 3), 0, "two voices drop");
    let feed = wait_for_feed(&gateway, |feed| feed["state"] == "ok");
    assert_eq!(feed["overlap"][0]["indicators"], 1, "{feed}");
}
