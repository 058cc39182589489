//! What the filter survives.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};
use trickblock_common::abi::ABI_VERSION;
use trickblock_tests::{
    bpf,
    gateway::{BENIGN, C2, Gateway, body, list_of, wait_for},
};

use crate::{END, verb};

pub fn off_and_on() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();

    assert!(
        verb(&gateway, 0, &["off"])
            .stdout
            .contains("nothing is filtered on eth0")
    );

    passes_while_off(&gateway);
    // Neither the watch over interfaces nor a reload turns it on behind the operator's back.
    verb(&gateway, 0, &["reload"]);
    thread::sleep(Duration::from_millis(700));
    passes_while_off(&gateway);
    assert!(verb(&gateway, 0, &["off"]).stdout.contains("nothing to do"));
    let on = verb(&gateway, 0, &["on", "--json"]).json().unwrap();
    assert_eq!(
        on,
        json!({"schema": 1, "interfaces": ["eth0"], "failed": []})
    );
    gateway.filters().unwrap();
    assert_eq!(gateway.status().unwrap().0, Some(0));
    drop(daemon);
}

fn passes_while_off(gateway: &Gateway) {
    assert_eq!(gateway.wire.passes(C2, 3), 3);
    let service = format!("{C2}:443");
    let why = verb(gateway, 0, &["why", &service, "--json"])
        .json()
        .unwrap();
    let said = ["verdict", "reason", "off"].map(|field| &why[field]);
    let expected = [&json!("pass"), &json!("address_port"), &json!(true)];
    assert_eq!(said, expected, "{why}");
    let (code, status) = gateway.status().unwrap();
    assert_eq!(
        (code, &status["state"]),
        (Some(4), &json!("off")),
        "{status}"
    );
    assert!(
        status["problems"].to_string().contains("trickblock on"),
        "{status}"
    );
}

pub fn off_and_on_alone() {
    let gateway = Gateway::new().unwrap();
    gateway.daemon().unwrap().terminate(END).unwrap();
    gateway.filters().unwrap();
    let off = verb(&gateway, 0, &["off", "--json"]).json().unwrap();
    assert_eq!(
        off,
        json!({"schema": 1, "interfaces": ["eth0"], "failed": []})
    );
    passes_while_off(&gateway);
    verb(&gateway, 0, &["on"]);
    gateway.filters().unwrap();
    fs::remove_dir_all(gateway.site.pins()).unwrap();
    let output = verb(&gateway, 1, &["on"]);
    assert!(output.stderr.contains("no filter is pinned"), "{output:?}");
}

/// The program was replaced while its daemon was down.
pub fn another_version() {
    let gateway = Gateway::new().unwrap();
    let (now, then) = (format!("v{ABI_VERSION}"), "v0");
    let older = || {
        gateway.daemon().unwrap().terminate(END).unwrap();
        let pins = gateway.site.pins();
        fs::rename(pins.join(&now), pins.join(then)).unwrap();
        gateway.filters().unwrap();
    };
    older();
    for asked in ["status", "on", "list"] {
        let output = verb(&gateway, 1, &[asked]);
        assert!(
            output.stderr.contains("another version of trickblock (v0)"),
            "{output:?}"
        );
    }
    let off = verb(&gateway, 0, &["off", "--json"]).json().unwrap();
    assert_eq!(off["interfaces"], json!(["eth0"]));
    assert_eq!(gateway.wire.passes(C2, 3), 3);
    let output = verb(&gateway, 1, &["off"]);
    assert!(output.stderr.contains("no filter is pinned"), "{output:?}");

    // Without anything to put in its place it stays.
    older();
    fs::remove_dir_all(gateway.site.state()).unwrap();
    gateway.answer(body("<html>no list</html>"));
    let output = gateway.run().unwrap();
    assert!(
        output.code == Some(1) && output.stderr.contains("nothing to put in its place"),
        "{output:?}"
    );
    gateway.filters().unwrap();

    gateway.answer(body(list_of(&[C2])));
    let daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    gateway.filters().unwrap();
    assert!(!gateway.site.pins().join(then).exists());
    drop(daemon);
}

/// Under a stream of packets: a killed daemon, and the one that takes over.
pub fn kill() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(C2, 4), 0);
    let link = link(&gateway);
    let (id, _) = bpf::link_ids(&link).unwrap();
    let before = verb(&gateway, 0, &["list", "--json"]).json().unwrap();
    assert_eq!(before["indicators"][1]["hits"], 4);

    gateway.wire.arrived();
    let stream = gateway.wire.stream(C2);
    daemon.kill().unwrap();
    verb(&gateway, 4, &["status"]);
    let daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    let sent = stream.stop();

    assert_eq!(gateway.wire.arrived(), 0, "of {sent}");
    assert!(sent > 100, "{sent}");
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
    assert_eq!(bpf::link_ids(&link).unwrap().0, id, "the link is the same");
    let after = verb(&gateway, 0, &["list", "--json"]).json().unwrap();
    let hits = after["indicators"][1]["hits"].as_u64().unwrap();
    assert_eq!(hits, 4 + sent, "no hit is lost");
    let (_, status) = gateway.status().unwrap();
    assert_eq!(counted(&status), hits, "and no counter");
    drop(daemon);
}

fn link(gateway: &Gateway) -> std::path::PathBuf {
    let pinned = gateway.site.pinned().unwrap();
    pinned
        .into_iter()
        .find(|path| path.ends_with("links/eth0"))
        .unwrap()
}

fn counted(status: &Value) -> u64 {
    let counters = status["counters"].as_array().unwrap().iter();
    let drops = counters.filter(|count| count["verdict"] == "drop");
    drops.map(|count| count["packets"].as_u64().unwrap()).sum()
}

/// After a reboot there are no pins, and the server is not up yet.
pub fn last_good_copy() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let copy = gateway.site.state().join("feeds/feodo/last-good");
    wait_for("the copy", || Ok(copy.exists().then_some(()))).unwrap();
    daemon.terminate(END).unwrap();
    fs::remove_dir_all(gateway.site.pins()).unwrap();
    // The kernel frees a link a moment after its last pin.
    let passes = || Ok((gateway.wire.passes(C2, 3) == 3).then_some(()));
    wait_for("the end of the filter", passes).unwrap();
    gateway.answer(body("<html><body>starting</body></html>"));
    gateway.hang_up().unwrap();

    let daemon = gateway.daemon().unwrap();

    gateway.filters().unwrap();
    let status = gateway
        .wait_for_status(|status| !status["feeds"][0]["last_error"].is_null())
        .unwrap();
    assert_eq!(status["feeds"][0]["state"], "stale");
    assert_eq!(gateway.status().unwrap().0, Some(4));
    assert!(
        status["feeds"][0]["last_error"]
            .to_string()
            .contains("cannot connect"),
        "{status}"
    );
    drop(daemon);
}
