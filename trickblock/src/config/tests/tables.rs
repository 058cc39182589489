//! `[feed.csv]`.

use super::{MINIMAL, parse, problems};
use crate::feed::csv_layout::{Column, Field};

#[test]
fn a_table_of_ones_own_is_described() {
    let text = format!(
        "{MINIMAL}[[feed]]\nname = \"t\"\npath = \"t.csv\"\nformat = \"csv\"\n[feed.csv]\ndelimiter = \";\"\nquote = \"\"\ncolumns = {{ ip = \"Server\", port = 3 }}\nonly = {{ type = [\"c2\"] }}\nexcept = {{ 4 = [\"offline\", \"\"] }}\n"
    );
    let config = parse(&text).unwrap();
    let layout = config.feeds[1].csv.as_deref().unwrap();
    assert_eq!(
        (layout.delimiter, layout.quote, layout.header),
        (b';', None, true)
    );
    assert_eq!(layout.columns.len(), 2);
    assert_eq!(layout.columns[1], (Field::Port, Column::Number(3)));
    let wanted: Vec<_> = layout
        .conditions
        .iter()
        .map(|c| (&c.column, c.wanted))
        .collect();
    assert_eq!(
        wanted,
        [
            (&Column::Named("type".to_owned()), true),
            (&Column::Number(4), false)
        ]
    );
}

#[test]
fn a_table_that_is_described_wrongly_is_told() {
    let text = format!(
        "{MINIMAL}[[feed]]\nname = \"t\"\npath = \"t.csv\"\n[feed.csv]\ndelimiter = \"ab\"\nqoute = \"x\"\ncolumns = {{ prot = 0, port = 0 }}\n"
    );
    let found = problems(&text).join("\n");
    for part in [
        "add `format = \"csv\"`",
        "`ab` is not one plain sign",
        "did you mean `quote`?",
        "`prot` in `columns`",
        "its number from 1",
        "names neither `ip` nor `ip_port`",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
}
