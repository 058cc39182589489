//! A list that becomes too long for the table, and one that changes a little.

use std::fmt::Write as _;

use serde_json::{Value, json};
use trickblock_tests::gateway::{C2, Gateway, body};

use crate::{END, verb};

/// More addresses than a table has room for at first.
const MANY: u32 = 100_000;

fn list(rows: u32) -> String {
    let mut text = format!("{C2}\n");
    for row in 0..rows {
        let [_, b, c, d] = row.to_be_bytes();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "45.{b}.{c}.{d}");
    }
    text
}

fn hits(gateway: &Gateway) -> u64 {
    let list: Value = verb(gateway, 0, &["list", "--json"]).json().unwrap();
    let rows = list["indicators"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["indicator"] == format!("{C2}/32"));
    row.unwrap()["hits"].as_u64().unwrap()
}

fn room(status: &Value) -> u64 {
    let room = &status["indicators"]["capacity"]["v4_addresses"];
    room.as_u64().unwrap()
}

/// So much at once is the operator's to decide.
fn outgrow(gateway: &Gateway) {
    gateway.answer(body(list(MANY)));
    verb(gateway, 4, &["reload"]);
    verb(gateway, 0, &["feeds", "approve", "feodo"]);
}

/// Everything goes on: what was listed is dropped throughout, and its hits are not forgotten.
pub fn outgrown() {
    let gateway = Gateway::new().unwrap();
    gateway.answer(body(list(3)));
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let (first, before) = (gateway.wait_for_active(), hits(&gateway));
    assert!(before > 0);
    let room = |status: &Value| {
        status["indicators"]["capacity"]["v4_addresses"]
            .as_u64()
            .unwrap()
    };
    assert!(room(&first) < u64::from(MANY));
    gateway.wire.arrived();
    let stream = gateway.wire.stream(C2);

    outgrow(&gateway);
    let grown = gateway.wait_for_active();
    let (sent, leaked) = (stream.stop(), gateway.wire.arrived());
    assert!(sent > 0 && leaked == 0, "{leaked} of {sent} leaked");
    assert_eq!(grown["indicators"]["total"], MANY + 1);
    assert!(room(&grown) > u64::from(MANY), "{grown}");
    assert_eq!(hits(&gateway), before + sent, "hits are taken along, once");
    assert_ne!(
        (&grown["image"], &grown["fingerprint"]),
        (&first["image"], &first["fingerprint"])
    );

    // One row more, and one less.
    gateway.answer(body(list(MANY + 1)));
    verb(&gateway, 0, &["reload"]);
    let added = gateway.wait_for_active();
    gateway.answer(body(list(MANY)));
    verb(&gateway, 0, &["reload"]);
    let removed = gateway.wait_for_active();
    for status in [&added, &removed] {
        assert_eq!(status["generation"], grown["generation"], "in place");
    }
    assert_ne!(added["revision"], grown["revision"]);
    assert_ne!(removed["revision"], added["revision"]);
    assert_eq!(removed["image"], grown["image"]);
    assert_eq!(
        removed["indicators"]["entries"],
        json!({"v4_addresses": MANY + 1, "v4_others": 0, "v6": 0})
    );
    gateway.filters().unwrap();
    verb(&gateway, 0, &["verify"]);
    daemon.terminate(END).unwrap();
}

/// The larger table gets to where the filter sits, whatever the interface is called by then.
pub fn renamed() {
    let gateway = Gateway::new().unwrap();
    gateway.answer(body(list(3)));
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    gateway
        .inside()
        .ip(&["link", "set", "eth0", "name", "eth9"])
        .unwrap();
    let late = "45.0.100.7";
    assert_eq!(gateway.wire.passes(late, 5), 5);

    outgrow(&gateway);
    let grown = gateway.wait_for_status(|status| status["indicators"]["total"] == MANY + 1);
    assert!(room(&grown.unwrap()) > u64::from(MANY));
    assert_eq!(gateway.wire.passes(late, 5), 0, "{}", gateway.site.log());
    gateway.filters().unwrap();
    daemon.terminate(END).unwrap();
}
