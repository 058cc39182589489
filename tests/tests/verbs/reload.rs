//! What a reload takes over from the configuration.

use std::{fs, sync::Arc};

use serde_json::{Value, json};
use trickblock_tests::{
    gateway::{BENIGN, C2, Gateway, body, list_of},
    http::respond,
};

use crate::verb;

/// Listed by no feed at first.
const NEW_C2: &str = "198.51.100.9";

fn status(gateway: &Gateway) -> Value {
    gateway.status().unwrap().1
}

pub fn feeds_and_interfaces() {
    let gateway = Gateway::new().unwrap();
    gateway
        .inside()
        .connect("eth1", &gateway.wire.outside, "peer1")
        .unwrap();
    let both = format!("{}[[interface]]\nname = \"eth1\"\n", gateway.config());
    gateway.site.configure(&both).unwrap();
    let daemon = gateway.daemon().unwrap();
    assert_eq!(status(&gateway)["interfaces"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.wire.passes(NEW_C2, 3), 3);

    // One feed more, one interface less.
    fs::write(gateway.site.dir().join("own.txt"), format!("{NEW_C2}\n")).unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    gateway
        .site
        .configure(&format!("{}{own}", gateway.config()))
        .unwrap();
    let reload = verb(&gateway, 0, &["reload", "--json"]).json().unwrap();

    assert_eq!(
        reload,
        json!({"schema": 1, "failed": [], "put_off": [], "rejected": [], "problems": [], "indicators": 3})
    );
    assert_eq!(gateway.wire.passes(NEW_C2, 3), 0);
    gateway.filters().unwrap();
    let names = status(&gateway)["interfaces"].to_string();
    assert!(names.contains("eth0") && !names.contains("eth1"), "{names}");

    // What does not work out is said, and what needs a restart.
    let metrics = "[metrics]\nlisten = \"127.0.0.1:9\"\n[[interface]]\nname = \"eht1\"\n";
    let slip = format!("{}{own}{metrics}", gateway.config());
    gateway.site.configure(&slip).unwrap();
    let reload = verb(&gateway, 4, &["reload", "--json"]).json().unwrap();
    let problems = reload["problems"].to_string();
    assert!(
        problems.contains("eht1") && problems.contains("[metrics]"),
        "{reload}"
    );

    // A feed less: its addresses are free again, those of the other stay.
    gateway.site.configure(&gateway.config()).unwrap();
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(NEW_C2, 3), 3);
    gateway.filters().unwrap();
    // SIGHUP is a reload.
    gateway
        .site
        .configure(&format!("{}{own}", gateway.config()))
        .unwrap();
    let mut daemon = daemon;
    daemon.signal(1).unwrap();
    gateway
        .wait_for_status(|status| status["indicators"]["total"] == 3)
        .unwrap();
    assert_eq!(gateway.wire.passes(NEW_C2, 3), 0);
}

/// Whatever is changed about a feed, what it said stays in force until it says something else.
pub fn sources() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    let mut config = gateway.config();
    gateway.filters().unwrap();
    gateway.answer(Arc::new(|_, stream| {
        respond(stream, "500 Internal Server Error", &[], b"");
    }));
    for (before, after, inherited) in [
        ("timeout = \"4s\"", "timeout = \"3s\"", 0),
        ("name = \"feodo\"", "name = \"tracker\"", 0),
        ("/list.csv", "/other.csv", 2),
    ] {
        config = config.replace(before, after);
        assert!(config.contains(after), "{config}");
        gateway.site.configure(&config).unwrap();
        verb(&gateway, 4, &["reload"]);
        assert_eq!(gateway.wire.passes(C2, 3), 0, "{after}");
        let seen = status(&gateway);
        assert_eq!(
            seen["indicators"]["inherited"], inherited,
            "{after}: {seen}"
        );
        let list = verb(&gateway, 0, &["list"]).stdout;
        assert_eq!(
            list.contains("until every feed has answered"),
            inherited > 0,
            "{list}"
        );
        assert_eq!(
            list.contains("tracker:3"),
            after.contains("tracker"),
            "{list}"
        );
    }
    // Now its word counts, and no other.
    gateway.answer(body(list_of(&[BENIGN])));
    verb(&gateway, 0, &["reload"]);
    assert_eq!(
        (gateway.wire.passes(C2, 3), gateway.wire.passes(BENIGN, 3)),
        (3, 0)
    );
    assert_eq!(status(&gateway)["indicators"]["inherited"], 0);
}

pub fn floors() {
    let gateway = Gateway::new().unwrap();
    let floor = "interval = \"1h\"\nmin_interval = \"30m\"\n";
    let config = gateway.config().replace("interval = \"1h\"\n", floor);
    gateway.site.configure(&config).unwrap();
    let daemon = gateway.daemon().unwrap();
    let before = status(&gateway)["indicators"]["total"].clone();
    gateway.answer(body(format!("{NEW_C2}\n# END 1 entries\n")));

    let reload = verb(&gateway, 0, &["reload", "--json"]).json().unwrap();
    let shown = verb(&gateway, 0, &["reload"]).stdout;

    assert_eq!(reload["indicators"], before, "{reload}");
    assert_eq!(reload["failed"], json!([]), "{reload}");
    let put_off = reload["put_off"].as_array().unwrap();
    let said = put_off.iter().map(Value::to_string).collect::<String>();
    assert!(
        put_off.len() == 1 && said.contains("feodo: its server may be asked again at"),
        "{reload}"
    );
    assert!(shown.contains("not asked: feodo: "), "{shown}");
    gateway.filters().unwrap();
    drop(daemon);
}

pub fn modes_and_guards() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let config = gateway.config();
    gateway.filters().unwrap();

    gateway
        .site
        .configure(&config.replace("[filter]", "[filter]\naction = \"monitor\""))
        .unwrap();
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 4), 4);
    let seen = status(&gateway);
    assert_eq!(seen["action"], "monitor");
    let monitored = |count: &&Value| count["verdict"] == "monitor";
    let counters = seen["counters"].as_array().unwrap();
    assert_eq!(
        counters.iter().find(monitored).unwrap()["packets"],
        4,
        "{seen}"
    );
    gateway.site.configure(&config).unwrap();
    verb(&gateway, 0, &["reload"]);
    gateway.filters().unwrap();

    // The allow list wins at once over what is in force.
    gateway
        .site
        .configure(&format!("[guard]\nallow = [\"{C2}\"]\n{config}"))
        .unwrap();
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 3), 3);
    let why = verb(&gateway, 0, &["why", C2]).stdout;
    assert!(why.contains("refused") && why.contains("allow"), "{why}");
    inside_a_listed_prefix(&gateway);
    drop(daemon);
}

/// The prefix around an allowed address is enforced, with that hole, by the kernel.
fn inside_a_listed_prefix(gateway: &Gateway) {
    gateway.answer(body("203.0.113.0/24\n# END 1 entries\n"));
    verb(gateway, 0, &["reload"]);
    let passing = [C2, BENIGN, "203.0.113.200"].map(|source| gateway.wire.passes(source, 3));
    assert_eq!(passing, [3, 0, 0]);
    let why = verb(gateway, 0, &["why", C2, "--json"]).json().unwrap();
    assert_eq!(
        (&why["reason"], &why["protected_by"]["prefix"]),
        (&json!("never_block"), &json!("203.0.113.7/32"))
    );
}

pub fn monitor_per_feed() {
    let gateway = Gateway::new().unwrap();
    fs::write(
        gateway.site.dir().join("own.txt"),
        format!("{NEW_C2}\n{C2}:443\n"),
    )
    .unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\naction = \"monitor\"\n";
    gateway
        .site
        .configure(&format!("{}{own}", gateway.config()))
        .unwrap();
    let daemon = gateway.daemon().unwrap();
    // Of two feeds that name the same, the one that drops wins.
    gateway.filters().unwrap();
    assert_eq!(gateway.wire.passes(NEW_C2, 6), 6);
    let list = verb(&gateway, 0, &["list", "--json"]).json().unwrap();
    let of = |indicator: &str| {
        let listed = list["indicators"].as_array().unwrap();
        listed
            .iter()
            .find(|one| one["indicator"] == indicator)
            .unwrap()
            .clone()
    };
    let watched = of("198.51.100.9/32");
    assert_eq!(
        (&watched["action"], &watched["hits"]),
        (&json!("monitor"), &json!(6))
    );
    let shared = of("203.0.113.7/32:443");
    assert_eq!(
        (
            &shared["action"],
            shared["sources"].as_array().unwrap().len()
        ),
        (&json!("drop"), 2)
    );
    assert_eq!(status(&gateway)["indicators"]["monitor"], 1);
    drop(daemon);
}
