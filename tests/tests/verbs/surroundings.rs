//! What a running daemon learns of the host that it is on.

use std::fs;

use serde_json::{Value, json};
use trickblock_tests::gateway::{Gateway, wait_for};

use crate::verb;

/// Listed, and then the host's gateway.
const NEAR: &str = "198.51.100.9";

fn why(gateway: &Gateway, target: &str) -> Value {
    verb(gateway, 0, &["why", target, "--json"]).json().unwrap()
}

pub fn surroundings() {
    let gateway = Gateway::new().unwrap();
    let rows = format!("{NEAR}\n192.0.2.10\n9.9.9.9\n203.0.113.0/25\n203.0.112.0/23\n");
    fs::write(gateway.site.dir().join("own.txt"), rows).unwrap();
    let feed = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    let config = format!("{}{feed}", gateway.config());
    gateway.site.configure(&config).unwrap();
    let daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(NEAR, 3), 0);

    let own = why(&gateway, "192.0.2.10");
    assert_eq!(
        own["protected_by"]["reason"],
        "192.0.2.10 is an address of this host"
    );
    assert_eq!(own["refused"][0]["guard"], "learned");
    assert_eq!(why(&gateway, "9.9.9.9")["refused"][0]["guard"], "shipped");
    assert_eq!(why(&gateway, "203.0.112.1")["refused"][0]["guard"], "width");
    let before = daemon.status().unwrap();
    assert_eq!(before["guards"]["shipped"], 42);
    assert_eq!(before["guards"]["exceptions"], json!([]));

    // The route is there, and at the next look its gateway is protected.
    let default = [
        "route", "add", "default", "via", NEAR, "dev", "eth0", "onlink",
    ];
    gateway.inside().ip(&default).unwrap();
    let learned = || {
        let told = why(&gateway, NEAR);
        Ok((told["refused"][0]["guard"] == "learned").then_some(told))
    };
    let told = wait_for("the daemon to look around", learned).unwrap();
    assert_eq!(
        told["protected_by"],
        json!({
            "prefix": format!("{NEAR}/32"), "protection": "hard",
            "reason": format!("{NEAR} is this host's default gateway"),
        })
    );
    assert_eq!(gateway.wire.passes(NEAR, 3), 3);
    let after = daemon.status().unwrap();
    let count = |status: &Value| status["guards"]["learned"].as_u64().unwrap();
    assert_eq!(count(&after), count(&before) + 1);

    // The operator knows better, and is obeyed at once.
    let except = format!("[guard]\nexcept = [\"{NEAR}\"]\n{config}");
    gateway.site.configure(&except).unwrap();
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(NEAR, 3), 0);
    let text = verb(&gateway, 0, &["status"]).stdout;
    assert!(
        text.contains(&format!("excepted from them: {NEAR}/32")),
        "{text}"
    );
    drop(daemon);
}
