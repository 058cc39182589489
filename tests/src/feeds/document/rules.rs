//! Rules, and the files of Trickbot.

use super::{
    Draft, lines,
    value::{Server, address, host, port, v4},
};
use crate::random::Random;

pub(super) fn suricata(draft: &mut Draft, random: &mut Random) -> String {
    let mut rows = vec!["# rules".to_owned()];
    for sid in 0..draft.count {
        let options = format!("(msg:\"c2 {sid}\"; reference:url,x.example; sid:{sid}; rev:1;)");
        rows.push(format!("{} {options}", head(draft, random)));
    }
    lines(&rows, random)
}

fn head(draft: &mut Draft, random: &mut Random) -> String {
    let action = random.pick(&["alert", "drop", "reject"]);
    match random.below(4) {
        0 => {
            let (one, other) = (v4(random), address(random));
            draft.expected.extend([host(one.into()), host(other)]);
            format!("{action} ip $HOME_NET any -> [{one}, {other}] any")
        }
        1 => {
            let server = Server::draw(random);
            draft.expected.push(server.shown(Some("tcp")));
            let Server { address, port } = server;
            format!("{action} tcp $HOME_NET any -> [{address}] {port}")
        }
        2 => {
            let (address, first) = (v4(random), port(random).min(65_533));
            for port in first..=first + 2 {
                let address = address.into();
                let server = Server { address, port };
                draft.expected.push(server.shown(Some("udp")));
            }
            let last = first + 2;
            format!("{action} udp any any -> {address} [{first}:{last}]")
        }
        _ => {
            draft.ignored += 1;
            "alert http any any -> any any".to_owned()
        }
    }
}

pub(super) fn trickbot(draft: &mut Draft, random: &mut Random) -> String {
    let (outer, inner) = random.pick(&[
        ("mcconf", "srv"),
        ("servconf", "psrv"),
        ("dpost", "handler"),
    ]);
    let mut rows = vec![format!("<{outer}>"), "<ver>1000512</ver>".to_owned()];
    for _ in 0..draft.count {
        let server = Server::v4(random);
        let text = server.text();
        if random.percent(15) {
            let left_out = random.pick(&[
                format!("<!-- <{inner}>{text}</{inner}> -->"),
                format!("<{inner}>abcdefgh.onion:443</{inner}>"),
                format!("<srva>{text}</srva>"),
                format!("<psrva>{text}</psrva>"),
            ]);
            draft.ignored += 1;
            rows.push(left_out);
            continue;
        }
        draft.expected.push(server.shown(None));
        rows.push(match inner {
            "handler" => format!("<handler>http://{text}</handler>"),
            _ => format!("<{inner}>{text}</{inner}>"),
        });
    }
    rows.push(format!("</{outer}>"));
    lines(&rows, random)
}
