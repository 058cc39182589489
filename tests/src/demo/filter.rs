//! The filter that the demo shows: the real daemon and the real verbs.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::topology::{INSIDE, UPLINK};
use crate::{
    cli::{Daemon, Site},
    netns::Netns,
};

/// What the demo needs of a filter. A test of the demo can put another one in, to see that
/// leaks and losses are noticed.
pub trait Filter {
    /// Starts filtering at the gateway.
    fn start(&mut self, place: &Place) -> anyhow::Result<()>;
    /// What it says of itself once the feeds are in force; `None` until then.
    fn live(&mut self) -> anyhow::Result<Option<Live>>;
    /// Ends the daemon with SIGTERM. The filter must stay.
    fn stop(&mut self) -> anyhow::Result<()>;
    /// Takes the filter away.
    fn off(&mut self) -> anyhow::Result<()>;
    /// What the daemon wrote.
    fn log(&self) -> String;
}

/// Where to filter, and by what.
#[derive(Clone, Debug)]
pub struct Place {
    pub gateway: Netns,
    pub csv_url: String,
    pub plain_url: String,
    pub poll_interval: Duration,
    /// How many indicators the feeds hold at the start.
    pub indicators: u64,
}

/// A filter in force.
#[derive(Clone, Debug)]
pub struct Live {
    /// `native` or `generic`; if the interfaces differ, the worse one.
    pub xdp_mode: String,
    pub indicators: u64,
}

/// The product.
#[derive(Debug, Default)]
pub struct Trickblock {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// Dropped before the site, whose pins would come back otherwise.
    daemon: Option<Daemon>,
    site: Site,
    place: Place,
}

impl Filter for Trickblock {
    fn start(&mut self, place: &Place) -> anyhow::Result<()> {
        let site = Site::new()?;
        site.configure(&configuration(place))?;
        let daemon = Some(Daemon::start(&site, Some(&place.gateway))?);
        self.running = Some(Running {
            daemon,
            site,
            place: place.clone(),
        });
        Ok(())
    }

    fn live(&mut self) -> anyhow::Result<Option<Live>> {
        let running = self.running()?;
        let daemon = running.daemon.as_mut().context("the daemon was stopped")?;
        if !daemon.alive()? {
            bail!("the daemon ended\n{}", daemon.log());
        }
        Ok(judge(&daemon.status()?, running.place.indicators))
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let daemon = self
            .running()?
            .daemon
            .take()
            .context("the daemon was stopped before")?;
        let log = daemon.log();
        let status = daemon.terminate(Duration::from_secs(10))?;
        if !status.success() {
            bail!("SIGTERM ended the daemon with {status}\n{log}");
        }
        Ok(())
    }

    fn off(&mut self) -> anyhow::Result<()> {
        let running = self.running()?;
        let off = running
            .site
            .verb("off", &[])
            .within(&running.place.gateway)
            .output()?;
        off.succeeded().context("`trickblock off`").map(drop)
    }

    fn log(&self) -> String {
        self.running
            .as_ref()
            .map_or_else(String::new, |running| running.site.log())
    }
}

impl Trickblock {
    fn running(&mut self) -> anyhow::Result<&mut Running> {
        self.running.as_mut().context("the filter was not started")
    }
}

fn configuration(place: &Place) -> String {
    let Place {
        csv_url,
        plain_url,
        poll_interval,
        ..
    } = place;
    let interval = format!("{}ms", poll_interval.as_millis());
    format!(
        r#"
[network]
own = ["198.51.100.0/24", "198.18.66.0/24", "2001:db8:66::/48"]

[filter]
action = "drop"
xdp = "native"

[[interface]]
name = "{INSIDE}"
role = "inside"

[[interface]]
name = "{UPLINK}"
role = "uplink"

[[feed]]
name = "feodo"
url = "{csv_url}"
format = "feodo-csv"
action = "drop"
hold_down = "0s"
interval = "{interval}"

[[feed]]
name = "plain"
url = "{plain_url}"
format = "plain"
action = "drop"
hold_down = "0s"
interval = "{interval}"
"#
    )
}

/// In force: active, both interfaces attached, every indicator of both feeds there.
fn judge(status: &Value, expected: u64) -> Option<Live> {
    let indicators = status["indicators"]["total"].as_u64()?;
    let interfaces = status["interfaces"].as_array()?;
    let attached = interfaces
        .iter()
        .filter(|one| one["attached"] == true)
        .count();
    if status["state"] != "active" || attached != 2 || indicators < expected {
        return None;
    }
    let native = interfaces.iter().all(|one| one["mode"] == "native");
    let xdp_mode = if native { "native" } else { "generic" }.to_owned();
    Some(Live {
        xdp_mode,
        indicators,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(state: &str, modes: [&str; 2], total: u64) -> Value {
        let interfaces = modes.map(|mode| json!({"mode": mode, "attached": mode != "none"}));
        json!({"state": state, "interfaces": interfaces, "indicators": {"total": total}})
    }

    #[test]
    fn live_needs_state_interfaces_and_indicators() {
        let mode = |value| judge(&value, 10).map(|live| live.xdp_mode);
        assert_eq!(
            mode(status("active", ["native"; 2], 10)).as_deref(),
            Some("native")
        );
        assert_eq!(
            mode(status("active", ["native", "generic"], 11)).as_deref(),
            Some("generic")
        );
        assert_eq!(mode(status("active", ["native"; 2], 9)), None);
        assert_eq!(mode(status("degraded", ["native"; 2], 10)), None);
        assert_eq!(mode(status("active", ["native", "none"], 10)), None);
        assert_eq!(mode(json!({})), None);
    }
}
