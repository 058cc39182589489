use super::*;
use crate::feed::{Parsed, parse};

fn with(layout: CsvLayout, body: &str) -> Result<Parsed, NotAFeed> {
    let options = Options {
        format: Some(Format::Csv),
        csv: Some(layout),
        ..Options::default()
    };
    parse(body.as_bytes(), options)
}

fn plain(body: &str) -> Result<Parsed, NotAFeed> {
    with(CsvLayout::default(), body)
}

fn shown(parsed: &Parsed) -> Vec<String> {
    let rows = parsed.rows.iter();
    rows.map(|row| format!("{} {}", row.line, row.indicator))
        .collect()
}

fn columns(columns: &[(Field, usize)]) -> Vec<(Field, Column)> {
    let column = |(role, number): &(Field, usize)| (*role, Column::Number(*number));
    columns.iter().map(column).collect()
}

#[test]
fn usual_names_are_found() {
    let parsed =
        plain("# a list\nDate,Dst IP,Dst Port,Malware\n2021-01-01,192.0.2.1,443,Dridex\n").unwrap();
    assert_eq!(shown(&parsed), ["3 192.0.2.1/32:443"]);
    assert_eq!(parsed.rows[0].sighting.family.as_deref(), Some("Dridex"));
    assert!(parsed.rows[0].sighting.first_seen.is_some());
    let commented = plain("# ip,port\n192.0.2.1,443\n").unwrap();
    assert_eq!(shown(&commented), ["2 192.0.2.1/32:443"]);
}

/// A blank that parts fields is none that may be cut off.
#[test]
fn a_table_with_tabs_may_begin_with_an_empty_field() {
    let layout = CsvLayout {
        delimiter: b'\t',
        ..CsvLayout::default()
    };
    for header in [
        "\tip\tport\tother",
        "note\tip\tport\tother",
        "# note\tip\tport\tother",
    ] {
        let body = format!("{header}\n\t192.0.2.1\t443\t\n\t192.0.2.2\t80\t192.0.2.3\r\n\t\t \n");
        let parsed = with(layout.clone(), &body).unwrap();
        assert_eq!(
            shown(&parsed),
            ["2 192.0.2.1/32:443", "3 192.0.2.2/32:80"],
            "{header}"
        );
        assert_eq!(parsed.rejected, 0, "{header}");
    }
}

#[test]
fn a_port_column_never_widens() {
    let body = "ip,port,proto\n192.0.2.1,,\n192.0.2.2,0,\n192.0.2.3,443,icmp\n192.0.2.4,443,tcp\n192.0.2.5,80,\n192.0.2.6:1,2,\n192.0.2.7,3,\n192.0.2.8,4,\n192.0.2.9,5,\n";
    let parsed = plain(body).unwrap();
    let told: Vec<u32> = parsed.rejections.iter().map(|r| r.line).collect();
    assert_eq!(told, [2, 3, 4, 7]);
    assert_eq!(shown(&parsed)[0], "5 192.0.2.4/32:443/tcp");
    let alone = plain("ip,proto\n192.0.2.1,tcp\n192.0.2.2,\n192.0.2.3,\n").unwrap();
    assert_eq!(alone.rejections[0].line, 2);
}

#[test]
fn a_layout_names_numbers_signs_and_conditions() {
    let layout = CsvLayout {
        delimiter: b';',
        quote: Some(b'\''),
        comment: Some('!'),
        header: false,
        columns: columns(&[(Field::IpPort, 2), (Field::Confidence, 3)]),
        conditions: vec![
            Condition {
                column: Column::Number(1),
                values: vec!["c2".to_owned()],
                wanted: true,
            },
            Condition {
                column: Column::Number(4),
                values: vec!["offline".to_owned()],
                wanted: false,
            },
        ],
    };
    let body = "! own\nC2;'192.0.2.1:443';90;online\nscan;192.0.2.2:1;1;online\nc2;192.0.2.3:2;5;Offline\nc2;192.0.2.4;5;\nc2;192.0.2.5:9;x;\n";
    let parsed = with(layout, body).unwrap();
    assert_eq!(shown(&parsed), ["2 192.0.2.1/32:443", "6 192.0.2.5/32:9"]);
    assert_eq!(parsed.rows[0].sighting.confidence, Some(90));
    assert_eq!((parsed.ignored, parsed.rejected), (2, 1));
}

#[test]
fn columns_that_are_not_there_are_named() {
    let error = plain("a,b\n1,2\n").unwrap_err().to_string();
    assert!(
        error.contains("`a`, `b`") && error.contains("[feed.csv]"),
        "{error}"
    );
    let layout = CsvLayout {
        columns: vec![(Field::Ip, Column::Named("server".to_owned()))],
        ..CsvLayout::default()
    };
    assert!(with(layout.clone(), "ip\n192.0.2.1\n").is_err());
    assert_eq!(
        shown(&with(layout, "x,Server\n1,192.0.2.1\n").unwrap()),
        ["2 192.0.2.1/32"]
    );
}
