//! Any table whose columns are known, by name or by the configuration.

use std::num::NonZeroU16;

use super::{
    entry::unquote,
    lines::{MAX_LINE, lines_keeping, trim},
    table::{Dialect, Record, Splitter, record, simplified},
};
use crate::{
    feed::{
        Format, NotAFeed, Options,
        collect::{Collector, Note},
        csv_layout::{Column, Condition, CsvLayout, Field},
    },
    indicator::{Indicator, Malformed, Protocol, Seen, Sighting, port, written},
};

/// What columns are usually called, simplified.
const USUAL: [(Field, &[&str]); 8] = [
    (
        Field::IpPort,
        &["ipport", "hostport", "addressport", "endpoint"],
    ),
    (
        Field::Ip,
        &[
            "ip",
            "ipaddress",
            "ipaddr",
            "dstip",
            "destip",
            "destinationip",
            "address",
            "addr",
            "cidr",
            "prefix",
            "network",
            "ipv4",
            "ipv6",
            "c2ip",
            "serverip",
        ],
    ),
    (
        Field::Port,
        &[
            "port",
            "dstport",
            "destport",
            "dport",
            "destinationport",
            "c2port",
            "serverport",
        ],
    ),
    (Field::Protocol, &["protocol", "proto", "transport"]),
    (
        Field::Family,
        &[
            "malware",
            "family",
            "malwarefamily",
            "malwareprintable",
            "botnet",
            "threat",
        ],
    ),
    (
        Field::FirstSeen,
        &["firstseen", "firstseenutc", "date", "dateadded", "added"],
    ),
    (Field::LastSeen, &["lastseen", "lastseenutc", "lastonline"]),
    (Field::Confidence, &["confidence", "confidencelevel"]),
];

/// Reads the whole body, by the layout of the options or by the usual names of columns.
pub(super) fn read(text: &str, options: &Options, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("one record a line behind the header");
    let layout = options.csv.clone().unwrap_or_default();
    let mut lines = lines_keeping(text, char::from(layout.delimiter))
        .filter(|(_, line)| !line.trim().is_empty())
        .peekable();
    let names = match layout.header {
        true => header(&mut lines, &layout)?,
        false => Vec::new(),
    };
    let table = Table::new(&layout, &names)?;
    let mut splitter = Splitter::new(dialect(&layout));
    for (number, line) in lines {
        if !layout
            .comment
            .is_some_and(|comment| line.starts_with(comment))
        {
            table.file(out, number, line, &mut splitter);
        }
    }
    Ok(())
}

/// The names of the columns: in the first line that is no comment, or the last comment before it that splits into as many.
fn header<'a>(
    lines: &mut std::iter::Peekable<impl Iterator<Item = (u32, &'a str)>>,
    layout: &CsvLayout,
) -> Result<Vec<String>, NotAFeed> {
    let mut commented: Vec<String> = Vec::new();
    while let Some((_, line)) = lines.peek() {
        let Some(rest) = layout
            .comment
            .and_then(|comment| line.strip_prefix(comment))
        else {
            break;
        };
        let names = named(rest, layout);
        // A comment of one word names no columns.
        if names.len() > 1 {
            commented = names;
        }
        lines.next();
    }
    let Some((_, first)) = lines.peek() else {
        return Err(no_columns(&[]));
    };
    let first = named(first, layout);
    if places(layout, &first).is_ok() {
        lines.next();
        return Ok(first);
    }
    match places(layout, &commented) {
        Ok(_) => Ok(commented),
        Err(_) => Err(no_columns(&first)),
    }
}

fn named(line: &str, layout: &CsvLayout) -> Vec<String> {
    let line = line
        .get(..line.floor_char_boundary(MAX_LINE))
        .unwrap_or_default();
    let line = trim(line, Some(char::from(layout.delimiter)));
    let record = record(line, dialect(layout));
    let fields = record.iter().flat_map(Record::iter);
    fields.map(simplified).collect()
}

fn dialect(layout: &CsvLayout) -> Dialect {
    Dialect {
        delimiter: layout.delimiter,
        quote: layout.quote,
    }
}

/// The roles with the positions of their columns.
type Places = Vec<(Field, usize)>;

fn places(layout: &CsvLayout, names: &[String]) -> Result<Places, NotAFeed> {
    let places: Places = match layout.columns.as_slice() {
        [] => usual(names),
        columns => columns
            .iter()
            .map(|(role, column)| Some((*role, place(column, names)?)))
            .collect::<Option<_>>()
            .ok_or_else(|| no_columns(names))?,
    };
    let has_address = places
        .iter()
        .any(|(role, _)| matches!(role, Field::Ip | Field::IpPort));
    match has_address {
        true => Ok(places),
        false => Err(no_columns(names)),
    }
}

fn usual(names: &[String]) -> Places {
    let place = |(role, usual): &(Field, &[&str])| {
        let found = names.iter().position(|name| usual.contains(&name.as_str()));
        found.map(|place| (*role, place))
    };
    USUAL.iter().filter_map(place).collect()
}

/// Where a column stands, from 0.
fn place(column: &Column, names: &[String]) -> Option<usize> {
    match column {
        Column::Named(name) => names.iter().position(|known| *known == simplified(name)),
        Column::Number(number) => number.checked_sub(1),
    }
}

fn no_columns(names: &[String]) -> NotAFeed {
    let found = match names {
        [] => "there is no line that names columns".to_owned(),
        names => {
            let shown: Vec<String> = names
                .iter()
                .take(20)
                .map(|name| format!("`{name}`"))
                .collect();
            format!("its first line names {}", shown.join(", "))
        }
    };
    NotAFeed::Mismatch {
        format: Format::Csv,
        reason: format!("{found}, and none of it is the address: name the columns in [feed.csv]"),
    }
}

struct Table<'a> {
    places: Places,
    /// With the positions of their columns.
    conditions: Vec<(usize, &'a Condition)>,
}

impl<'a> Table<'a> {
    fn new(layout: &'a CsvLayout, names: &[String]) -> Result<Self, NotAFeed> {
        let placed = |condition: &'a Condition| Some((place(&condition.column, names)?, condition));
        let conditions: Option<Vec<_>> = layout.conditions.iter().map(placed).collect();
        Ok(Self {
            places: places(layout, names)?,
            conditions: conditions.ok_or_else(|| no_columns(names))?,
        })
    }

    fn file(&self, out: &mut Collector, number: u32, line: &str, splitter: &mut Splitter) {
        if line.len() > MAX_LINE {
            return out.reject(number, line, "the line is longer than 4096 bytes");
        }
        let Some(record) = splitter.record(line) else {
            return out.reject(number, line, "the record cannot be read as CSV");
        };
        if !self.takes(&record) {
            return out.ignore();
        }
        match self.indicator(&record) {
            Ok((indicator, host_bits)) => {
                if host_bits {
                    out.note(number, Note::HostBits);
                }
                let sighting = self.sighting(out, number, &record);
                out.accept(number, indicator, sighting);
            }
            Err(reason) => out.reject(number, line, reason),
        }
    }

    fn takes(&self, record: &Record) -> bool {
        self.conditions.iter().all(|(place, condition)| {
            let field = record.get(*place).unwrap_or_default().trim();
            let named = |value: &String| value.trim().eq_ignore_ascii_case(field);
            condition.values.iter().any(named) == condition.wanted
        })
    }

    /// `None` where no column has this role.
    fn field<'r>(&self, record: &'r Record, role: Field) -> Option<&'r str> {
        let (_, place) = self.places.iter().find(|(known, _)| *known == role)?;
        Some(unquote(record.get(*place).unwrap_or_default().trim()))
    }

    /// The indicator, and whether it had bits beyond its length. A column that is empty never widens it.
    fn indicator(&self, record: &Record) -> Result<(Indicator, bool), Malformed> {
        if let Some(both) = self.field(record, Field::IpPort) {
            let found = written(both)?;
            return match found.indicator.port {
                Some(_) => Ok((found.indicator, found.host_bits)),
                None => Err(Malformed::PortMissing),
            };
        }
        let address = written(self.field(record, Field::Ip).unwrap_or_default())?;
        if address.indicator.port.is_some() && self.field(record, Field::Port).is_some() {
            return Err(Malformed::PortTwice);
        }
        let own: Option<NonZeroU16> = self.field(record, Field::Port).map(port).transpose()?;
        let port = own.or(address.indicator.port);
        let protocol = self.protocol(record)?.or(address.indicator.protocol);
        if protocol.is_some() && port.is_none() {
            return Err(Malformed::ProtocolAlone);
        }
        let indicator = Indicator::new(address.indicator.prefix, protocol, port);
        Ok((indicator, address.host_bits))
    }

    fn protocol(&self, record: &Record) -> Result<Option<Protocol>, Malformed> {
        match self.field(record, Field::Protocol) {
            None | Some("") => Ok(None),
            Some(text) => match text.parse::<Protocol>() {
                Ok(protocol) if protocol.has_ports() => Ok(Some(protocol)),
                _ => Err(Malformed::Protocol),
            },
        }
    }

    fn sighting(&self, out: &mut Collector, line: u32, record: &Record) -> Sighting {
        let family = self.field(record, Field::Family).unwrap_or_default();
        let confidence = self.field(record, Field::Confidence).unwrap_or_default();
        Sighting {
            family: out.family(family),
            first_seen: self.time(out, line, record, Field::FirstSeen),
            last_seen: self.time(out, line, record, Field::LastSeen),
            confidence: confidence.parse().ok().filter(|sure| *sure <= 100),
            ..Sighting::default()
        }
    }

    fn time(&self, out: &mut Collector, line: u32, record: &Record, role: Field) -> Option<Seen> {
        let text = self.field(record, role).filter(|text| !text.is_empty())?;
        out.time(line, text)
    }
}

#[cfg(test)]
mod tests;
