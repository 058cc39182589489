//! Lists of ranges whose kind is known: plain ones, and MISP's warninglists.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;

use super::{DaemonError, start::list_text};
use crate::{
    config::Config,
    feed::{self, Format, NotAFeed},
    indicator::prefix,
    policy::Kinds,
};

/// What the configuration's lists know.
pub(super) fn kinds(config: &Config) -> Result<Kinds, DaemonError> {
    let policy = &config.policy;
    Ok(Kinds::new(
        all(&policy.residential_files)?,
        all(&policy.shared_files)?,
        all(&policy.sinkhole_files)?,
        policy.residential_life,
    ))
}

fn all(paths: &[PathBuf]) -> Result<Vec<IpNet>, DaemonError> {
    let mut nets = Vec::new();
    for path in paths {
        let listed = ranges(path).map_err(|reason| DaemonError::Ranges {
            path: path.clone(),
            reason,
        })?;
        nets.extend(listed);
    }
    Ok(nets)
}

#[derive(Deserialize)]
struct Warninglist {
    list: Vec<String>,
}

fn ranges(path: &Path) -> Result<Vec<IpNet>, String> {
    let text = list_text(path)?;
    if text.trim_ascii_start().starts_with(b"{") {
        let list: Warninglist = serde_json::from_slice(&text)
            .map_err(|error| format!("it is no MISP warninglist ({error}): give its list.json"))?;
        let nets = list.list.iter().filter_map(|entry| prefix(entry).ok());
        return Ok(nets.map(|net| net.trunc()).collect());
    }
    match feed::parse(&text, Some(Format::Plain)) {
        Err(NotAFeed::Empty | NotAFeed::NoEntries { .. }) => Ok(Vec::new()),
        parsed => {
            let rows = parsed.map_err(|error| error.to_string())?.rows;
            Ok(rows.iter().map(|row| row.indicator.prefix).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_read_and_what_is_no_range_is_left_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("list");
        for text in [
            "# clouds\n192.0.2.0/24\ncloud.example\n198.51.100.7\n",
            r#"{"name": "x", "list": ["192.0.2.0/24", "cloud.example", "198.51.100.7"]}"#,
        ] {
            std::fs::write(&path, text).expect("written");
            let found = ranges(&path).expect(text);
            let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(shown, ["192.0.2.0/24", "198.51.100.7/32"]);
        }
        std::fs::write(&path, "{\"asn\": 1}").expect("written");
        let error = ranges(&path).expect_err("no list");
        assert!(error.contains("no MISP warninglist"), "{error}");
    }
}
