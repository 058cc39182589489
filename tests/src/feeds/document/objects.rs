//! JSON.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{
    Draft,
    tables::ioc,
    value::{Server, address, family, host, network, time},
};
use crate::random::Random;

fn text(value: &Value, random: &mut Random) -> String {
    let shown = match random.percent(50) {
        true => serde_json::to_string(value),
        false => serde_json::to_string_pretty(value),
    };
    shown.expect("a value without odd keys")
}

pub(super) fn feodo(draft: &mut Draft, random: &mut Random) -> String {
    let mut servers = Vec::new();
    for _ in 0..draft.count {
        let server = Server::draw(random);
        let port = match random.percent(70) {
            true => json!(server.port),
            false => json!(server.port.to_string()),
        };
        servers.push(json!({"ip_address": server.address, "port": port, "status": "offline", "hostname": null,
            "as_number": 64496, "first_seen": time(random), "last_online": null, "malware": family(random)}));
        draft.expected.push(server.shown(None));
    }
    text(&Value::Array(servers), random)
}

pub(super) fn threatfox(draft: &mut Draft, random: &mut Random) -> String {
    let mut records = Vec::new();
    for id in 0..draft.count {
        let (value, kind, threat) = ioc(draft, random);
        records.push(json!({"id": id.to_string(), "ioc": value, "ioc_type": kind, "threat_type": threat,
            "malware_printable": family(random), "confidence_level": 75, "first_seen": time(random), "tags": null}));
    }
    text(&json!({"query_status": "ok", "data": records}), random)
}

pub(super) fn spamhaus(draft: &mut Draft, random: &mut Random) -> String {
    let mut body = String::new();
    for number in 0..draft.count {
        let network = network(random);
        let row = json!({"cidr": network, "sblid": format!("SBL{number}"), "rir": "ripencc"});
        body.push_str(&format!("{row}\n"));
        draft.expected.push(network);
    }
    let end =
        json!({"type": "metadata", "timestamp": 1_713_174_486, "size": 1, "records": draft.count});
    body + &end.to_string()
}

pub(super) fn misp(draft: &mut Draft, random: &mut Random) -> String {
    let (mut attributes, mut objects) = (Vec::new(), Vec::new());
    for _ in 0..draft.count {
        let server = Server::draw(random);
        let (ip, port) = (server.address, server.port);
        match random.below(4) {
            0 => {
                attributes.push(json!({"type": "ip-dst", "value": ip, "to_ids": true}));
                draft.expected.push(host(ip));
            }
            1 => {
                attributes.push(json!({"type": "ip-dst|port", "value": format!("{ip}|{port}"), "timestamp": "1600000000"}));
                draft.expected.push(server.shown(None));
            }
            2 => {
                let port = port.to_string();
                objects.push(json!({"name": "ip-port", "Attribute": [
                    {"type": "ip-dst", "object_relation": "ip-dst", "value": ip},
                    {"type": "port", "object_relation": "dst-port", "value": port}]}));
                draft.expected.push(server.shown(None));
                // The port is an entry of its own that names nothing by itself.
                draft.ignored += 1;
            }
            _ => {
                attributes.push(random.pick(&[
                    json!({"type": "md5", "value": "d41d8cd98f00b204e9800998ecf8427e"}),
                    json!({"type": "ip-src", "value": ip}),
                    json!({"type": "ip-dst", "value": ip, "to_ids": false}),
                    json!({"type": "ip-dst", "value": ip, "deleted": true}),
                ]));
                draft.ignored += 1;
            }
        }
    }
    let event = json!({"info": family(random), "published": true, "Attribute": attributes, "Object": objects});
    let wrapped = match random.below(3) {
        0 => json!({"response": [{"Event": event}]}),
        1 => json!([{"Event": event}]),
        _ => json!({"Event": event}),
    };
    text(&wrapped, random)
}

pub(super) fn crowdsec(draft: &mut Draft, random: &mut Random) -> String {
    let mut new = Vec::new();
    for id in 0..draft.count {
        let mut decision = json!({"id": id, "origin": "CAPI", "duration": "3h59m58.1s", "scenario": "ssh:bruteforce",
            "scope": "Ip", "type": "ban", "value": address(random)});
        match random.below(4) {
            0 => {
                decision["scope"] = json!("Range");
                decision["value"] = json!(network(random));
            }
            1 if random.percent(50) => decision["type"] = json!("captcha"),
            1 => decision["scope"] = json!("Country"),
            _ => {}
        }
        let taken = decision["type"] == "ban" && decision["scope"] != "Country";
        let value = decision["value"].as_str().expect("a text").to_owned();
        match taken {
            true => draft
                .expected
                .push(value.parse::<IpAddr>().map_or(value, host)),
            false => draft.ignored += 1,
        }
        new.push(decision);
    }
    text(&json!({"new": new, "deleted": null}), random)
}

pub(super) fn stix(draft: &mut Draft, random: &mut Random) -> String {
    let mut objects = vec![json!({"type": "identity", "id": "identity--0", "name": "Größe"})];
    for id in 0..draft.count {
        let mut object = json!({"type": "indicator", "spec_version": "2.1", "id": format!("indicator--{id}"),
            "pattern_type": "stix", "valid_from": "2024-01-01T00:00:00.000Z", "pattern": pattern(draft, random)});
        if random.percent(30) {
            object["confidence"] = json!(random.below(101));
        }
        objects.push(object);
    }
    let bundle = json!({"type": "bundle", "id": "bundle--0", "objects": objects});
    text(&bundle, random)
}

fn pattern(draft: &mut Draft, random: &mut Random) -> String {
    let server = Server::draw(random);
    let kind = match server.address {
        IpAddr::V4(_) => "ipv4-addr:value",
        IpAddr::V6(_) => "ipv6-addr:value",
    };
    match random.below(6) {
        0 => {
            draft.ignored += 1;
            "[domain-name:value = 'it\\'s.example' AND file:hashes.'SHA-256' LIKE '0%']".to_owned()
        }
        1 => {
            draft.expected.push(server.shown(Some("tcp")));
            let Server { address, port } = server;
            format!(
                "[network-traffic:dst_ref.value = '{address}' AND network-traffic:dst_port = {port} AND network-traffic:protocols[*] = 'tcp']"
            )
        }
        2 => alternatives(draft, random),
        3 => {
            let network = network(random);
            draft.expected.push(network.clone());
            format!("[network-traffic:dst_ref.value ISSUBSET '{network}']")
        }
        _ => {
            draft.expected.push(host(server.address));
            format!("[{kind} = '{}']", server.address)
        }
    }
}

/// A list of addresses and some ports, each of which is meant with each.
fn alternatives(draft: &mut Draft, random: &mut Random) -> String {
    let count = if random.percent(5) { 40 } else { 2 };
    let ports: Vec<u16> = (1000..).take(count).collect();
    let hosts: Vec<u8> = (1..).take(count).collect();
    for (host, port) in hosts
        .iter()
        .flat_map(|host| ports.iter().map(move |port| (host, port)))
    {
        draft.expected.push(format!("203.0.113.{host}/32:{port}"));
    }
    let hosts: Vec<String> = hosts
        .iter()
        .map(|host| format!("'203.0.113.{host}'"))
        .collect();
    let ports: Vec<String> = ports
        .iter()
        .map(|port| format!("network-traffic:dst_port = {port}"))
        .collect();
    format!(
        "[ipv4-addr:value IN ({}) AND ({})]",
        hosts.join(","),
        ports.join(" OR ")
    )
}
