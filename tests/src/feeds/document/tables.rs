//! Tables.

use super::{
    Draft, lines,
    value::{Server, address, family, host, time},
};
use crate::random::Random;

pub(super) fn feodo(draft: &mut Draft, random: &mut Random) -> String {
    let quote = random.pick(&["\"", "\"", ""]);
    let row = |fields: &[&str]| {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| format!("{quote}{field}{quote}"))
            .collect();
        fields.join(",")
    };
    let mut rows = vec!["#".repeat(40), "# Botnet C2 blocklist (CSV)".to_owned()];
    rows.push(row(&[
        "first_seen_utc",
        "dst_ip",
        "dst_port",
        "c2_status",
        "last_online",
        "malware",
    ]));
    for _ in 0..draft.count {
        let server = Server::draw(random);
        let status = random.pick(&["online", "offline", ""]);
        rows.push(row(&[
            &time(random),
            &server.address.to_string(),
            &server.port.to_string(),
            status,
            "2021-03-19",
            family(random),
        ]));
        draft.expected.push(server.shown(None));
    }
    if random.percent(70) {
        rows.push(format!("# END {} entries", draft.count));
    }
    lines(&rows, random)
}

/// With columns in any order, by their usual names.
pub(super) fn generic(draft: &mut Draft, random: &mut Random) -> String {
    let ported = random.percent(70);
    let mut columns = vec!["ip", "family", "confidence", "note"];
    if ported {
        columns.push("port");
    }
    let turn = random.below(columns.len());
    columns.rotate_left(turn);
    let mut rows = vec![columns.join(",")];
    for number in 0..draft.count {
        let server = Server::draw(random);
        let fields: Vec<String> = columns
            .iter()
            .map(|column| match *column {
                "ip" => server.address.to_string(),
                "port" => server.port.to_string(),
                "family" => format!("\"{}\"", family(random)),
                "confidence" => random.below(101).to_string(),
                _ => format!("\"note {number}, with \"\"quotes\"\"\""),
            })
            .collect();
        rows.push(fields.join(","));
        draft.expected.push(match ported {
            true => server.shown(None),
            false => host(server.address),
        });
    }
    lines(&rows, random)
}

const THREATFOX: &str = "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\
    \"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\",\"is_compromised\",\"reference\",\
    \"tags\",\"anonymous\",\"reporter\"";

pub(super) fn threatfox(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = vec!["# ThreatFox IOCs".to_owned(), THREATFOX.to_owned()];
    for number in 0..draft.count {
        let (value, kind, threat) = ioc(draft, random);
        rows.push(format!(
            "\"{}\", \"{number}\", \"{value}\", \"{kind}\", \"{threat}\", \"win.x\", \"A,B,\"\"C\"\"\", \"{}\", \"None\", \
             \"75\", \"False\", \"None\", \"x, y\", \"0\", \"r\"",
            time(random),
            family(random)
        ));
    }
    rows.push(format!("# Number of entries: {}", draft.count));
    lines(&rows, random)
}

/// Value, kind and threat of a record, most often of a server.
pub(super) fn ioc(draft: &mut Draft, random: &mut Random) -> (String, &'static str, &'static str) {
    let server = Server::draw(random);
    if random.percent(80) {
        draft.expected.push(server.shown(None));
        return (server.text(), "ip:port", "botnet_cc");
    }
    draft.ignored += 1;
    match random.percent(50) {
        true => (server.text(), "ip:port", "payload_delivery"),
        false => (
            format!("https://{}.example/?q=a,b", address(random).is_ipv4()),
            "url",
            "botnet_cc",
        ),
    }
}
