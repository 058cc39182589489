//! Valid documents of every format, with the indicators that are in them.

mod lists;
mod objects;
mod rules;
mod tables;
pub mod value;

use trickblock::feed::{Format, Parsed};

use crate::random::Random;

/// A body that is right, and what must be read from it.
#[derive(Clone, Debug)]
pub struct Document {
    pub format: Format,
    pub body: Vec<u8>,
    /// As the product writes indicators, sorted; made from text here, not by its code.
    pub expected: Vec<String>,
    /// Entries that are right and name no address that could be blocked.
    pub ignored: u64,
}

/// Most entries of nearly all documents: small ones are mutated more often.
const FEW: usize = 12;
const MANY: usize = 300;

impl Document {
    /// One of `format`.
    pub fn draw(format: Format, random: &mut Random) -> Self {
        let most = if random.percent(2) { MANY } else { FEW };
        let mut draft = Draft {
            count: 1 + random.below(most),
            ..Draft::default()
        };
        let body = draft.body(format, random);
        draft.expected.sort_unstable();
        Self {
            format,
            body,
            expected: draft.expected,
            ignored: draft.ignored,
        }
    }

    /// What was read otherwise than it was written; `None` if all is right.
    pub fn differs_from(&self, parsed: &Parsed) -> Option<String> {
        let mut found: Vec<String> = parsed
            .rows
            .iter()
            .map(|row| row.indicator.to_string())
            .collect();
        found.sort_unstable();
        if found != self.expected {
            return Some(format!("written: {:?}\nread: {found:?}", self.expected));
        }
        if let Some(rejection) = parsed.rejections.first() {
            return Some(format!("rejected: {rejection:?}"));
        }
        (parsed.ignored != self.ignored).then(|| {
            format!(
                "{} entries are ignored, not {}",
                parsed.ignored, self.ignored
            )
        })
    }
}

/// A document while it is written.
#[derive(Default)]
struct Draft {
    count: usize,
    expected: Vec<String>,
    ignored: u64,
}

impl Draft {
    fn body(&mut self, format: Format, random: &mut Random) -> Vec<u8> {
        let text = match format {
            Format::Plain => lists::plain(self, random),
            Format::FeodoTxt => lists::feodo(self, random),
            Format::SpamhausTxt => lists::spamhaus(self, random),
            Format::Ipset => lists::ipset(self, random),
            Format::FeodoCsv => tables::feodo(self, random),
            Format::Csv => tables::generic(self, random),
            Format::ThreatfoxCsv => tables::threatfox(self, random),
            Format::FeodoJson => objects::feodo(self, random),
            Format::ThreatfoxJson => objects::threatfox(self, random),
            Format::SpamhausJson => objects::spamhaus(self, random),
            Format::Misp => objects::misp(self, random),
            Format::Stix => objects::stix(self, random),
            Format::Crowdsec => objects::crowdsec(self, random),
            Format::Suricata => rules::suricata(self, random),
            Format::Trickbot => rules::trickbot(self, random),
        };
        text.into_bytes()
    }
}

/// Lines with one kind of end, the last of them with or without.
fn lines(lines: &[String], random: &mut Random) -> String {
    let end = random.pick(&["\n", "\n", "\r\n", "\r"]);
    let mut text = lines.join(end);
    if random.percent(80) {
        text.push_str(end);
    }
    text
}
