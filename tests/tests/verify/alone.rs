//! Without a daemon, without hooks, without rights.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use trickblock_tests::road::LAN;

use crate::place::Place;

const END: Duration = Duration::from_secs(10);

pub fn pins() {
    for hook in ["auto", "clsact"] {
        let place = Place::hooked(hook);
        place.daemon().terminate(END).unwrap();

        let report = place.verify(0, &[]);

        assert_eq!(
            (&report["result"], &report["daemon"]),
            (&json!("ok"), &json!(false))
        );
        let text = place.verb("verify", &[]).stdout;
        assert!(text.contains("no daemon was asked"), "{text}");
    }
}

fn problems(report: &Value) -> String {
    assert_eq!(report["result"], "degraded", "{report}");
    assert_eq!(report["differences"], json!([]));
    report["problems"].to_string()
}

pub fn degraded() {
    let place = Place::hooked("auto");
    let daemon = place.daemon();
    place.verb("off", &[]).succeeded().unwrap();
    let report = place.verify(4, &[]);
    assert!(problems(&report).contains("switched off"), "{report}");
    // The pinned programs are looked at all the same.
    assert_eq!(report["programs"][0]["interface"], Value::Null);
    assert!(
        report["programs"][0]["probes"].as_u64().unwrap() > 500,
        "{report}"
    );
    place.verb("on", &[]).succeeded().unwrap();
    place.verify(0, &[]);
    daemon.terminate(END).unwrap();

    fs::remove_file(place.pin("links/lan0%tcx-egress")).unwrap();
    let report = place.verify(4, &[]);
    let expected = format!("interface {LAN}: what leaves is not filtered");
    assert!(problems(&report).contains(&expected), "{report}");
    place.verb("off", &[]).succeeded().unwrap();
    let report = place.verify(4, &[]);
    assert!(problems(&report).contains("switched off"), "{report}");
}

pub fn refused() {
    let place = Place::hooked("auto");
    let nothing = place.verb("verify", &["--json"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), ""));
    assert!(
        nothing.stderr.contains("no filter is pinned"),
        "{nothing:?}"
    );
    let wrong = place.verb("verify", &["--seed", "x"]);
    assert_eq!(wrong.code, Some(2));

    let daemon = place.daemon();
    let pins = place.site.pins().to_owned();
    let mut command = place.road.gateway.command("setpriv").unwrap();
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    command.arg(trickblock_tests::cli::binary().unwrap());
    let done = command
        .args(["verify", "--pins"])
        .arg(pins)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("CAP_BPF"), "{said}");
    drop(daemon);
}
