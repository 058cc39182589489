//! `block` and `allow`.

use std::time::Instant;

use trickblock::kernel::{Maps, Pins};
use trickblock_tests::gateway::{BENIGN, C2, Gateway, wait_for};

use super::{answer, verb};

pub fn block() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
    let started = Instant::now();
    let words = [
        "block",
        "add",
        BENIGN,
        "--for",
        "6h",
        "--reason",
        "seen in a log",
    ];
    let done = answer(&gateway, 0, &words);
    println!(
        "blocked after {:?}, the start of the command included",
        started.elapsed()
    );
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0);
    assert!(done["until"].is_string(), "{done}");
    let listed = answer(&gateway, 0, &["block", "list"]);
    let entry = &listed["blocks"][0];
    assert_eq!(
        (&entry["what"], &entry["by"], &entry["reason"]),
        (
            &format!("{BENIGN}/32").into(),
            &"uid 0".into(),
            &"seen in a log".into()
        )
    );
    let why = answer(&gateway, 0, &["why", BENIGN]);
    let source = &why["indicator"]["sources"][0];
    assert_eq!(
        (&source["feed"], &source["authority"]),
        (&"operator".into(), &"local".into())
    );
    // The operator's list is one more before those of the feeds.
    let why = answer(&gateway, 0, &["why", &format!("{C2}:443")]);
    assert_eq!(why["indicator"]["sources"][0]["feed"], "feodo", "{why}");

    // A kill right after it, and a start that hears nothing of its feed.
    daemon.signal(9).unwrap();
    drop(daemon);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0);
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0);
    gateway.wait_for_active();
    assert_eq!(
        gateway.wire.passes(BENIGN, 3),
        0,
        "a feed that speaks does not end it"
    );
    verb(&gateway, 0, &["block", "del", BENIGN]);
    gateway.filters().unwrap();
    verb(&gateway, 2, &["block", "del", BENIGN]);
    // What a feed names is told to stay.
    verb(&gateway, 0, &["block", "add", &format!("{C2}:443")]);
    let still = answer(&gateway, 0, &["block", "del", &format!("{C2}:443")]);
    assert_eq!(still["still"], serde_json::json!(["feodo"]));
    gateway.filters().unwrap();
}

/// All packets would be looked up if its marks stayed in a bitmap that was made for less.
pub fn wide_block() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    let table = || {
        let maps = Maps::open(&Pins::new(gateway.site.pins())).unwrap();
        (maps.geometry().bitmap, maps.used().unwrap().covered)
    };
    let (bitmap, covered) = table();
    answer(&gateway, 0, &["block", "add", "16.0.0.0/6", "--wide"]);
    let marked = covered + (1 << 18);
    assert!(table().0 > bitmap && table().1 == marked, "{:?}", table());
    assert_eq!(gateway.wire.passes(C2, 3), 0);
    answer(&gateway, 0, &["block", "del", "16.0.0.0/6"]);
    assert_eq!(table().1, covered);
    assert_eq!(gateway.wire.passes(C2, 3), 0);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
}

pub fn block_ends() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    verb(&gateway, 0, &["block", "add", BENIGN, "--for", "2s"]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0);
    wait_for("its end", || {
        Ok((gateway.wire.passes(BENIGN, 1) == 1).then_some(()))
    })
    .unwrap();
    let listed = answer(&gateway, 0, &["block", "list"]);
    assert_eq!(listed["blocks"], serde_json::json!([]));
    verb(
        &gateway,
        2,
        &["block", "add", BENIGN, "--until", "2020-01-01"],
    );
    gateway.filters().unwrap();
}

pub fn allow() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    verb(
        &gateway,
        0,
        &["allow", "add", "203.0.113.0/24", "--reason", "a customer"],
    );
    assert_eq!(gateway.wire.passes(C2, 3), 3);
    let why = answer(&gateway, 0, &["why", &format!("{C2}:443")]);
    assert_eq!(why["verdict"], "pass");
    let refused = verb(&gateway, 3, &["block", "add", C2]).stderr;
    assert!(refused.contains("allow list"), "{refused}");
    let refused = verb(&gateway, 3, &["allow", "add", "0.0.0.0/0"]).stderr;
    assert!(refused.contains("--wide"), "{refused}");

    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    assert_eq!(gateway.wire.passes(C2, 3), 3, "kept over a restart");
    verb(&gateway, 0, &["allow", "del", "203.0.113.0/24"]);
    gateway.filters().unwrap();
    verb(&gateway, 2, &["allow", "del", "203.0.113.0/24"]);
    // An allowance that ends gives back what it held open.
    verb(&gateway, 0, &["allow", "add", C2, "--for", "2s"]);
    assert_eq!(gateway.wire.passes(C2, 1), 1);
    wait_for("its end", || {
        Ok((gateway.wire.passes(C2, 1) == 0).then_some(()))
    })
    .unwrap();
}

pub fn guarded() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    for (what, guard) in [("10.1.2.3", "10.0.0.0/8"), ("0.0.0.0/0", "never blocked")] {
        let refused = verb(&gateway, 3, &["block", "add", what, "--wide"]).stderr;
        assert!(refused.contains(guard), "{refused}");
    }
    let refused = verb(&gateway, 3, &["block", "add", "198.18.0.0/15"]).stderr;
    assert!(refused.contains("--wide"), "{refused}");
    for what in ["nonsense", "192.0.2.1:0", "192.0.2.1/99"] {
        verb(&gateway, 2, &["block", "add", what]);
    }
    verb(&gateway, 2, &["allow", "add", "192.0.2.1:443"]);
    let listed = answer(&gateway, 0, &["block", "list"]);
    assert_eq!(listed["blocks"], serde_json::json!([]));
    gateway.filters().unwrap();
}

/// What would only count is no block, and a block that an allowance undoes is not shown as one.
pub fn idle() {
    let gateway = Gateway::new().unwrap();
    let own = "[network]\nown = [\"198.18.7.0/24\"]\n[policy]\nshared_files = [\"shared.txt\"]\n";
    std::fs::write(gateway.site.dir().join("shared.txt"), "198.18.8.0/24\n").unwrap();
    let config = format!("{own}{}", gateway.config());
    gateway.site.configure(&config).unwrap();
    let _daemon = gateway.daemon().unwrap();
    for (what, why) in [
        ("198.18.7.1", "your own network 198.18.7.0/24"),
        ("198.18.8.1", "of the kind shared"),
    ] {
        let refused = verb(&gateway, 3, &["block", "add", what]).stderr;
        for part in [why, "as address:port", "nothing was blocked"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        verb(&gateway, 0, &["block", "add", &format!("{what}:443")]);
    }
    let wide = answer(
        &gateway,
        0,
        &["block", "add", "198.18.64.0/20", "--wide", "--for", "1d"],
    );
    assert_eq!(
        (&wide["gone"], &wide["monitor"]),
        (&0.into(), &false.into())
    );

    let sloppy = verb(&gateway, 2, &["block", "add", "198.18.5.9/24"]).stderr;
    assert!(sloppy.contains("198.18.5.0/24"), "{sloppy}");
    let done = answer(&gateway, 0, &["allow", "add", "198.18.64.0/18"]);
    assert_eq!(done["gone"], 1, "{done}");
    let listed = answer(&gateway, 0, &["block", "list"]);
    let idle = |index: usize| listed["blocks"][index]["idle"].to_string();
    assert_eq!((idle(0).as_str(), idle(1).as_str()), ("null", "null"));
    assert!(idle(2).contains("allow list"), "{listed}");
    let text = verb(&gateway, 0, &["block", "list"]).stdout;
    assert!(text.contains("DROPS NOTHING"), "{text}");
}
