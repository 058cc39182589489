//! The two lists that the feed server publishes.

use std::net::SocketAddr;

use super::plan::{OTHER_ROWS, Pair, Role};

/// A CSV as Feodo Tracker writes it: nine comment lines, a header, quoted fields, CRLF, and a
/// footer without a line end whose count lets a reader notice a truncated download.
pub fn feodo_csv(endpoints: &[SocketAddr]) -> String {
    let now = jiff::Timestamp::now();
    let today = now.strftime("%Y-%m-%d");
    let rule = "#".repeat(64);
    let mut lines = vec![
        rule.clone(),
        comment("trickblock lab: botnet C2 blocklist (CSV)"),
        comment(&format!(
            "Last updated: {} UTC",
            now.strftime("%Y-%m-%d %H:%M:%S")
        )),
        comment(""),
        comment("Made up for a demonstration: every address in here is reserved"),
        comment("for documentation or for benchmarks."),
        comment(""),
        rule,
        "#".to_owned(),
        r#""first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware""#.to_owned(),
    ];
    let row = |(index, endpoint): (usize, &SocketAddr)| {
        let (ip, port) = (endpoint.ip(), endpoint.port());
        let minute = index % 60;
        let malware = FAMILIES[index % FAMILIES.len()];
        format!(r#""{today} 00:{minute:02}:00","{ip}","{port}","online","{today}","{malware}""#)
    };
    lines.extend(endpoints.iter().enumerate().map(row));
    lines.push(format!("# END {} entries", endpoints.len()));
    lines.join("\r\n")
}

/// Rows of the CSV: the v4 pairs in `roles`, and hosts that do not exist.
pub fn csv_rows(pairs: &[Pair], roles: &[Role]) -> Vec<SocketAddr> {
    let nobody = (0..OTHER_ROWS).map(|n| SocketAddr::from(([203, 0, 113, 128 + n], 449)));
    let listed = pairs.iter().filter(|pair| roles.contains(&pair.role));
    let v4 = listed.map(|pair| pair.endpoint).filter(|endpoint| {
        // The address that the plain list names with every port is not repeated here.
        endpoint.is_ipv4() && endpoint.ip().to_string() != ANY_PORT
    });
    v4.chain(nobody).collect()
}

/// A plain list: what Feodo's CSV cannot say, v6, a whole address, networks.
pub const PLAIN_LIST: &str = "\
# trickblock lab: plain list
[2001:db8:c2::66]:443
192.0.2.200   # every port
198.18.200.0/28
2001:db8:bad::/48 ; a whole network
";

/// How many indicators [`PLAIN_LIST`] has.
pub const PLAIN_ROWS: u64 = 4;

const ANY_PORT: &str = "192.0.2.200";
const FAMILIES: [&str; 4] = ["TrickBot", "Emotet", "QakBot", "Dridex"];

fn comment(text: &str) -> String {
    format!("# {text:<60} #")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::plan::pairs;

    #[test]
    fn csv_has_the_shape_of_the_original() {
        let text = feodo_csv(&["203.0.113.66:443".parse().unwrap()]);
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 12);
        assert!(lines[..9].iter().all(|line| line.starts_with('#')));
        assert!(lines[9].starts_with("\"first_seen_utc\",\"dst_ip\",\"dst_port\","));
        assert!(
            lines[10].contains("\",\"203.0.113.66\",\"443\",\"online\",\""),
            "{}",
            lines[10]
        );
        assert_eq!(lines[11], "# END 1 entries");
    }

    /// Every C2 of the plan is in a list, and nothing benign is.
    #[test]
    fn lists_and_plan_agree() {
        let pairs = pairs().unwrap();
        let csv = csv_rows(&pairs, &[Role::C2, Role::RemovedC2, Role::NewC2]);
        for pair in &pairs {
            let endpoint = pair.endpoint;
            let in_plain = PLAIN_LIST.lines().any(|line| {
                let word = line.split(' ').next().unwrap_or_default();
                word == endpoint.to_string() || word == endpoint.ip().to_string()
            });
            let listed = csv.contains(&endpoint) || in_plain;
            assert_eq!(listed, pair.role != Role::Benign, "{endpoint}");
        }
        assert_eq!(csv.len(), usize::from(OTHER_ROWS) + 3);
    }
}
