//! The daemon: what it finds out, keeps up, and takes over.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use trickblock::kernel::{Interfaces, Pins, Role};
use trickblock_tests::{
    cli::{Daemon, Site},
    gateway::wait_for,
    packet::Packet,
    road::{BENIGN, C2, CLIENT, CLIENT_6, End, GATEWAY, LAN, OTHER_CLIENT, Road, WAN},
    sys,
};

use crate::life::rename;

/// The road comes first: links must be gone before their namespaces are.
struct Installed {
    site: Site,
    road: Road,
}

/// One of the listed servers is in the LAN, which is the gateway's own network.
const FEED: &str =
    "[guard]\nexcept = [\"192.0.2.0/24\"]\n[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";

fn interface(name: &str, keys: &str) -> String {
    format!("[[interface]]\nname = \"{name}\"\n{keys}\n")
}

impl Installed {
    fn new(config: &str) -> Self {
        let (road, site) = (Road::new().unwrap(), Site::new().unwrap());
        let list = format!("{C2}\n{OTHER_CLIENT}\n");
        fs::write(site.dir().join("own.txt"), list).unwrap();
        let installed = Self { site, road };
        installed.configure(config);
        installed
    }

    fn configure(&self, config: &str) {
        self.site.configure(&format!("{config}{FEED}")).unwrap();
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.site, Some(&self.road.gateway)).unwrap()
    }

    fn status(&self) -> Value {
        let asked = self.site.verb("status", &["--json"]);
        asked
            .within(&self.road.gateway)
            .output()
            .unwrap()
            .json()
            .unwrap()
    }

    fn reload(&self, config: &str) {
        self.configure(config);
        let asked = self.site.verb("reload", &[]).within(&self.road.gateway);
        let output = asked.output().unwrap();
        assert_eq!(output.code, Some(0), "{output:?}\n{}", self.site.log());
    }

    fn text(&self) -> String {
        let asked = self.site.verb("status", &[]).within(&self.road.gateway);
        asked.output().unwrap().stdout
    }

    fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asked = || {
            let status = self.status();
            Ok(wanted(&status).then_some(status))
        };
        wait_for(what, asked).unwrap_or_else(|error| {
            panic!("{error}: {:#}\n{}", self.status(), self.site.log());
        })
    }

    /// To C2, from C2, from the gateway itself to C2, and from a benign host.
    fn arrivals(&self) -> [usize; 4] {
        let client = End::new(&self.road.client, CLIENT, 4000);
        let own = End::new(&self.road.gateway, GATEWAY, 4000);
        let [c2, benign] = [C2, BENIGN].map(|address| End::new(&self.road.internet, address, 443));
        let pairs = [(client, c2), (c2, client), (own, c2), (benign, client)];
        pairs.map(|(from, to)| self.road.send(&from, &to, 4).unwrap())
    }

    /// Lets frames arrive at the gateway's uplink.
    fn frames(&self, packet: &Packet, count: usize) {
        let socket = self.road.internet.run(|| {
            let index = sys::interface_index("i0")?;
            sys::frame_socket(index)
        });
        let (socket, frame) = (socket.unwrap().unwrap(), packet.build());
        (0..count).for_each(|_| sys::send_frame(&socket, &frame).unwrap());
        thread::sleep(Duration::from_millis(30));
    }
}

const FILTERED: [usize; 4] = [0, 0, 0, 4];

fn both(keys: &str) -> String {
    format!("{}{}", interface(LAN, keys), interface(WAN, keys))
}

fn hooks(status: &Value) -> Value {
    let interfaces = status["interfaces"].as_array().unwrap().iter();
    interfaces
        .map(|one| {
            (
                one["name"].as_str().unwrap().to_owned(),
                one["hooks"].clone(),
            )
        })
        .collect()
}

fn dropped(status: &Value) -> u64 {
    let counters = status["counters"].as_array().unwrap().iter();
    let drops = counters.filter(|count| count["verdict"] == "drop");
    drops.map(|count| count["packets"].as_u64().unwrap()).sum()
}

/// Two streams to and from C2 while `work` runs; how many were sent, and how many arrived.
fn under_streams(road: &Road, work: impl FnOnce()) -> (u64, usize) {
    let bind = |end: End<'_>| end.socket().unwrap();
    let client = bind(End::new(&road.client, CLIENT, 4000));
    let own = bind(End::new(&road.gateway, GATEWAY, 4000));
    let c2 = bind(End::new(&road.internet, C2, 443));
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for (sender, target) in [(&c2, (CLIENT, 4000)), (&own, (C2, 443))] {
            let (stop, sent) = (&stop, &sent);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let _refused = sender.send_to(b"c", target);
                    sent.fetch_add(1, Relaxed);
                    thread::sleep(Duration::from_micros(100));
                }
            });
        }
        work();
        stop.store(true, Relaxed);
    });
    let arrived = [&client, &c2].map(|socket| {
        socket.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| socket.recv(&mut [0]).ok()).count()
    });
    (sent.into_inner(), arrived.iter().sum())
}

pub fn killed() {
    for hook in ["auto", "tcx", "clsact"] {
        let installed = Installed::new(&both(&format!("hook = \"{hook}\"")));
        let daemon = installed.start();
        assert_eq!(installed.arrivals(), FILTERED, "{hook}");
        let before = dropped(&installed.status());

        let (sent, arrived) = under_streams(&installed.road, || {
            daemon.kill().unwrap();
            assert_eq!(dropped(&installed.status()).min(1), 1, "without a daemon");
            let daemon = installed.start();
            installed.wait("a daemon", |status| status["state"] == "active");
            daemon.terminate(Duration::from_secs(10)).unwrap();
        });

        assert_eq!(arrived, 0, "of {sent} by {hook}");
        assert!(sent > 200, "{sent}");
        let after = dropped(&installed.status());
        assert_eq!(after - before, sent, "{hook}: each counted once");
        assert_eq!(installed.arrivals(), FILTERED, "{hook}: without a daemon");
    }
}

pub fn comes_back() {
    for (hook, expected) in [
        ("auto", ["xdp", "tcx-egress"]),
        ("tcx", ["tcx-ingress", "tcx-egress"]),
        ("clsact", ["clsact-ingress", "clsact-egress"]),
    ] {
        let installed = Installed::new(&both(&format!("hook = \"{hook}\"")));
        let daemon = installed.start();
        let road = &installed.road;
        let old = road.gateway.run(|| sys::interface_index(WAN)).unwrap();
        road.gateway.ip(&["link", "delete", WAN]).unwrap();
        installed.wait("the end of wan0", |status| hooks(status)[WAN] == json!([]));
        road.gateway.connect(WAN, &road.internet, "i0").unwrap();
        road.gateway.address(WAN, "198.51.100.1/24").unwrap();
        road.internet.address("i0", "198.51.100.2/24").unwrap();
        let (uplink, back) = ("198.51.100.2".parse().unwrap(), GATEWAY.parse().unwrap());
        road.gateway.route("default", uplink).unwrap();
        road.internet.route("192.0.2.0/24", back).unwrap();

        let status = installed.wait("its hooks", |status| {
            hooks(status)[WAN] == json!(expected) && status["state"] == "active"
        });

        assert_eq!(installed.arrivals(), FILTERED, "{hook}");
        assert!(
            status["interfaces"][1]["ifindex"] != old.unwrap(),
            "{status}"
        );
        // Nothing is left that another interface with that index could inherit.
        let [lan, wan] = [LAN, WAN].map(|name| {
            let index = road.gateway.run(|| sys::interface_index(name));
            index.unwrap().unwrap()
        });
        let settled = || {
            let known = described(installed.site.pins());
            let roles = [(lan, Role::Inside, true), (wan, Role::Uplink, true)];
            Ok((known == roles).then_some(()))
        };
        wait_for("the interface map", settled)
            .unwrap_or_else(|error| panic!("{error}: {:?}", described(installed.site.pins())));
        drop(daemon);
    }
}

pub fn renamed_and_back() {
    let installed = Installed::new(&both(""));
    let daemon = installed.start();
    rename(&installed.road, WAN, "up0");
    let away = installed.wait("the end of wan0", |status| hooks(status)[WAN] == json!([]));
    assert_eq!(away["state"], "degraded", "{away}");
    rename(&installed.road, "up0", WAN);
    let back = installed.wait("wan0", |status| status["state"] == "active");
    assert_eq!(hooks(&back)[WAN], json!(["xdp", "tcx-egress"]));
    drop(daemon);
}

/// Index, role, and whether arrivals are judged.
fn described(pins: &Path) -> Vec<(u32, Role, bool)> {
    let known = Interfaces::open(&Pins::new(pins)).unwrap().all().unwrap();
    let entry = |(index, is): (u32, trickblock::kernel::Described)| (index, is.role, is.ingress);
    known.into_iter().map(entry).collect()
}

/// Name, role and reason of each interface.
fn told(status: &Value) -> Vec<[&str; 3]> {
    let interfaces = status["interfaces"].as_array().unwrap().iter();
    interfaces
        .map(|one| ["name", "role", "role_reason"].map(|key| one[key].as_str().unwrap()))
        .collect()
}

pub fn roles() {
    let installed = Installed::new(&both(""));
    let daemon = installed.start();

    let status = installed.status();

    assert_eq!(
        (&status["mode"], &status["mode_reason"]),
        (
            &json!("gateway"),
            &json!("several interfaces are filtered, and the kernel forwards")
        )
    );
    let uplink = "a default route leads there";
    let inside = "no default route leads there";
    assert_eq!(
        told(&status),
        [[LAN, "inside", inside], [WAN, "uplink", uplink]]
    );
    assert_eq!(installed.arrivals(), FILTERED);
    let status = installed.status();
    assert_eq!(status["stopped"]["out"]["packets"], 8);
    assert_eq!(status["stopped"]["reply"]["packets"], 4);
    let text = installed.text();
    for part in [
        "mode        gateway (several interfaces",
        "xdp native, tcx-egress",
        "uplink   a default route leads there",
        "stopped on the way out                  8",
        "only the reply stopped                  4",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(
        installed.site.log().contains("direction=\"out\""),
        "{}",
        installed.site.log()
    );
    assert!(installed.site.log().contains("hook=\"egress\""));

    // The default route moves to the other interface, and then nobody forwards.
    let gateway = &installed.road.gateway;
    for family in ["-4", "-6"] {
        gateway.ip(&[family, "route", "del", "default"]).unwrap();
    }
    gateway.route("default", CLIENT.parse().unwrap()).unwrap();
    let moved = [[LAN, "uplink", uplink], [WAN, "inside", inside]];
    installed.wait("the roles to follow", |status| told(status) == moved);
    for name in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
        gateway.sysctl(name, "0").unwrap();
    }
    let status = installed.wait("the mode to follow", |status| status["mode"] == "host");
    assert_eq!(status["mode_reason"], "the kernel does not forward");
    let host = "this host is what is protected";
    assert_eq!(
        told(&status),
        [[LAN, "uplink", host], [WAN, "uplink", host]]
    );
    drop(daemon);

    // Without a daemon the programs still know.
    let status = installed.status();
    assert_eq!(status["mode"], Value::Null);
    assert_eq!(status["interfaces"][0]["role"], "uplink");
}

pub fn reload() {
    let installed = Installed::new(&both("hook = \"xdp\""));
    let daemon = installed.start();
    assert_eq!(
        hooks(&installed.status())[LAN],
        json!(["xdp", "tcx-egress"])
    );

    installed.reload(&both("hook = \"tcx\"\nfail_closed = true"));

    let status = installed.status();
    assert_eq!(hooks(&status)[LAN], json!(["tcx-ingress", "tcx-egress"]));
    assert_eq!(status["interfaces"][0]["fail_closed"], true);
    assert_eq!(installed.arrivals(), FILTERED);
    let cut = Packet::v4(BENIGN, CLIENT).udp(443, 4000).cut_to(30);
    installed.frames(&cut, 5);
    let closed = |status: &Value| {
        let counters = status["counters"].as_array().unwrap().iter();
        let closed = counters.filter(|count| count["reason"] == "closed_truncated_ip");
        closed
            .map(|count| count["packets"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(closed(&installed.status()), 5);
    installed.reload(&both("hook = \"tcx\""));
    installed.frames(&cut, 5);
    assert_eq!(closed(&installed.status()), 5);
    // In monitor mode everything passes.
    let monitor = format!(
        "[filter]\naction = \"monitor\"\n{}",
        both("fail_closed = true")
    );
    installed.reload(&monitor);
    installed.frames(&cut, 5);
    assert_eq!(closed(&installed.status()), 5);
    assert_eq!(installed.arrivals(), [4; 4]);
    assert_eq!(installed.status()["action"], "monitor");
    drop(daemon);
}

pub fn constants() {
    let plain = both("");
    let installed = Installed::new(&plain);
    let daemon = installed.start();
    let tunnel = Packet::v4(BENIGN, GATEWAY).ip_in_ip(&Packet::v4(C2, CLIENT).udp(443, 4000));
    let translated = Packet::v6("2001:db8:64::cb00:7107", CLIENT_6).udp(443, 4000);
    let drops = |packet: &Packet| {
        let before = dropped(&installed.status());
        installed.frames(packet, 5);
        dropped(&installed.status()) - before
    };
    assert_eq!((drops(&tunnel), drops(&translated)), (0, 0));

    let network = "[network]\nnat64 = [\"2001:db8:64::/96\"]\n";
    let wide = format!("{network}[filter]\ntunnels = [\"ip\"]\n{plain}");
    let (sent, arrived) = under_streams(&installed.road, || installed.reload(&wide));

    assert_eq!(arrived, 0, "of {sent}");
    assert_eq!((drops(&tunnel), drops(&translated)), (5, 5));
    // What `on` attaches are the new programs.
    for verb in ["off", "on"] {
        let output = installed
            .site
            .verb(verb, &[])
            .within(&installed.road.gateway);
        assert_eq!(output.output().unwrap().code, Some(0));
    }
    assert_eq!((drops(&tunnel), drops(&translated)), (5, 5));
    installed.reload(&plain);
    assert_eq!((drops(&tunnel), drops(&translated)), (0, 0));
    assert_eq!(installed.arrivals(), FILTERED);
    drop(daemon);
}

/// What leaves cannot be filtered, but what arrives can: that is done, and the rest is said.
pub fn half() {
    let installed = Installed::new(&both("hook = \"clsact\""));
    // A filter of somebody else, where ours would be.
    let gateway = &installed.road.gateway;
    let other = Installed::new(&interface(WAN, "hook = \"clsact\""));
    let daemon = Daemon::start(&other.site, Some(gateway)).unwrap();
    drop(daemon);
    gateway
        .command("tc")
        .and_then(|mut tc| {
            tc.args(["filter", "del", "dev", WAN, "ingress"]);
            Ok(tc.status()?)
        })
        .unwrap();

    let daemon = installed.start();

    let status = installed.status();
    assert_eq!(status["state"], "degraded");
    let problems = status["problems"].to_string();
    for part in [
        "interface wan0: what leaves is not filtered",
        "interface wan0: attaching to clsact-egress failed",
    ] {
        assert!(problems.contains(part), "{problems}");
    }
    assert_eq!(hooks(&status)[WAN], json!(["clsact-ingress"]));
    assert_eq!(installed.arrivals()[1], 0);
    drop(daemon);
}

pub fn flags() {
    let installed = Installed::new(&both(""));
    let list = installed.site.dir().join("own.txt");
    let list = list.to_str().unwrap();
    let run = |hook: &str, mode: &str| {
        let all = [
            "run", "-i", LAN, WAN, "--feed", list, "--hook", hook, "--mode", mode,
        ];
        trickblock_tests::cli::Run::new(all)
    };
    for (hook, mode, said) in [
        ("tcp", "host", "did you mean `tcx`?"),
        ("tcx", "router", "`gateway`, `host` and `auto`"),
        ("tcx", "drop", "write `action = \"drop\"`"),
    ] {
        let output = run(hook, mode).output().unwrap();
        assert_eq!(output.code, Some(2));
        assert!(output.stderr.contains(said), "{output:?}");
    }
}
