//! Second opinions of Python's own modules: `ipaddress` on what is an address, `csv` on what a table says.
//!
//! The seed is the same each time; `TRICKBLOCK_SEED` gives another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::ExitCode,
};

use serde_json::{Value, json};
use trickblock::{
    cli,
    feed::{
        self, Format, Options, Parsed,
        csv_layout::{Column, CsvLayout, Field},
    },
};
use trickblock_tests::{
    case,
    harness::{self, Need},
    python,
};

fn main() -> ExitCode {
    harness::main(&[
        case!(addresses_are_what_ipaddress_takes, &[Need::Python]),
        case!(tables_say_what_csv_reads, &[Need::Python]),
    ])
}

const TEXTS: u64 = 25_000;
const TABLES: u64 = 1_500;

fn ask(script: &str, question: &Value) -> Vec<Value> {
    let answer = python::ask(script, None, question).unwrap();
    answer.as_array().unwrap().clone()
}

fn addresses_are_what_ipaddress_takes() {
    let made = ask(
        "addresses.py",
        &json!({"seed": python::seed(), "count": TEXTS}),
    );
    let lines = made.iter().map(|said| said[0].as_str().unwrap());
    // A list of which more than half is malformed is none.
    let padding = vec!["45.0.0.1"; made.len()];
    let body = lines
        .chain(padding.iter().copied())
        .collect::<Vec<_>>()
        .join("\n");
    let parsed = feed::parse(body.as_bytes(), Some(Format::Plain)).unwrap();
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    // With a port a text is no address, but something that the module does not know.
    for row in parsed
        .rows
        .iter()
        .filter(|row| row.indicator.port.is_none())
    {
        found
            .entry(row.line)
            .or_default()
            .insert(row.indicator.prefix.to_string());
    }
    let mut right = 0;
    for (line, said) in (1..).zip(&made) {
        let found = found
            .get(&line)
            .map(|found| found.iter().cloned().collect::<Vec<_>>().join(" "));
        let meant = said[1].as_str().map(ToOwned::to_owned);
        right += usize::from(meant.is_some());
        let stricter = said[2] == false && found.is_none();
        assert!(found == meant || stricter, "{said}: read as {found:?}");
    }
    println!("{} texts, {right} of them addresses", made.len());
    assert!(
        made.len() >= 10_000 && right >= 3_000,
        "{right} of {}",
        made.len()
    );
    agrees(&body, &parsed);
}

/// `trickblock check` counts what the reader does.
fn agrees(body: &str, parsed: &Parsed) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("list.txt");
    fs::write(&file, body).unwrap();
    let arguments = [
        "trickblock",
        "check",
        "--json",
        "--format",
        "plain",
        "--feed",
    ];
    let line = arguments
        .map(Into::into)
        .into_iter()
        .chain([file.into_os_string()]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    cli::run(line, &mut out, &mut err);
    let report: Value = serde_json::from_slice(&out).unwrap();
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!(
        [
            count("accepted") + count("duplicates") + count("refused"),
            count("ignored"),
            count("rejected")
        ],
        [parsed.rows.len() as u64, parsed.ignored, parsed.rejected]
    );
}

fn tables_say_what_csv_reads() {
    let made = ask(
        "tables.py",
        &json!({"seed": python::seed(), "count": TABLES}),
    );
    let (mut records, mut broken) = (0, 0);
    for table in &made {
        let body = table["body"].as_str().unwrap();
        let parsed = feed::parse(body.as_bytes(), options(table));
        let parsed = parsed.unwrap_or_else(|error| panic!("{error}\n{table}"));
        let found: BTreeSet<[String; 2]> = parsed.rows.iter().map(told).collect();
        let (whole, split) = meant(table);
        // A record ends with its line, so that a lost quote damages one of them. What goes on in the next line may
        // be lost, but is never read as anything else.
        let all: BTreeSet<[String; 2]> = whole.union(&split).cloned().collect();
        assert!(
            found.is_superset(&whole) && found.is_subset(&all),
            "read {found:?}\n{table}"
        );
        assert!(
            !split.is_empty() || parsed.rejected == 0,
            "{:?}\n{table}",
            parsed.rejections
        );
        records += whole.len();
        broken += split.len();
    }
    println!(
        "{} tables, {records} records, {broken} more in several lines",
        made.len()
    );
    assert!(
        made.len() >= 1_000 && records > 5_000 && broken > 20,
        "{records}, {broken}"
    );
}

fn options(table: &Value) -> Options {
    let sign = |key: &str| table[key].as_str().unwrap().as_bytes()[0];
    let named = |field, name: &str| (field, Column::Named(name.to_owned()));
    Options {
        format: Some(Format::Csv),
        csv: Some(CsvLayout {
            delimiter: sign("delimiter"),
            quote: Some(sign("quote")),
            // The module knows no comments.
            comment: None,
            columns: vec![
                named(Field::Ip, "address"),
                named(Field::Port, "port"),
                named(Field::Family, "family"),
            ],
            ..CsvLayout::default()
        }),
        ..Options::default()
    }
}

/// Indicator and family.
fn told(row: &feed::Row) -> [String; 2] {
    let family = row.sighting.family.as_deref().unwrap_or_default();
    [row.indicator.to_string(), family.to_owned()]
}

/// What stands in one line, and what in several.
fn meant(table: &Value) -> (BTreeSet<[String; 2]>, BTreeSet<[String; 2]>) {
    let place =
        |number: usize| usize::try_from(table["columns"][number].as_u64().unwrap()).unwrap();
    let (mut whole, mut split) = (BTreeSet::new(), BTreeSet::new());
    for record in table["records"].as_array().unwrap() {
        let field = |number: usize| record[place(number)].as_str().unwrap();
        let meaning = [format!("{}/32:{}", field(0), field(1)), field(2).to_owned()];
        let fields = record.as_array().unwrap().iter();
        let in_one = fields
            .clone()
            .all(|field| !field.as_str().unwrap().contains(['\n', '\r']));
        match in_one {
            true => whole.insert(meaning),
            false => split.insert(meaning),
        };
    }
    (whole, split)
}
