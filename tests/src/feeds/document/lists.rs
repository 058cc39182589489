//! Lists with an entry a line.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Draft, lines,
    value::{Server, address, host, network, v4},
};
use crate::random::Random;

/// Every way to write an entry that docs/feeds.md names.
pub(super) fn plain(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = Vec::new();
    if random.percent(50) {
        rows.push(format!("# a list, {} entries", draft.count));
    }
    for _ in 0..draft.count {
        if random.percent(10) {
            rows.push(
                random
                    .pick(&["", "# a comment", "; an old one", "  "])
                    .into(),
            );
        }
        rows.push(entry(draft, random));
    }
    lines(&rows, random)
}

fn entry(draft: &mut Draft, random: &mut Random) -> String {
    let server = Server::draw(random);
    let (text, meaning) = match random.below(10) {
        0..=2 => address_with_more(random),
        3 => (server.text(), server.shown(None)),
        4 => {
            let protocol = random.pick(&["tcp", "udp", "sctp", "dccp", "udplite"]);
            let text = format!("{}/{protocol}", server.text());
            (text, server.shown(Some(protocol)))
        }
        5 => {
            let network = network(random);
            (network.clone(), network)
        }
        6 => (
            format!("hxxp://{}/gate.php?x=1", server.text()),
            server.shown(None),
        ),
        7 => {
            let server = Server::v4(random);
            let text = server.text().replace('.', "[.]");
            (text, server.shown(None))
        }
        8 => range(random),
        _ => {
            draft.ignored += 1;
            let names = ["evil.example", "http://evil.example/a", "x.onion:443"];
            return random.pick(&names).into();
        }
    };
    draft.expected.push(meaning);
    text
}

fn address_with_more(random: &mut Random) -> (String, String) {
    let address = address(random);
    let text = match random.below(5) {
        0 => format!("\"{address}\""),
        1 => format!("{address}\t{}", random.below(101)),
        2 => format!("  {address} # why"),
        _ => address.to_string(),
    };
    (text, host(address))
}

/// Two neighbours, which are one prefix.
fn range(random: &mut Random) -> (String, String) {
    let first = v4(random).to_bits() & !1;
    let [first, last] = [first, first | 1].map(Ipv4Addr::from);
    let dash = random.pick(&["-", " - "]);
    (format!("{first}{dash}{last}"), format!("{first}/31"))
}

pub(super) fn feodo(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = vec!["# Feodo Tracker Botnet C2 IP Blocklist".to_owned()];
    for _ in 0..draft.count {
        let address = v4(random);
        draft.expected.push(host(address.into()));
        rows.push(address.to_string());
    }
    rows.push(format!("# END {} entries", draft.count));
    lines(&rows, random)
}

pub(super) fn spamhaus(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = vec!["; Spamhaus DROP List".to_owned()];
    for number in 0..draft.count {
        let network = network(random);
        rows.push(format!("{network} ; SBL{}", 1000 + number));
        draft.expected.push(network);
    }
    lines(&rows, random)
}

pub(super) fn ipset(draft: &mut Draft, random: &mut Random) -> String {
    if random.percent(30) {
        return firehol(draft, random);
    }
    let mut rows = vec!["create c2 hash:net,port family inet hashsize 1024".to_owned()];
    for _ in 0..draft.count {
        rows.push(added(draft, random));
    }
    if random.percent(30) {
        rows.push("add holes 100.100.0.0/24 nomatch".to_owned());
        rows.push("add holes 100.100.0.0/23".to_owned());
        draft.expected.push("100.100.1.0/24".to_owned());
        draft.ignored += 1;
    }
    lines(&rows, random)
}

fn added(draft: &mut Draft, random: &mut Random) -> String {
    let option = random.pick(&["", "", " timeout 300", " packets 1 bytes 60"]);
    let server = Server::draw(random);
    let IpAddr::V4(address) = server.address else {
        draft.expected.push(host(server.address));
        return format!("add c6 {}{option}", server.address);
    };
    let (element, meaning) = match random.below(3) {
        0 => (address.to_string(), host(server.address)),
        1 => (
            format!("{address},udp:{}", server.port),
            server.shown(Some("udp")),
        ),
        _ => (
            format!("{address},{}", server.port),
            server.shown(Some("tcp")),
        ),
    };
    draft.expected.push(meaning);
    format!("add c2 {element}{option}")
}

fn firehol(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = vec![
        "# x".to_owned(),
        "# ipv4 hash:net ipset".to_owned(),
        format!("# Entries         : {} unique IPs", draft.count),
    ];
    for _ in 0..draft.count {
        let address = v4(random);
        draft.expected.push(host(address.into()));
        rows.push(address.to_string());
    }
    lines(&rows, random)
}
