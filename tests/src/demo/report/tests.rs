use super::*;

fn count(sent: usize, delivered: usize) -> Count {
    Count { sent, delivered }
}

fn phase(name: &'static str) -> Phase {
    let (blocked, passing) = match name {
        names::UNFILTERED | names::OFF => (count(0, 0), count(200, 200)),
        names::LIVE => (count(200, 0), count(0, 0)),
        _ => (count(150, 0), count(50, 50)),
    };
    Phase {
        name,
        blocked,
        passing,
        benign: count(300, 300),
    }
}

/// A run in which all went well.
fn passed() -> Report {
    Report {
        phases: names::ALL.map(phase).to_vec(),
        ..Report::default()
    }
}

#[test]
fn good_run_passes_and_adds_up() {
    let report = passed();
    assert_eq!(report.failures(), Vec::<String>::new());
    let json = report.json();
    assert_eq!(json["result"], "passed");
    assert_eq!(json["c2_packets_sent"], 200);
    assert_eq!(json["c2_packets_delivered_unfiltered"], 200);
    assert_eq!(json["c2_packets_sent_while_listed"], 200 + 3 * 150);
    assert_eq!(json["benign_packets_sent"], 1800);
    for fact in [
        "removed_passes_again",
        "filter_stays_after_stop",
        "passes_after_off",
    ] {
        assert_eq!(json[fact], true, "{fact}");
    }
}

/// Each way to go wrong, with the word that must be in the only complaint.
#[test]
fn each_fault_fails_the_run() {
    type Spoil = fn(&mut Report);
    let faults: [(Spoil, &str); 8] = [
        (
            |run| run.phases[0].passing.delivered -= 1,
            "not listed did not arrive",
        ),
        (
            |run| run.phases[1].blocked.delivered += 1,
            "listed C2s arrived",
        ),
        (|run| run.phases[2].benign.delivered -= 1, "benign packets"),
        (|run| run.phases[3].passing.delivered = 0, "`C2 removed`"),
        (
            |run| run.phases[4].blocked.delivered = 1,
            "`daemon stopped`",
        ),
        (
            |run| run.phases.truncate(5),
            "`trickblock off` did not take place",
        ),
        (
            |run| run.phases[1].blocked.sent = 0,
            "200 C2 packets were sent unfiltered, 0 filtered",
        ),
        (
            |run| run.error = Some("no such thing".to_owned()),
            "no such thing",
        ),
    ];
    for (spoil, word) in faults {
        let mut report = passed();
        spoil(&mut report);
        let failures = report.failures();
        assert!(
            failures.len() == 1 && failures[0].contains(word),
            "{word}: {failures:?}"
        );
        assert_eq!(report.json()["result"], "failed");
    }
}

#[test]
fn every_promised_key_is_there_even_if_nothing_happened() {
    let json = Report::default().json();
    for key in [
        "c2_packets_sent",
        "c2_packets_delivered_unfiltered",
        "c2_packets_leaked",
        "benign_packets_sent",
        "benign_packets_lost",
        "time_to_block_ms",
        "poll_interval_ms",
        "xdp_mode",
        "indicators",
        "kernel",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["result"], "failed");
    assert_eq!(json["removed_passes_again"], false);
}
