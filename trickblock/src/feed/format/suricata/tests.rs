use crate::feed::{Format, Parsed, parse};

fn rules(rules: &[&str]) -> Parsed {
    let body: String = rules.iter().map(|rule| format!("{rule}\n")).collect();
    parse(body.as_bytes(), Some(Format::Suricata)).expect("rules")
}

fn shown(parsed: &Parsed) -> Vec<String> {
    let rows = parsed.rows.iter();
    rows.map(|row| format!("{} {}", row.line, row.indicator))
        .collect()
}

#[test]
fn rules_are_known_by_their_form() {
    let body = b"# ET\nalert ip $HOME_NET any -> [192.0.2.1,192.0.2.2] any (msg:\"C2; group 1\"; sid:1; rev:1;)\n";
    let parsed = parse(body, None).expect("rules");
    assert_eq!(parsed.format, Format::Suricata);
    assert_eq!(shown(&parsed), ["2 192.0.2.1/32", "2 192.0.2.2/32"]);
}

#[test]
fn the_side_opposite_home_is_taken_with_its_own_port() {
    let parsed = rules(&[
        "alert tcp $HOME_NET any -> 192.0.2.1 443 (sid:1;)",
        "alert ip [192.0.2.0/24, [2001:db8::1]] any -> $HOME_NET any (sid:2;)",
        "drop udp [192.0.2.5] 53 <> any any (sid:3;)",
        "alert tcp $HOME_NET any -> [192.0.2.6] [80,8080:8081] (sid:4; metadata: x y, malware_family Emotet;)",
    ]);
    assert_eq!(
        shown(&parsed),
        [
            "1 192.0.2.1/32:443/tcp",
            "2 192.0.2.0/24",
            "2 2001:db8::1/128",
            "3 192.0.2.5/32:53/udp",
            "4 192.0.2.6/32:80/tcp",
            "4 192.0.2.6/32:8080/tcp",
            "4 192.0.2.6/32:8081/tcp",
        ]
    );
    assert_eq!(parsed.rows[6].sighting.family.as_deref(), Some("Emotet"));
    assert_eq!((parsed.ignored, parsed.rejected), (0, 0));
}

#[test]
fn what_means_less_than_the_address_is_left_out() {
    let parsed = rules(&[
        "alert tcp $HOME_NET any -> 192.0.2.1 443 (content:\"x\"; sid:1;)",
        "alert http $HOME_NET any -> 192.0.2.1 any (sid:2;)",
        "alert tcp $HOME_NET any -> 192.0.2.1 443 (flowbits:isset,a; sid:3;)",
        "alert tcp $EXTERNAL_NET any -> 192.0.2.1 443 (sid:4;)",
        "alert tcp any any -> any 443 (sid:5;)",
        "pass ip any any -> 192.0.2.1 any (sid:6;)",
        "# alert ip any any -> 192.0.2.1 any (sid:7;)",
        "alert ip any any -> 192.0.2.1 any (flowbits:set,a; sid:8;)",
    ]);
    assert_eq!(shown(&parsed), ["8 192.0.2.1/32"]);
    assert_eq!((parsed.ignored, parsed.rejected), (6, 0));
    let warnings = parsed.warnings.join("\n");
    assert!(warnings.contains("3 entries that mean less"), "{warnings}");
    assert!(warnings.contains("1 exceptions"), "{warnings}");
}

#[test]
fn what_cannot_be_matched_is_rejected_and_never_widened() {
    let parsed = rules(
        &[
            "alert ip any any -> [192.0.2.0/24,!192.0.2.1] any (sid:1;)",
            "alert tcp any any -> 192.0.2.1 !443 (sid:2;)",
            "alert tcp any any -> 192.0.2.1 1024: (sid:3;)",
            "alert tcp any any -> 192.0.2.1 $HTTP_PORTS (sid:4;)",
            "alert ip 192.0.2.1 any -> 198.51.100.1 any (sid:5;)",
            "alert tcp any 1234 -> 192.0.2.1 443 (sid:6;)",
            "alert tcp any any -> 192.0.2.1 any (sid:7;)",
            "alert ip any any -> [192.0.2.1 any (sid:8;)",
            "alert ip any any -> 192.0.2.1 any (sid:9;",
            "alert ip any any -> 192.0.2.300 any (sid:10;)",
            "nonsense",
        ]
        .iter()
        .chain(&["alert ip any any -> 192.0.2.1 any (sid:11;)"; 11])
        .copied()
        .collect::<Vec<_>>(),
    );
    assert_eq!((parsed.rejected, parsed.rows.len()), (11, 11));
    assert!(
        parsed
            .rejections
            .iter()
            .all(|rejection| !rejection.reason.is_empty())
    );
}

#[test]
fn tcp_and_udp_on_all_ports_together_are_the_address() {
    let parsed = rules(&[
        "alert tcp $HOME_NET any -> [192.0.2.1,192.0.2.2] any (sid:1;)",
        "alert udp $HOME_NET any -> [192.0.2.1] any (sid:2;)",
    ]);
    assert_eq!(shown(&parsed), ["1 192.0.2.1/32", "2 192.0.2.1/32"]);
    assert_eq!((parsed.rejected, parsed.total()), (1, 3));
    assert!(
        parsed.rejections[0]
            .reason
            .contains("one protocol on all ports")
    );
}

#[test]
fn rules_go_on_over_lines() {
    let parsed = rules(&[
        "alert ip $HOME_NET any -> [192.0.2.1,\\",
        "  192.0.2.2] any (msg:\"x\"; \\",
        "sid:1;)",
        "alert ip any any -> 192.0.2.3 any (sid:2;) \\",
    ]);
    assert_eq!(shown(&parsed), ["3 192.0.2.1/32", "3 192.0.2.2/32"]);
    assert_eq!(parsed.rejected, 1);
    let deep = format!(
        "alert ip any any -> {}192.0.2.1{} any (sid:1;)",
        "[".repeat(40),
        "]".repeat(40)
    );
    let ok = "alert ip any any -> 192.0.2.9 any (sid:2;)";
    assert_eq!(rules(&[&deep, ok]).rejected, 1);
}
