//! CrowdSec's decisions stream: what is new, and what is taken back.

mod duration;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(in crate::feed) use self::duration::seconds;
use super::json::{Position, Values, mismatch};
use crate::{
    feed::{
        Format, NotAFeed, Options,
        collect::{Collector, Note},
    },
    indicator::{Indicator, Malformed, Seen, Sighting, written},
};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(head: &str) -> Option<&'static str> {
    let start = head.trim_start();
    let has = |name: &str| head.contains(name);
    if start.starts_with('{') && has("\"new\"") && has("\"deleted\"") {
        return Some("it has `new` and `deleted`");
    }
    let decisions = has("\"scope\"") && has("\"scenario\"") && has("\"duration\"");
    decisions.then_some("its records have `scope`, `scenario` and `duration`")
}

/// The answer of the stream. Either list may be null.
#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow, default)]
    new: Option<Values<'a>>,
    #[serde(borrow, default)]
    deleted: Option<Values<'a>>,
}

#[derive(Deserialize)]
struct Decision<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    scope: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    duration: Option<Cow<'a, str>>,
    /// The end itself. It comes before the duration, which counts from when the body was had.
    #[serde(borrow)]
    until: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scenario: Option<Cow<'a, str>>,
    #[serde(default)]
    simulated: bool,
}

/// An alert of `cscli`, which has its decisions inside.
#[derive(Deserialize)]
struct Alert<'a> {
    #[serde(borrow)]
    decisions: Values<'a>,
}

/// Reads the whole body; a truncated one is refused as a whole.
pub(super) fn read(text: &str, options: &Options, out: &mut Collector) -> Result<(), NotAFeed> {
    let wrong =
        |error: serde_json::Error| mismatch(Format::Crowdsec, "a list of decisions", &error);
    let mut reader = Reader {
        received: options.received,
        position: Position::new(text),
        out,
    };
    if text.trim_start().starts_with('[') {
        let records: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
        records
            .iter()
            .for_each(|record| reader.decision_or_alert(record));
    } else {
        let stream: Stream<'_> = serde_json::from_str(text).map_err(wrong)?;
        if stream.new.is_none() && stream.deleted.is_none() && !text.contains("\"new\"") {
            return Err(NotAFeed::Mismatch {
                format: Format::Crowdsec,
                reason: "it has neither `new` nor `deleted`".to_owned(),
            });
        }
        let new = stream.new.unwrap_or_default();
        new.0.iter().for_each(|record| reader.decision(record));
        let deleted = stream.deleted.unwrap_or_default();
        deleted.0.iter().for_each(|record| reader.deletion(record));
    }
    out.confirm_whole();
    Ok(())
}

struct Reader<'a, 'o> {
    received: Option<Seen>,
    position: Position<'a>,
    out: &'o mut Collector,
}

impl Reader<'_, '_> {
    fn decision_or_alert(&mut self, record: &RawValue) {
        match serde_json::from_str::<Alert<'_>>(record.get()) {
            Ok(alert) => alert
                .decisions
                .0
                .iter()
                .for_each(|record| self.decision(record)),
            Err(_) => self.decision(record),
        }
    }

    fn decision(&mut self, record: &RawValue) {
        let shown = record.get();
        let line = self.position.line_of(shown);
        let Ok(decision) = serde_json::from_str::<Decision<'_>>(shown) else {
            let reason = "not a decision with `type`, `scope` and `value`";
            return self.out.reject(line, shown, reason);
        };
        if !decision.is_address() {
            return self.out.ignore();
        }
        if decision.kind != "ban" || decision.simulated {
            self.out.note(line, Note::NoBan);
            return self.out.ignore();
        }
        match (decision.indicator(), self.end(&decision)) {
            (Err(reason), _) => self.out.reject(line, shown, reason),
            (_, Err(reason)) => self.out.reject(line, shown, reason),
            (Ok(_), Ok(End::Past)) => {
                self.out.note(line, Note::NotNow);
                self.out.ignore();
            }
            (Ok(indicator), Ok(End::At(expires))) => {
                let sighting = Sighting {
                    family: self
                        .out
                        .family(decision.scenario.as_deref().unwrap_or_default()),
                    expires,
                    ..Sighting::default()
                };
                self.out.accept(line, indicator, sighting);
            }
        }
    }

    /// What is taken back is no row: the body as a whole is the list without it.
    fn deletion(&mut self, record: &RawValue) {
        let shown = record.get();
        let line = self.position.line_of(shown);
        let decision = serde_json::from_str::<Decision<'_>>(shown);
        match decision.map(|decision| (decision.is_address(), decision.indicator())) {
            Ok((false, _)) => {}
            Ok((true, Ok(indicator))) => self.out.withdraw(indicator),
            _ => self
                .out
                .reject(line, shown, "not a decision that could be taken back"),
        }
    }

    fn end(&self, decision: &Decision<'_>) -> Result<End, &'static str> {
        let until = decision.until.as_deref().map(str::trim);
        if let Some(until) = until.filter(|until| !until.is_empty()) {
            let end: Seen = until
                .parse()
                .map_err(|_| "`until` is not a time, such as 2024-01-01T00:00:00Z")?;
            let is_over = self.received.is_some_and(|received| end <= received);
            return Ok(if is_over {
                End::Past
            } else {
                End::At(Some(end))
            });
        }
        let Some(duration) = decision.duration.as_deref() else {
            return Ok(End::At(None));
        };
        let seconds = seconds(duration).ok_or("the duration is not one, such as 3h59m58.1s")?;
        if seconds <= 0 {
            return Ok(End::Past);
        }
        let end = |received: Seen| Seen::from_unix(received.unix().saturating_add(seconds));
        Ok(End::At(self.received.and_then(end)))
    }
}

/// When a decision ends.
enum End {
    Past,
    /// `None` where that is not known.
    At(Option<Seen>),
}

impl Decision<'_> {
    fn is_address(&self) -> bool {
        self.scope.eq_ignore_ascii_case("ip") || self.scope.eq_ignore_ascii_case("range")
    }

    fn indicator(&self) -> Result<Indicator, Malformed> {
        let found = written(self.value.trim())?.indicator;
        match found.port {
            None => Ok(found),
            Some(_) => Err(Malformed::Address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Parsed, parse};

    fn at(received: i64, body: &str) -> Parsed {
        let options = Options {
            received: Seen::from_unix(received),
            ..Options::default()
        };
        parse(body.as_bytes(), options).unwrap()
    }

    fn decision(more: &str) -> String {
        format!("{{\"id\":1,\"origin\":\"CAPI\",\"scenario\":\"x/ssh-bf\",{more}}}")
    }

    #[test]
    fn new_and_deleted_decisions() {
        let body = format!(
            "{{\"deleted\":[{}],\n\"new\":[{},\n{},\n{},\n{},\n{},\n{}]}}",
            decision(r#""type":"ban","scope":"Ip","value":"192.0.2.9","duration":"-1h""#),
            decision(r#""type":"ban","scope":"Ip","value":"192.0.2.1","duration":"1h0m1.9s""#),
            decision(r#""type":"ban","scope":"Range","value":"2001:db8::/48","duration":"4h""#),
            decision(r#""type":"ban","scope":"Country","value":"XX","duration":"4h""#),
            decision(r#""type":"captcha","scope":"Ip","value":"192.0.2.2","duration":"4h""#),
            decision(r#""type":"ban","scope":"Ip","value":"192.0.2.3","duration":"-5s""#),
            decision(r#""type":"ban","scope":"Ip","value":"192.0.2.4:80","duration":"soon""#),
        );
        let parsed = at(1_000_000, &body);
        assert_eq!(parsed.format, Format::Crowdsec);
        let rows: Vec<_> = parsed
            .rows
            .iter()
            .map(|row| (row.line, row.indicator.to_string()))
            .collect();
        assert_eq!(
            rows,
            [
                (2, "192.0.2.1/32".to_owned()),
                (3, "2001:db8::/48".to_owned())
            ]
        );
        let end = parsed.rows[0].sighting.expires.map(Seen::unix);
        assert_eq!(end, Some(1_003_601));
        assert_eq!(parsed.rows[0].sighting.family.as_deref(), Some("x/ssh-bf"));
        assert_eq!((parsed.ignored, parsed.rejected), (3, 1));
        assert_eq!(parsed.withdrawn, ["192.0.2.9".parse().unwrap()]);
    }

    #[test]
    fn nothing_new_is_an_answer() {
        let parsed = at(1, "{\"new\":null,\"deleted\":null}");
        assert_eq!((parsed.format, parsed.total()), (Format::Crowdsec, 0));
        let error = parse(
            b"{\"message\":\"access forbidden\"}",
            Some(Format::Crowdsec),
        )
        .unwrap_err();
        assert!(matches!(error, NotAFeed::Mismatch { .. }), "{error}");
    }

    #[test]
    fn an_end_comes_before_a_duration() {
        let with = |until: &str| {
            let more = r#""type":"ban","scope":"Ip","value":"192.0.2.1","duration":"4h","until":"#;
            at(
                1_000_000,
                &format!("[{}]", decision(&format!("{more}{until}"))),
            )
        };
        let end = |parsed: &Parsed| parsed.rows[0].sighting.expires.map(Seen::unix);
        assert_eq!(end(&with("\"1970-01-12T14:00:00Z\"")), Some(1_000_800));
        assert_eq!(end(&with("\"\"")), Some(1_014_400));
        assert_eq!(end(&with("null")), Some(1_014_400));
        let over = with("\"1970-01-12T13:46:40Z\"");
        assert_eq!((over.rows.len(), over.ignored), (0, 1));
        let more = r#""type":"ban","scope":"Ip","value":"192.0.2.1","until":"soon""#;
        let error = parse(
            format!("[{}]", decision(more)).as_bytes(),
            Some(Format::Crowdsec),
        );
        let NotAFeed::MostlyMalformed { .. } = error.unwrap_err() else {
            panic!("a time that is none was read")
        };
    }

    #[test]
    fn lists_of_decisions_and_of_alerts() {
        let one = decision(r#""type":"ban","scope":"Ip","value":"192.0.2.1","duration":"4h""#);
        let bare = at(1, &format!("[{one}]"));
        assert_eq!((bare.format, bare.rows.len()), (Format::Crowdsec, 1));
        let alerts = at(1, &format!("[{{\"id\":7,\"decisions\":[{one}]}}]"));
        assert_eq!(alerts.rows.len(), 1);
    }
}
