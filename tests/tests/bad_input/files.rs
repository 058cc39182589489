//! Feeds on disk, and the last good copies.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use trickblock_tests::gateway::{C2, Gateway, INTERFACE, LIST, body};

use crate::{END, refused};

/// A gateway whose only feed is `path` below its directory.
fn fed_by(path: &str) -> Gateway {
    let gateway = Gateway::new().unwrap();
    let config = format!("{INTERFACE}[[feed]]\nname = \"own\"\npath = \"{path}\"\n");
    gateway.site.configure(&config).unwrap();
    gateway
}

fn stays_in_force(gateway: &Gateway, what: &str, says: &[&str]) {
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(gateway, what, &reload, 4, says);
    let (code, status) = gateway.status().unwrap();
    assert_eq!(
        (code, &status["feeds"][0]["state"]),
        (Some(4), &"stale".into()),
        "{what}"
    );
}

pub fn feed_files() {
    let gateway = fed_by("own.txt");
    let path = gateway.site.dir().join("own.txt");
    fs::write(&path, format!("{C2}\n")).unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let shown = path.display().to_string();

    fs::remove_file(&path).unwrap();
    stays_in_force(
        &gateway,
        "deleted",
        &["own:", &shown, "not there", "create it, or correct `path`"],
    );
    trickblock_tests::sys::make_fifo(&path).unwrap();
    stays_in_force(
        &gateway,
        "a pipe",
        &[
            "own:",
            &shown,
            "neither a file nor a directory",
            "point `path` at one",
        ],
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    stays_in_force(
        &gateway,
        "a directory without files",
        &["own:", &shown, "has no files", "correct `path`"],
    );
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "").unwrap();
    stays_in_force(
        &gateway,
        "truncated to nothing",
        &["own:", &shown, "the body is empty", "check the address"],
    );

    // Nobody need reload: the daemon sees that the file is well again.
    fs::write(&path, format!("{C2}\n")).unwrap();
    gateway.wait_for_active();
    gateway.filters().unwrap();
    drop(daemon);
}

pub fn feed_directories() {
    let gateway = fed_by("lists");
    let dir = gateway.site.dir().join("lists");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a.txt"), format!("{C2}\n")).unwrap();
    fs::write(dir.join("b.txt"), "198.51.100.1\n").unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let shown = dir.display().to_string();

    // One bad file of several keeps its own last good rows.
    fs::write(dir.join("a.txt"), "<html><body>moved</body></html>").unwrap();
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(
        &gateway,
        "one bad file",
        &reload,
        4,
        &["a.txt", "stays in force"],
    );
    let (_, status) = gateway.status().unwrap();
    let warnings = status["problems"].to_string();
    assert!(
        warnings.contains("a.txt") && warnings.contains("raw list"),
        "{warnings}"
    );

    empty(&dir);
    stays_in_force(
        &gateway,
        "emptied",
        &[
            "own:",
            &shown,
            "the directory has no files",
            "put the feed's files there",
        ],
    );
    drop(daemon);
}

fn empty(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

/// The copy on disk is unwritable or damaged.
pub fn last_good_copies() {
    let gateway = Gateway::new().unwrap();
    fs::write(gateway.site.state(), "in the way").unwrap();
    let daemon = gateway.daemon().unwrap();
    let status = gateway
        .wait_for_status(|status| status["problems"].to_string().contains("last good copy"))
        .unwrap();
    let problems = status["problems"].to_string();
    for part in ["feodo", "state", "check the permissions and the free space"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert_eq!(gateway.status().unwrap().0, Some(4));
    gateway.filters().unwrap();
    assert!(daemon.terminate(END).unwrap().success());

    fs::remove_file(gateway.site.state()).unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    let copy = gateway.site.state().join("feeds/feodo/last-good");
    trickblock_tests::gateway::wait_for("a copy", || Ok(copy.exists().then_some(()))).unwrap();
    assert!(daemon.terminate(END).unwrap().success());
    damaged(&gateway, &copy);
}

/// With a damaged copy and no server, what the kernel still has stays; with a server, all is well.
fn damaged(gateway: &Gateway, copy: &Path) {
    let mut bytes = fs::read(copy).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(copy, &bytes).unwrap();
    fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
    gateway.answer(body(""));
    let daemon = gateway.daemon().unwrap();
    let (code, status) = gateway.status().unwrap();
    assert_eq!(
        (code, &status["feeds"][0]["state"]),
        (Some(4), &"failed".into()),
        "{status}"
    );
    let log = gateway.site.log();
    for part in ["last-good", "damaged", "replaced by the next good fetch"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    gateway.filters().unwrap();
    gateway.answer(body(LIST));
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(gateway, "fetched again", &reload, 0, &[]);
    assert_eq!(gateway.status().unwrap().0, Some(0));
    drop(daemon);
}
