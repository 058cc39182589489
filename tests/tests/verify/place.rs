//! A gateway with a daemon, whose filter is looked at.

use std::{fs, path::PathBuf};

use serde_json::Value;
use trickblock_common::abi::ABI_VERSION;
use trickblock_tests::{
    cli::{Daemon, Output, Site},
    road::{BENIGN_6, C2, C2_6, LAN, OTHER_CLIENT, Road, WAN},
};

/// The road comes first: links must be gone before their namespaces are.
pub struct Place {
    pub site: Site,
    pub road: Road,
}

/// An allowed address inside of a listed prefix, and a network of the operator's own.
const GUARDS: &str = "[guard]\nallow = [\"203.0.113.200\"]\n[network]\nown = [\"192.0.2.64/26\"]\nnat64 = [\"2001:db8:64::/48\"]\n";

impl Place {
    pub fn new(filter: &str, interfaces: &str) -> Self {
        let (road, site) = (Road::new().unwrap(), Site::new().unwrap());
        let rows = format!(
            "{C2}\n{OTHER_CLIENT}\n203.0.113.99:443\n203.0.113.98:53/udp\n203.0.113.192/26\n192.0.2.65:8080\n\
             {C2_6}\n[{BENIGN_6}]:8443\n2001:db8:c3::/48\n"
        );
        let place = Self { site, road };
        place.list(&rows);
        let config =
            format!("{filter}{GUARDS}{interfaces}[[feed]]\nname = \"own\"\npath = \"own.txt\"\n");
        place.site.configure(&config).unwrap();
        place
    }

    /// Both interfaces, seen by this hook.
    pub fn hooked(hook: &str) -> Self {
        Self::new("", &both(hook))
    }

    pub fn list(&self, rows: &str) {
        fs::write(self.site.dir().join("own.txt"), rows).unwrap();
    }

    pub fn daemon(&self) -> Daemon {
        Daemon::start(&self.site, Some(&self.road.gateway)).unwrap()
    }

    pub fn verb(&self, verb: &str, arguments: &[&str]) -> Output {
        let run = self.site.verb(verb, arguments).within(&self.road.gateway);
        run.output().unwrap()
    }

    /// Looks at the filter; it must end with `code`.
    pub fn verify(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.verb("verify", &[&["--json"], arguments].concat());
        let log = self.site.log();
        assert_eq!(
            output.code,
            Some(code),
            "{}{}\n{log}",
            output.stdout,
            output.stderr
        );
        output.json().unwrap()
    }

    pub fn status(&self) -> Value {
        self.verb("status", &["--json"]).json().unwrap()
    }

    /// Something of this ABI version below the pins.
    pub fn pin(&self, path: &str) -> PathBuf {
        self.site.pins().join(format!("v{ABI_VERSION}")).join(path)
    }
}

pub fn both(hook: &str) -> String {
    let interface = |name: &str| format!("[[interface]]\nname = \"{name}\"\nhook = \"{hook}\"\n");
    [LAN, WAN].map(interface).concat()
}

/// The classes of the differences, each once.
pub fn differing(report: &Value) -> Vec<&str> {
    let differences = report["differences"].as_array().unwrap().iter();
    let mut classes: Vec<&str> = differences
        .map(|one| one["class"].as_str().unwrap())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}
