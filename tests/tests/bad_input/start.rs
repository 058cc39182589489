//! What keeps a daemon from starting while the filter of the one before stays on.

use std::fs;

use trickblock_tests::gateway::{Gateway, INTERFACE};

use crate::{left_filtering, refused};

struct Case {
    what: &'static str,
    /// After `[paths]`, which takes four lines.
    config: String,
    says: Vec<String>,
}

fn case(what: &'static str, config: impl Into<String>, says: &[&str]) -> Case {
    Case {
        what,
        config: config.into(),
        says: says.iter().map(ToString::to_string).collect(),
    }
}

/// A mistake in the configuration is a usage error: 2.
pub fn configurations() {
    let gateway = left_filtering();
    let feed = gateway.feed();
    let good = gateway.config();
    let cases = [
        case(
            "an unknown key",
            good.replace("xdp", "xdp_mode"),
            &["trickblock.toml:6:1:", "`xdp_mode`", "did you mean `xdp`?"],
        ),
        case(
            "an unknown section",
            good.replace("[filter]", "[filtre]"),
            &["trickblock.toml:5:", "`filtre`", "did you mean `filter`?"],
        ),
        case(
            "a wrong type",
            format!("{good}action = 1\n"),
            &["`action` in [[feed]] is 1", "it must be a string"],
        ),
        case(
            "a value out of range",
            format!("[table]\ncapacity = 4000001\n{good}"),
            &[
                "trickblock.toml:6:",
                "`capacity` in [table]",
                "a whole number from 1 to 4000000",
            ],
        ),
        case(
            "two feeds of one name",
            format!("{good}{feed}"),
            &[
                "[[feed]] `feodo` is there already, in line 10",
                "rename or remove one",
            ],
        ),
        case(
            "an interface twice",
            format!("{good}[[interface]]\nname = \"eth0\"\n"),
            &[
                "[[interface]] `eth0` is there already",
                "rename or remove one",
            ],
        ),
        case(
            "a bad prefix",
            format!("[guard]\nallow = [\"203.0.113.0/33\"]\n{good}"),
            &[
                "trickblock.toml:6:10:",
                "`allow` in [guard]",
                "203.0.113.0/33",
            ],
        ),
        case("no feed", INTERFACE, &["no [[feed]]", "name = "]),
        case(
            "no interface",
            feed.clone(),
            &["no [[interface]]", "name = \"eth0\""],
        ),
        case(
            "a syntax error",
            format!("[filter\n{good}"),
            &["trickblock.toml:5:", "not TOML"],
        ),
        case(
            "a feed with neither path nor url",
            format!("{good}[[feed]]\nname = \"x\"\n"),
            &["[[feed]]", "`url`", "`path`"],
        ),
        case(
            "a missing allow file",
            format!("[guard]\nallow_files = [\"nowhere.txt\"]\n{good}"),
            &[
                "trickblock.toml:6:",
                "nowhere.txt",
                "create it, or remove it here",
            ],
        ),
    ];
    for Case { what, config, says } in cases {
        gateway.site.configure(&config).unwrap();
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        refused(&gateway, what, &gateway.run().unwrap(), 2, &says);
    }
    fs::remove_file(gateway.site.config()).unwrap();
    let says = ["trickblock.toml", "cannot be read", "-c"];
    refused(
        &gateway,
        "no configuration",
        &gateway.run().unwrap(),
        2,
        &says,
    );
}

/// A guard that cannot be read as it is meant protects nobody: nothing starts.
pub fn allow_files() {
    let gateway = left_filtering();
    let config = format!(
        "[guard]\nallow_files = [\"allow.txt\"]\n{}",
        gateway.config()
    );
    gateway.site.configure(&config).unwrap();
    let path = gateway.site.dir().join("allow.txt");
    let cases = [
        (
            "malformed",
            "192.0.2.1\n192.0.2.999\n",
            "line 2: `192.0.2.999`",
        ),
        (
            "with a port",
            "192.0.2.1:443\n",
            "write the address or prefix alone",
        ),
        (
            "with a host name",
            "192.0.2.1\nresolver.example\n",
            "write addresses or prefixes",
        ),
        (
            "a web page",
            "<html><body>Log in</body></html>\n",
            "raw list",
        ),
    ];
    for (what, text, says) in cases {
        fs::write(&path, text).unwrap();
        let says = [
            "allow.txt",
            says,
            "nothing is blocked or changed before it is mended",
        ];
        refused(&gateway, what, &gateway.run().unwrap(), 1, &says);
    }
    // Nothing to allow yet is no mistake.
    fs::write(&path, "# one address a line\n").unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    drop(daemon);
}

/// None of the configured interfaces can be filtered: the one that is stays filtered.
pub fn interfaces() {
    let gateway = left_filtering();
    let inside = gateway.inside();
    // Of wireless captures: neither Ethernet nor IP comes first.
    let odd = trickblock_tests::tun::Tun::new(inside, "tun0").unwrap();
    odd.link_type(803).unwrap();
    inside
        .connect("eth1", &gateway.wire.outside, "peer1")
        .unwrap();
    let program = trickblock_tests::bpf::load_pass().unwrap();
    let foreign = inside.run(|| {
        let index = trickblock_tests::sys::interface_index("eth1").unwrap();
        trickblock_tests::bpf::attach_native(&program, index).unwrap()
    });
    let foreign = foreign.unwrap();
    let id = format!(
        "id {}",
        trickblock_tests::bpf::program_id(&program).unwrap()
    );
    let cases: [(&str, &[&str]); 4] = [
        ("eht0", &["interface eht0: no such interface", "`ip link`"]),
        (
            "tun0",
            &["interface tun0: frames of link type", "choose an Ethernet"],
        ),
        (
            "lo",
            &[
                "interface lo: the driver refuses native XDP",
                "xdp = \"auto\"",
            ],
        ),
        (
            "eth1",
            &[
                "interface eth1: another XDP program",
                &id,
                "ip link set dev eth1 xdp off",
            ],
        ),
    ];
    for (name, says) in cases {
        configure_interface(&gateway, name);
        refused(&gateway, name, &gateway.run().unwrap(), 1, says);
        let (code, status) = gateway.status().unwrap();
        assert_eq!(
            (code, &status["indicators"]["total"]),
            (Some(4), &2.into()),
            "{name}"
        );
    }
    assert!(trickblock_tests::bpf::program_id(&program).is_ok());
    drop(foreign);
    // Once the name is right, the new daemon takes over.
    gateway.site.configure(&gateway.config()).unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    drop(daemon);
}

fn configure_interface(gateway: &Gateway, name: &str) {
    let config = gateway.config().replace("\"eth0\"", &format!("\"{name}\""));
    gateway.site.configure(&config).unwrap();
}
