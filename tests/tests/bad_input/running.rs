//! What users do to a daemon that runs.

use std::{
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use trickblock_tests::gateway::{C2, Gateway, INTERFACE, LIST, body};

use crate::refused;

/// A second one at the same place is refused, whichever place it is.
pub fn daemons() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let pid = format!("pid {}", daemon.pid());
    let says = [
        "control.sock",
        "another trickblock is running",
        &pid,
        "stop it first",
    ];
    refused(
        &gateway,
        "the same socket",
        &gateway.run().unwrap(),
        1,
        &says,
    );

    let config = gateway.site.config().display().to_string();
    let (socket, state) = (
        gateway.site.dir().join("other.sock"),
        gateway.site.dir().join("other"),
    );
    let (socket, state) = (socket.display().to_string(), state.display().to_string());
    let arguments = ["run", "-c", &config, "--socket", &socket, "--state", &state];
    let output = gateway.behind(&["env"], &arguments).unwrap();
    let pins = gateway.site.pins().display().to_string();
    let says = [
        pins.as_str(),
        "another trickblock daemon runs on these pins",
        "stop it first",
    ];
    refused(&gateway, "the same pins", &output, 1, &says);
    let others = format!("{pins}-other");
    let arguments = ["run", "-c", &config, "--socket", &socket, "--pins", &others];
    let output = gateway.behind(&["env"], &arguments).unwrap();
    let says = ["keeps its state in", "stop it, or name another directory"];
    refused(&gateway, "the same state", &output, 1, &says);
    std::fs::remove_dir_all(others).unwrap();
    assert_eq!(gateway.status().unwrap().1["daemon"]["pid"], daemon.pid());
    drop(daemon);
}

/// Noise on the socket gets an answer, and the daemon goes on.
pub fn control_socket() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let long = vec![b'x'; 200 << 10];
    let cases: [(&[u8], &str, &str); 6] = [
        (b"hello\n", "bad_request", "send one line such as"),
        (b"\xff\xfe\0\x01\n", "bad_request", "send one line such as"),
        (
            b"{\"v\":9,\"verb\":\"status\"}\n",
            "version",
            "restart the daemon",
        ),
        (
            b"{\"v\":1,\"verb\":\"explode\"}\n",
            "bad_request",
            "use one of status",
        ),
        (
            b"{\"v\":1,\"verb\":\"why\",\"args\":{\"target\":7}}\n",
            "bad_request",
            "is not an address",
        ),
        (&long, "bad_request", "send a shorter one"),
    ];
    for (line, code, fix) in cases {
        let answer = say(&gateway, line);
        for part in [format!("\"code\":\"{code}\"").as_str(), "\"ok\":false", fix] {
            assert!(answer.contains(part), "no {part} in {answer}");
        }
        gateway.filters().unwrap();
    }
    assert_eq!(gateway.status().unwrap().0, Some(0));
    other_users(&gateway);
    drop(daemon);
}

fn say(gateway: &Gateway, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(gateway.site.socket()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(line).ok();
    stream.write_all(b"\n").ok();
    stream.shutdown(std::net::Shutdown::Write).ok();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Members of the group read; nobody but root changes anything.
fn other_users(gateway: &Gateway) {
    let dir = gateway.site.dir();
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("trickblock");
    std::fs::copy(trickblock_tests::cli::binary().unwrap(), &copy).unwrap();
    let script = format!("exec {} \"$@\"", copy.display());
    let socket = gateway.site.socket().display().to_string();
    let gid = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata(&socket).unwrap());
    let member = format!("--regid={gid}");
    let verb = |group: &str, verb: &str| {
        let prefix = [
            "setpriv",
            "--reuid=65534",
            group,
            "--clear-groups",
            "sh",
            "-c",
            &script,
        ];
        gateway
            .behind(&prefix, &[verb, "--socket", &socket])
            .unwrap()
    };
    for name in ["off", "on", "reload"] {
        let says = [
            &format!("`{name}` changes the filter") as &str,
            "65534",
            "run the command as root",
        ];
        refused(gateway, name, &verb(&member, name), 3, &says);
        let says = ["control.sock: permission denied", "run this as root"];
        refused(gateway, name, &verb("--regid=65534", name), 3, &says);
    }
    refused(gateway, "status", &verb(&member, "status"), 0, &[]);
    refused(
        gateway,
        "status",
        &verb("--regid=65534", "status"),
        1,
        &["permission denied"],
    );
}

/// A configuration that is broken when it is read again changes nothing.
pub fn reloads() {
    let gateway = Gateway::new().unwrap();
    let good = gateway.config();
    let daemon = gateway.daemon().unwrap();
    let old = "the old configuration stays in force";
    let cases: [(String, &[&str]); 4] = [
        (
            format!("{good}tiemout = 1\n"),
            &["trickblock.toml:15:1:", "did you mean `timeout`", old],
        ),
        (
            format!("[filter\n{good}"),
            &["trickblock.toml:5:", "not TOML", old],
        ),
        (INTERFACE.to_owned(), &["no [[feed]]", old]),
        (
            format!("[guard]\nallow_files = [\"gone.txt\"]\n{good}"),
            &["gone.txt", "create it, or remove it here", old],
        ),
    ];
    for (config, says) in cases {
        gateway.site.configure(&config).unwrap();
        let output = gateway.verb("reload", &[]).unwrap();
        refused(&gateway, &config, &output, 1, says);
        let (code, status) = gateway.status().unwrap();
        assert_eq!(
            (code, &status["feeds"][0]["name"]),
            (Some(0), &"feodo".into())
        );
    }
    misspelt_interface(&gateway, &good);
    drop(daemon);
}

/// What was filtered stays filtered until something that was asked for is.
fn misspelt_interface(gateway: &Gateway, good: &str) {
    gateway
        .site
        .configure(&good.replace("\"eth0\"", "\"eht0\""))
        .unwrap();
    let output = gateway.verb("reload", &[]).unwrap();
    refused(
        gateway,
        "a misspelt interface",
        &output,
        4,
        &["interface eht0"],
    );
    let (code, status) = gateway.status().unwrap();
    let problems = status["problems"].to_string();
    assert_eq!(code, Some(4));
    for part in ["interface eht0 is not filtered", "`ip link`"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    gateway.site.configure(good).unwrap();
    refused(
        gateway,
        "spelt well",
        &gateway.verb("reload", &[]).unwrap(),
        0,
        &[],
    );
    assert_eq!(gateway.status().unwrap().0, Some(0));
}

/// A feed that hangs keeps neither the others from being enforced at the start nor, during one
/// reload, the next one from being answered.
pub fn hanging_feeds() {
    let gateway = Gateway::new().unwrap();
    let own = "[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";
    let both = format!("{}{own}", gateway.config());
    std::fs::write(gateway.site.dir().join("own.txt"), format!("{C2}\n")).unwrap();
    gateway.site.configure(&both).unwrap();
    gateway.answer(Arc::new(|_, _| thread::sleep(Duration::from_secs(9))));
    let start = Instant::now();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    let (code, status) = gateway.status().unwrap();
    let state = |index: usize| status["feeds"][index]["state"].clone();
    assert_eq!((code, state(1)), (Some(4), "ok".into()), "{status}");

    thread::scope(|scope| {
        let first = scope.spawn(|| gateway.verb("reload", &[]).unwrap());
        thread::sleep(Duration::from_millis(300));
        // The second one replaces the feeds that the first one waits for.
        gateway
            .site
            .configure(&format!("{INTERFACE}{own}"))
            .unwrap();
        let second = gateway.verb("reload", &[]).unwrap();
        assert_eq!(
            (first.join().unwrap().code, second.code),
            (Some(0), Some(0))
        );
    });
    gateway.filters().unwrap();
    assert_eq!(gateway.status().unwrap().0, Some(0));
    drop(daemon);
}

/// A set that does not fit is held, the old one stays.
pub fn full_tables() {
    let gateway = Gateway::new().unwrap();
    let config = format!("[table]\ncapacity = 100\n{}", gateway.config());
    gateway.site.configure(&config).unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let many: String = (0..60_000_u32)
        .map(|n| format!("198.18.{}.{}\n", n >> 8 & 255, n & 255))
        .collect();
    let (header, footer) = (
        "# Feodo Tracker Botnet C2 IP Blocklist",
        "# END 60001 entries",
    );
    gateway.answer(body(format!("{header}\n{C2}\n{many}{footer}\n")));

    let reload = gateway.verb("reload", &[]).unwrap();
    refused(
        &gateway,
        "too many",
        &reload,
        4,
        &["the list grew from 2 to 60001", "feeds approve feodo"],
    );

    // A table that is too small is none of the user's business.
    let approved = gateway.verb("feeds", &["approve", "feodo"]).unwrap();
    refused(&gateway, "approved", &approved, 0, &[]);
    let status = gateway.wait_for_active();
    assert_eq!(status["indicators"]["total"], 60_001);
    gateway.filters().unwrap();
    // All of them others: there are not counters enough for both lists at once.
    let others: String = (0..60_000_u32)
        .map(|n| format!("198.19.{}.{}\n", n >> 8 & 255, n & 255))
        .collect();
    gateway.answer(body(format!("{header}\n{C2}\n{others}{footer}\n")));
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(&gateway, "others", &reload, 0, &[]);
    let status = gateway.wait_for_active();
    assert_eq!(status["indicators"]["total"], 60_001);
    gateway.filters().unwrap();
    gateway.answer(body(LIST));
    drop(daemon);
}

/// One of several interfaces cannot be filtered: the others are, and `status` says so until it can.
pub fn some_interfaces() {
    let gateway = Gateway::new().unwrap();
    let config = format!("{}[[interface]]\nname = \"eth7\"\n", gateway.config());
    gateway.site.configure(&config).unwrap();
    let daemon = gateway.daemon().unwrap();
    let (code, status) = gateway.status().unwrap();
    let problems = status["problems"].to_string();
    assert_eq!(code, Some(4), "{status}");
    for part in [
        "interface eth7 is not filtered",
        "no such interface",
        "`ip link`",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    gateway.filters().unwrap();

    gateway
        .inside()
        .connect("eth7", &gateway.wire.outside, "peer7")
        .unwrap();
    gateway.wait_for_active();
    gateway.inside().ip(&["link", "delete", "eth7"]).unwrap();
    let gone = |status: &serde_json::Value| status["problems"].to_string().contains("eth7");
    gateway.wait_for_status(gone).unwrap();
    gateway.filters().unwrap();
    drop(daemon);
}
