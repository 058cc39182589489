//! What was decided, by the operator or by a trial, outlives a restart and a reload.

use std::fs;

use serde_json::json;
use trickblock_tests::gateway::{BENIGN, C2, Gateway, INTERFACE, body, list_of};

use super::{answer, canary::on_trial, held::with_others, verb, wait_for_feed, wait_for_version};

/// Beside the last good copy of `feodo`.
fn kept(gateway: &Gateway, file: &str) -> std::path::PathBuf {
    let state = gateway.site.dir().join("state");
    state.join("feeds/feodo").join(file)
}

/// The gateway's feed with a day of hold-down, and more sections.
fn configure(gateway: &Gateway, hold_down: &str, more: &str) {
    let feed = gateway.feed().replace("\"0s\"", &format!("{hold_down:?}"));
    let config = format!("{INTERFACE}{feed}{more}");
    gateway.site.configure(&config).unwrap();
}

pub fn failed_trial() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = on_trial(&gateway, "5s");
    assert_eq!(gateway.wire.passes(BENIGN, 30), 30);
    let held = wait_for_feed(&gateway, |feed| feed["held"].is_object())["held"].clone();
    let again = |what: &str| {
        verb(&gateway, 4, &["reload"]);
        let feed = wait_for_feed(&gateway, |feed| feed["held"].is_object());
        assert_eq!(
            (&feed["held"], &feed["trial"]),
            (&held, &json!(null)),
            "{what}"
        );
        assert_eq!(gateway.wire.passes(BENIGN, 1), 1, "{what}");
    };
    // Other feeds: every task starts anew.
    let feed = gateway.feed() + "canary = \"5s\"\ncanary_packets = 20\n";
    fs::write(gateway.site.dir().join("own.txt"), "198.18.0.1\n").unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    gateway
        .site
        .configure(&format!("{INTERFACE}{feed}{own}"))
        .unwrap();
    again("after a reload");
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    again("after a restart");
}

pub fn retracted() {
    let gateway = Gateway::new().unwrap();
    let _daemon = on_trial(&gateway, "5s");
    gateway.answer(body(list_of(&[&format!("{C2}:443")])));
    verb(&gateway, 0, &["reload"]);
    assert!(wait_for_feed(&gateway, |_| true)["trial"].is_object());
    let feed = wait_for_feed(&gateway, |feed| feed["trial"].is_null());
    assert!(feed["held"].is_null(), "{feed}");
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3, "its source took it back");
    assert_eq!(gateway.wire.passes(C2, 3), 0);
    assert_eq!(feed["departed"], 0, "{feed}");
}

pub fn every_rejection() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    for others in [6_000, 7_000] {
        gateway.answer(body(with_others(others)));
        verb(&gateway, 4, &["reload"]);
        verb(&gateway, 0, &["feeds", "reject", "feodo"]);
    }
    let first = || {
        gateway.answer(body(with_others(6_000)));
        let again = answer(&gateway, 0, &["reload"]);
        assert_eq!(again["rejected"], json!(["feodo"]), "{again}");
        assert_eq!(gateway.wire.passes(BENIGN, 1), 1);
    };
    first();
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    first();
}

/// The body that was looked at is the one that is approved, and one that cannot be remembered is not.
pub fn just_that_update() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    gateway.answer(body(with_others(6_000)));
    verb(&gateway, 4, &["reload"]);
    let diff = answer(&gateway, 0, &["feeds", "diff", "feodo"]);
    let seen = diff["update"].as_str().unwrap();
    gateway.answer(body(with_others(7_000)));
    verb(&gateway, 4, &["reload"]);
    let other = verb(&gateway, 3, &["feeds", "approve", "feodo", seen]).stderr;
    assert!(
        other.contains(seen) && other.contains("feeds diff"),
        "{other}"
    );
    verb(&gateway, 3, &["feeds", "reject", "feodo", seen]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 1);

    let diff = answer(&gateway, 0, &["feeds", "diff", "feodo"]);
    let now = diff["update"].as_str().unwrap();
    // Nothing can be written there, as on a full disk.
    let in_the_way = kept(&gateway, "decisions.new");
    fs::create_dir(&in_the_way).unwrap();
    verb(&gateway, 1, &["feeds", "approve", "feodo", now]);
    assert_eq!(
        gateway.wire.passes(BENIGN, 1),
        1,
        "it failed, so it did nothing"
    );
    assert!(wait_for_feed(&gateway, |_| true)["held"].is_object());
    fs::remove_dir(&in_the_way).unwrap();
    verb(&gateway, 0, &["feeds", "approve", "feodo", now]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0);
}

/// Who goes back does not want what came since, however long things stay otherwise.
pub fn rollback_ends() {
    let gateway = Gateway::new().unwrap();
    configure(&gateway, "1d", "");
    let _daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of(&[C2, BENIGN])));
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0);
    let done = answer(&gateway, 0, &["feeds", "rollback", "feodo"]);
    assert_eq!(done["departed"], 0, "{done}");
    gateway.filters().unwrap();

    // And who shortens the hold-down means what has left before as well.
    gateway.answer(body(list_of(&["198.51.100.77:8080"])));
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 1), 0, "held down");
    let text = verb(&gateway, 0, &["why", C2]).stdout;
    assert!(text.contains("departed"), "{text}");
    configure(&gateway, "0s", "");
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 1), 1);
}

/// The brake needs something to compare with.
pub fn damaged_copy() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of(&[C2])));
    verb(&gateway, 0, &["reload"]);
    wait_for_version(&gateway);
    daemon.signal(9).unwrap();
    drop(daemon);
    let copy = kept(&gateway, "last-good");
    let mut bytes = fs::read(&copy).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&copy, bytes).unwrap();
    gateway.answer(body(with_others(6_000)));
    let _daemon = gateway.daemon().unwrap();
    let feed = wait_for_feed(&gateway, |feed| feed["held"].is_object());
    assert_eq!(feed["indicators"], 2, "the version before: {feed}");
    gateway.filters().unwrap();
}

/// A file that is no feed any more keeps what it said, and everybody can see that.
pub fn unread_file() {
    let gateway = Gateway::new().unwrap();
    let lists = gateway.site.dir().join("lists");
    fs::create_dir(&lists).unwrap();
    fs::write(lists.join("a.txt"), "198.18.0.1\n").unwrap();
    fs::write(lists.join("b.txt"), format!("{C2}\n")).unwrap();
    let feed = "[[feed]]\nname = \"own\"\npath = \"lists\"\nhold_down = \"0s\"\n";
    gateway
        .site
        .configure(&format!("{INTERFACE}{feed}"))
        .unwrap();
    let mut daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(C2, 1), 0);
    fs::write(lists.join("b.txt"), "<html>not found</html>\n").unwrap();
    fs::write(lists.join("a.txt"), format!("198.18.0.1\n{BENIGN}\n")).unwrap();
    let stays = |what: &str| {
        let feed = wait_for_feed(&gateway, |feed| {
            feed["alarm_kinds"] == json!(["unread"]) && feed["indicators"] == 3
        });
        assert!(
            feed["alarms"].to_string().contains("b.txt"),
            "{what}: {feed}"
        );
        let passed = [C2, BENIGN].map(|address| gateway.wire.passes(address, 1));
        assert_eq!(passed, [0, 0], "{what}");
        let (code, status) = gateway.status().unwrap();
        assert_eq!(code, Some(4), "{what}");
        assert!(status["problems"].to_string().contains("b.txt"), "{status}");
    };
    stays("at once");
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    stays("after a restart");
    // Nor does a link to nothing end what it said.
    fs::remove_file(lists.join("b.txt")).unwrap();
    std::os::unix::fs::symlink("gone.txt", lists.join("b.txt")).unwrap();
    verb(&gateway, 4, &["reload"]);
    stays("a dangling link");
    fs::remove_file(lists.join("b.txt")).unwrap();
    fs::write(lists.join("b.txt"), "198.18.0.2\n").unwrap();
    gateway.wait_for_active();
    assert_eq!(gateway.wire.passes(C2, 1), 1);
}

/// A list under two names, or at two places, confirms nothing.
pub fn one_voice() {
    let gateway = Gateway::new().unwrap();
    let mirror = gateway.url().replace("/list.csv", "/mirror.csv");
    let feed = gateway.feed() + "min_feeds = 2\n";
    let named = |name: &str, url: &str| {
        let feed = feed.replace("\"feodo\"", &format!("{name:?}"));
        feed.replace(gateway.url(), url)
    };
    let again = named("again", gateway.url());
    let mirror = named("mirror", &mirror);
    let config = format!("{INTERFACE}{feed}{again}{mirror}");
    gateway.site.configure(&config).unwrap();
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    assert_eq!(gateway.wire.passes(C2, 3), 3, "one voice");
    let own = gateway.site.dir().join("own.txt");
    fs::write(own, format!("{C2}:443\n")).unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    gateway.site.configure(&format!("{config}{own}")).unwrap();
    verb(&gateway, 0, &["reload"]);
    assert_eq!(gateway.wire.passes(C2, 3), 0, "two voices");
}

/// With a trial configured no start, and no second feed, lets what is new pass it by.
pub fn first_bodies() {
    let gateway = Gateway::new().unwrap();
    fs::write(gateway.site.dir().join("own.txt"), "198.18.0.1\n").unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    let feed = gateway.feed();
    let config = format!("{INTERFACE}{feed}canary = \"1h\"\n{own}");
    gateway.site.configure(&config).unwrap();
    let _daemon = gateway.daemon().unwrap();
    wait_for_feed(&gateway, |feed| feed["trial"].is_object());
    assert_eq!(gateway.wire.passes(C2, 3), 3, "on trial");
    verb(&gateway, 0, &["feeds", "approve", "feodo"]);
    assert_eq!(gateway.wire.passes(C2, 3), 0, "approved");
}

/// All that is kept of a feed follows its name, on disk as well.
pub fn renamed() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    gateway.answer(body(with_others(6_000)));
    verb(&gateway, 4, &["reload"]);
    let feed = gateway.feed().replace("\"feodo\"", "\"two\"");
    gateway
        .site
        .configure(&format!("{INTERFACE}{feed}"))
        .unwrap();
    verb(&gateway, 4, &["reload"]);
    let is_held = |what: &str| {
        let feed = wait_for_feed(&gateway, |feed| feed["held"].is_object());
        assert_eq!(
            (&feed["name"], &feed["indicators"]),
            (&"two".into(), &2.into()),
            "{what}"
        );
        assert_eq!(gateway.wire.passes(BENIGN, 1), 1, "{what}");
    };
    is_held("after a reload");
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    is_held("after a restart");
    drop(_daemon);
    gateway.hang_up().unwrap();
    let _daemon = gateway.daemon().unwrap();
    is_held("after a restart without its source");
    verb(&gateway, 0, &["feeds", "approve", "two"]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0, "without its source");
}

/// What was approved is the last good copy at once, whatever its server says by then.
pub fn approved_for_good() {
    let gateway = Gateway::new().unwrap();
    let mut daemon = gateway.daemon().unwrap();
    gateway.answer(body(with_others(6_000)));
    verb(&gateway, 4, &["reload"]);
    gateway.answer(body("<html>not today</html>"));
    verb(&gateway, 4, &["reload"]);
    let (code, status) = gateway.status().unwrap();
    let problems = status["problems"].to_string();
    assert!(
        code == Some(4) && problems.contains("feeds approve feodo"),
        "{status}"
    );
    verb(&gateway, 0, &["feeds", "approve", "feodo"]);
    daemon.signal(9).unwrap();
    drop(daemon);
    gateway.hang_up().unwrap();
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0, "after a restart");
    assert_eq!(gateway.status().unwrap().1["indicators"]["total"], 6_003);
    // A reload offers the copy on disk again: what is in force is never older.
    configure(&gateway, "1d", "max_addresses = 100000\n");
    verb(&gateway, 4, &["reload"]);
    assert_eq!(gateway.wire.passes(BENIGN, 3), 0, "after a reload");
}

/// A feed that never answers keeps nothing of the others in force, and nothing of the operator.
pub fn ends_beside_a_dead_feed() {
    let gateway = Gateway::new().unwrap();
    let dead = "[[feed]]\nname = \"dead\"\npath = \"not-there.txt\"\n";
    let config = format!("{}{dead}", gateway.config());
    gateway.site.configure(&config).unwrap();
    let mut daemon = gateway.daemon().unwrap();
    verb(&gateway, 0, &["block", "add", BENIGN]);
    verb(&gateway, 0, &["block", "add", "198.18.0.9", "--for", "4s"]);
    daemon.signal(9).unwrap();
    drop(daemon);
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(BENIGN, 1), 0);
    verb(&gateway, 0, &["block", "del", BENIGN]);
    assert_eq!(gateway.wire.passes(BENIGN, 1), 1, "taken back");
    let ended = || Ok((gateway.wire.passes("198.18.0.9", 1) == 1).then_some(()));
    trickblock_tests::gateway::wait_for("its end", ended).unwrap();
    gateway.filters().unwrap();
}

/// What is put back is decided as it was.
pub fn taken_out_and_put_back() {
    let gateway = Gateway::new().unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    fs::write(gateway.site.dir().join("own.txt"), "198.18.0.1\n").unwrap();
    let _daemon = gateway.daemon().unwrap();
    gateway.answer(body(list_of(&[C2, BENIGN])));
    verb(&gateway, 0, &["reload"]);
    wait_for_version(&gateway);
    verb(&gateway, 0, &["feeds", "rollback", "feodo"]);
    gateway
        .site
        .configure(&format!("{INTERFACE}{own}"))
        .unwrap();
    verb(&gateway, 0, &["reload"]);
    gateway.site.configure(&gateway.config()).unwrap();
    verb(&gateway, 0, &["reload"]);
    wait_for_feed(&gateway, |feed| feed["stands"] == true);
    gateway.filters().unwrap();
}

/// What is on trial lends its voice to nobody.
pub fn trial_without_a_voice() {
    let gateway = Gateway::new().unwrap();
    let own = gateway.site.dir().join("own.txt");
    fs::write(&own, "198.18.0.1\n").unwrap();
    let on_trial = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\ncanary = \"1h\"\n";
    let feed = gateway.feed() + "min_feeds = 2\n";
    gateway
        .site
        .configure(&format!("{INTERFACE}{on_trial}{feed}"))
        .unwrap();
    let _daemon = gateway.daemon().unwrap();
    verb(&gateway, 0, &["feeds", "approve", "own"]);
    fs::write(&own, format!("198.18.0.1\n{C2}:443\n")).unwrap();
    verb(&gateway, 0, &["reload"]);
    wait_for_feed(&gateway, |feed| feed["trial"].is_object());
    assert_eq!(gateway.wire.passes(C2, 3), 3, "one voice");
    verb(&gateway, 0, &["feeds", "approve", "own"]);
    assert_eq!(gateway.wire.passes(C2, 3), 0, "two voices");
}

/// What another feed says around a prefix counts also where only that prefix is looked at again.
pub fn by_hand_beside_two_voices() {
    let gateway = Gateway::new().unwrap();
    let lists = [("a", "198.18.16.0/20"), ("b", "198.18.0.0/19")];
    let mut config = gateway.config();
    for (name, prefix) in lists {
        let path = gateway.site.dir().join(format!("{name}.txt"));
        fs::write(path, format!("{prefix}\n198.51.100.9\n")).unwrap();
        config += &format!("[[feed]]\nname = \"{name}\"\npath = \"{name}.txt\"\n");
    }
    gateway.site.configure(&config).unwrap();
    let _daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes("198.18.16.1", 1), 0, "confirmed");
    verb(&gateway, 0, &["block", "add", "198.18.16.0/20", "--wide"]);
    verb(&gateway, 0, &["block", "del", "198.18.16.0/20"]);
    assert_eq!(gateway.wire.passes("198.18.16.1", 1), 0, "still confirmed");
    verb(&gateway, 0, &["allow", "add", "198.18.16.0/20"]);
    assert_eq!(gateway.wire.passes("198.18.16.1", 1), 1);
    verb(&gateway, 0, &["allow", "del", "198.18.16.0/20"]);
    assert_eq!(gateway.wire.passes("198.18.16.1", 1), 0, "and again");
}

/// What another source said before stays until the new one has answered: on trial it says nothing yet, and in one's own
/// networks nothing drops.
pub fn left_by_another_source() {
    let gateway = Gateway::new().unwrap();
    let _daemon = gateway.daemon().unwrap();
    let mirror = gateway.url().replace("/list.csv", "/mirror.csv");
    let feed = gateway.feed().replace(gateway.url(), &mirror);
    gateway
        .site
        .configure(&format!("{INTERFACE}{feed}canary = \"1h\"\n"))
        .unwrap();
    verb(&gateway, 0, &["reload"]);
    wait_for_feed(&gateway, |feed| feed["trial"].is_object());
    assert_eq!(gateway.wire.passes(C2, 3), 0, "its old source said so");

    gateway.answer(body("<html>not today</html>"));
    let own = "[network]\nown = [\"203.0.113.0/28\"]\n";
    let other = feed.replace("mirror", "other");
    gateway
        .site
        .configure(&format!("{INTERFACE}{other}{own}"))
        .unwrap();
    verb(&gateway, 4, &["reload"]);
    let listed = || {
        let list = answer(&gateway, 0, &["list"]);
        let all = list["indicators"].as_array().unwrap().iter();
        let action = |row: &serde_json::Value| (row["indicator"].clone(), row["action"].clone());
        all.map(action).collect::<Vec<_>>()
    };
    let before = listed();
    verb(&gateway, 0, &["allow", "add", "203.0.113.0/24"]);
    verb(&gateway, 0, &["allow", "del", "203.0.113.0/24"]);
    assert_eq!(listed(), before, "neither more nor less than before");
}

/// What is rejected does not come in by way of a trial that named more.
pub fn rejected_in_a_trial() {
    let gateway = Gateway::new().unwrap();
    let feed = gateway.feed() + "canary = \"4s\"\n";
    gateway
        .site
        .configure(&format!("{INTERFACE}{feed}"))
        .unwrap();
    let _daemon = gateway.daemon().unwrap();
    verb(&gateway, 0, &["feeds", "approve", "feodo"]);
    let both = body(list_of(&[C2, BENIGN]));
    gateway.answer(std::sync::Arc::clone(&both));
    verb(&gateway, 0, &["reload"]);
    verb(&gateway, 0, &["feeds", "reject", "feodo"]);
    gateway.answer(body(list_of(&[C2, BENIGN, "198.18.0.9"])));
    verb(&gateway, 0, &["reload"]);
    wait_for_feed(&gateway, |feed| feed["trial"].is_object());
    gateway.answer(both);
    verb(&gateway, 0, &["reload"]);
    let feed = wait_for_feed(&gateway, |feed| feed["trial"].is_null());
    assert_eq!(
        (&feed["stands"], &feed["indicators"]),
        (&true.into(), &2.into())
    );
    assert_eq!(gateway.wire.passes(BENIGN, 3), 3);
}
