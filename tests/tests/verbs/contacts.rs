//! `trickblock contacts`; with containers it is in `tests/docker.rs`.

use serde_json::{Value, json};
use trickblock_tests::gateway::{BENIGN, C2, Gateway};

use crate::{END, verb};

pub fn exit_codes() {
    let gateway = Gateway::new().unwrap();
    let said = verb(&gateway, 1, &["contacts"]).stderr;
    assert!(said.contains("only it remembers contacts"), "{said}");
    let said = verb(&gateway, 2, &["contacts", "--since", "soon"]).stderr;
    assert!(said.contains("write 30s, 10m, 2h or 1d"), "{said}");
    let daemon = gateway.daemon().unwrap();

    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
    let none = verb(&gateway, 0, &["contacts"]).stdout;
    assert!(none.starts_with("no C2 contact since 2"), "{none}");

    assert_eq!(gateway.wire.passes(C2, 3), 0);
    let text = verb(&gateway, 5, &["contacts", "--since", "1h"]).stdout;
    assert!(text.contains("203.0.113.7:443/udp"), "{text}");
    let seen = verb(&gateway, 5, &["contacts", "--json"]).json().unwrap();
    assert_eq!(
        seen["contacts"].as_array().map(Vec::len),
        Some(1),
        "{seen:#}"
    );
    let contact = &seen["contacts"][0];
    for (key, expected) in [
        ("packets", json!(3)),
        ("container", Value::Null),
        ("verdict", json!("drop")),
        ("reason", json!("address_port")),
        ("interface", json!("eth0")),
        ("family", json!("Dridex")),
        ("feeds", json!(["feodo"])),
    ] {
        assert_eq!(contact[key], expected, "{key}: {seen:#}");
    }
    assert_eq!(seen["events"], json!({"read": 3, "limited": 0, "lost": 0}));

    // What it knew ends with it; the next one begins anew.
    daemon.terminate(END).unwrap();
    let _next = gateway.daemon().unwrap();
    verb(&gateway, 0, &["contacts"]);
}

/// No contact is known, and that is no all-clear.
pub fn unheard() {
    let gateway = Gateway::new().unwrap();
    let silent = "[filter]\nevents_per_second = 0\n";
    let config = gateway.config().replace("[filter]\n", silent);
    assert!(config.contains(silent));
    gateway.site.configure(&config).unwrap();
    let _daemon = gateway.daemon().unwrap();
    verb(&gateway, 0, &["contacts"]);

    assert_eq!(gateway.wire.passes(C2, 3), 0);

    let text = verb(&gateway, 4, &["contacts"]).stdout;
    assert!(
        text.contains("3 packets were held back by the rate limit"),
        "{text}"
    );
}
