//! A filter on the engine's host.

use std::path::Path;

use serde_json::Value;
use trickblock_tests::{
    cli::{Daemon, Output, Site},
    docker::{C2, World},
    gateway::wait_for,
};

pub const IDLE: &[&str] = &["sleep", "1000"];
/// What the feed lists: the C2 by port, everything of it, and what no feed may block.
pub const LIST: &str = "203.0.113.7:447\n203.0.113.7\n10.77.0.0/24\n10.77.0.3\n";

/// The daemon ends first, then its pins go, and with them the filter.
pub struct Filter {
    _daemon: Daemon,
    pub site: Site,
}

/// An interface in a configuration: name, role and hook.
pub type Place<'a> = (&'a str, &'a str, &'a str);

impl Filter {
    /// Follows the engine of `world`, and waits until it does.
    pub fn start(world: &World, places: &[Place<'_>]) -> Self {
        let filter = Self::with_engine(world, &world.engine.socket(), places);
        filter.wait_for_names();
        filter
    }

    /// Follows whatever is at `engine`.
    pub fn with_engine(world: &World, engine: &Path, places: &[Place<'_>]) -> Self {
        let site = Site::new().unwrap();
        configure(&site, engine, places);
        let daemon = Daemon::start(&site, Some(&world.engine.host)).unwrap();
        Self {
            _daemon: daemon,
            site,
        }
    }

    /// Follows another engine from now on.
    pub fn change_engine(&self, engine: &Path, places: &[Place<'_>]) {
        configure(&self.site, engine, places);
        let reload = self.site.verb("reload", &[]).output();
        reload.unwrap().succeeded().unwrap();
    }

    pub fn wait_for_names(&self) {
        let log = || self.site.log().contains("known by name").then_some(());
        wait_for("the engine's answer", || Ok(log())).unwrap();
    }

    /// `trickblock contacts`, which must end with `code`.
    pub fn contacts(&self, code: i32, arguments: &[&str]) -> Output {
        let output = self.site.verb("contacts", arguments).output().unwrap();
        assert_eq!(output.code, Some(code), "{output:?}\n{}", self.site.log());
        output
    }

    /// The contact of the container `name`, there being just one.
    pub fn contact_of(&self, name: &str) -> Value {
        let json = self.contacts(5, &["--json"]).json().unwrap();
        let all = json["contacts"].as_array().unwrap();
        let of_container = |contact: &&Value| contact["container"]["name"] == name;
        let found: Vec<_> = all.iter().filter(of_container).collect();
        assert_eq!(found.len(), 1, "{json:#}\n{}", self.site.log());
        assert_eq!(found[0]["address"], C2, "{json:#}");
        found[0].clone()
    }
}

fn configure(site: &Site, engine: &Path, places: &[Place<'_>]) {
    let feed = site.dir().join("c2.txt");
    std::fs::write(&feed, LIST).unwrap();
    let mut config = format!("[docker]\nsocket = {engine:?}\n");
    for (name, role, hook) in places {
        config += &format!("[[interface]]\nname = {name:?}\nrole = {role:?}\nhook = {hook:?}\n");
    }
    config += &format!("[[feed]]\nname = \"own\"\npath = {feed:?}\n");
    site.configure(&config).unwrap();
}
