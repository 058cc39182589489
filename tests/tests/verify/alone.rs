//! Without a daemon, without hooks, without rights.

use std::{fs, os::fd::OwnedFd, time::Duration};

use serde_json::{Value, json};
use trickblock_tests::{bpf, road::LAN, sys};

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

/// A program that comes before the filter and says that the packet is fine is a hole, until the filter is first again.
pub fn overtaken() {
    for (hook, egress) in [("tcx", false), ("tcx", true), ("clsact", false)] {
        let place = Place::hooked(hook);
        let daemon = place.daemon();
        place.verify(0, &[]);
        let program = bpf::load_tc(bpf::TC_OK).unwrap();
        let id = bpf::program_id(&program).unwrap();
        let attach = |first: fn(&OwnedFd, u32, bool) -> anyhow::Result<OwnedFd>| {
            let link = || first(&program, sys::interface_index(LAN).unwrap(), egress).unwrap();
            place.road.gateway.run(link).unwrap()
        };

        let link = attach(bpf::attach_tcx_first);

        let way = if egress { "egress" } else { "ingress" };
        let expected =
            format!("interface {LAN}: before {hook}-{way} another BPF program is asked (id {id})");
        for report in [place.verify(4, &[]), place.status()] {
            assert!(
                report["problems"].to_string().contains(&expected),
                "{report}"
            );
        }
        let lan = &place.status()["interfaces"][0];
        let ahead = json!([{"hook": format!("{hook}-{way}"), "programs": [id]}]);
        assert_eq!((&lan["name"], &lan["ahead"]), (&json!(LAN), &ahead));
        if hook == "tcx" {
            // As the message says.
            place.verb("off", &[]).succeeded().unwrap();
            place.verb("on", &[]).succeeded().unwrap();
            place.verify(0, &[]);
        }
        drop(link);
        daemon.terminate(END).unwrap();
        if hook == "tcx" {
            let behind = attach(bpf::attach_tcx);
            place.verify(0, &[]);
            drop(behind);
            let link = attach(bpf::attach_tcx_first);
            let report = place.verify(4, &[]);
            assert!(problems(&report).contains(&expected), "{report}");
            drop(link);
        }
    }
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
