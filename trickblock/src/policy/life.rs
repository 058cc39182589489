//! How long an indicator lives: it is kept for a while after its feed stops naming it, and ends when somebody said it would.
//!
//! Feeds flap: of all that Feodo Tracker's list of 2020 lost, 93 % came back within a day (docs/feeds.md). Who mirrors such a
//! list opens the hole every day.

use std::{collections::HashSet, time::Duration};

use crate::{
    feed::Row,
    indicator::{Indicator, Seen},
};

/// Rows that their feed does not name any more, and that are still in force. Sorted by indicator, each once; the
/// `expires` of each is when it lapses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departed(Vec<Row>);

impl Departed {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In any order; what is told twice stays until the later end.
    pub fn new(mut rows: Vec<Row>) -> Self {
        let end = |row: &Row| row.sighting.expires;
        rows.sort_by(|a, b| {
            a.indicator
                .cmp(&b.indicator)
                .then_with(|| end(b).cmp(&end(a)))
        });
        rows.dedup_by_key(|row| row.indicator);
        Self(rows)
    }

    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// After a feed said `new` where it had said `old`, at `at`: what is gone stays for `hold_down`, or until its own
    /// end if that is sooner; what is back is no longer here, and what has lapsed neither.
    pub fn after<'a>(
        &self,
        old: impl Iterator<Item = &'a Row>,
        new: impl Iterator<Item = &'a Row>,
        at: Seen,
        hold_down: Duration,
    ) -> Self {
        let named: HashSet<Indicator> = new.map(|row| row.indicator).collect();
        let is_gone = |row: &&Row| !named.contains(&row.indicator);
        let lives = |row: &Row| row.sighting.expires.is_none_or(|end| end > at);
        let until = at.later(hold_down);
        let leaving = old.filter(is_gone).map(|row| leaving(row, until));
        let before = self.0.iter().filter(is_gone).cloned();
        Self::new(leaving.chain(before).filter(lives).collect())
    }

    /// None of it stays longer than until `end`: who shortens the hold-down means what has departed as well.
    pub fn until_at_most(mut self, end: Seen) -> Self {
        for row in &mut self.0 {
            let own = row.sighting.expires;
            row.sighting.expires = Some(own.map_or(end, |own| own.min(end)));
        }
        self
    }

    /// What is among `named` (sorted) stays until `end` at least.
    pub fn renewed(&self, named: &[Indicator], end: Seen) -> Self {
        let mut renewed = self.clone();
        for row in &mut renewed.0 {
            if named.binary_search(&row.indicator).is_ok() {
                row.sighting.expires = row.sighting.expires.map(|own| own.max(end));
            }
        }
        renewed
    }

    /// Without what the feed took back itself: who says so does not flap.
    pub fn without(mut self, taken_back: &HashSet<Indicator>) -> Self {
        self.0.retain(|row| !taken_back.contains(&row.indicator));
        self
    }

    /// Whether any of it is among `taken_back`.
    pub fn has_any(&self, taken_back: &HashSet<Indicator>) -> bool {
        self.0.iter().any(|row| taken_back.contains(&row.indicator))
    }
}

fn leaving(row: &Row, until: Seen) -> Row {
    let mut row = row.clone();
    let own = row.sighting.expires;
    row.sighting.expires = Some(own.map_or(until, |own| own.min(until)));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed;

    const DAY: Duration = Duration::from_secs(86_400);

    fn rows(body: &str) -> Vec<Row> {
        feed::parse(body.as_bytes(), None).expect("a list").rows
    }

    fn at(hours: i64) -> Seen {
        Seen::from_unix(1_600_000_000 + hours * 3_600).expect("a time")
    }

    fn shown(departed: &Departed) -> Vec<String> {
        let rows = departed.rows().iter();
        rows.map(|row| row.indicator.to_string()).collect()
    }

    #[test]
    fn what_is_gone_stays_a_day_and_what_is_back_is_no_longer_kept_here() {
        let (both, one) = (rows("192.0.2.1\n192.0.2.2\n"), rows("192.0.2.1\n"));
        let gone = Departed::default().after(both.iter(), one.iter(), at(0), DAY);
        assert_eq!(shown(&gone), ["192.0.2.2/32"]);
        assert_eq!(gone.rows()[0].sighting.expires, Some(at(24)));
        let still = gone.after(one.iter(), one.iter(), at(23), DAY);
        assert_eq!(
            still.rows()[0].sighting.expires,
            Some(at(24)),
            "not prolonged"
        );
        assert_eq!(
            gone.after(one.iter(), one.iter(), at(24), DAY),
            Departed::default()
        );
        assert_eq!(
            still.after(one.iter(), both.iter(), at(23), DAY),
            Departed::default()
        );
    }

    #[test]
    fn an_end_that_was_told_is_sooner_than_the_hold_down() {
        let mut old = rows("192.0.2.1\n");
        old[0].sighting.expires = Some(at(2));
        let gone = Departed::default().after(old.iter(), [].iter(), at(0), DAY);
        assert_eq!(gone.rows()[0].sighting.expires, Some(at(2)));
        let late = Departed::default().after(old.iter(), [].iter(), at(3), DAY);
        assert_eq!(late, Departed::default());
    }

    #[test]
    fn without_a_hold_down_nothing_stays() {
        let old = rows("192.0.2.1\n");
        let gone = Departed::default().after(old.iter(), [].iter(), at(0), Duration::ZERO);
        assert_eq!(gone, Departed::default());
    }

    #[test]
    fn a_shorter_hold_down_is_meant_for_what_has_departed_too() {
        let old = rows("192.0.2.1\n");
        let gone = Departed::default().after(old.iter(), [].iter(), at(0), DAY);
        let shorter = gone.clone().until_at_most(at(3));
        assert_eq!(shorter.rows()[0].sighting.expires, Some(at(3)));
        assert_eq!(gone.clone().until_at_most(at(30)), gone);
    }

    #[test]
    fn what_is_taken_back_does_not_stay() {
        let old = rows("192.0.2.1\n192.0.2.2\n");
        let gone = Departed::default().after(old.iter(), [].iter(), at(0), DAY);
        let taken_back = HashSet::from([old[0].indicator]);
        assert!(gone.has_any(&taken_back));
        let rest = gone.without(&taken_back);
        assert_eq!(shown(&rest), ["192.0.2.2/32"]);
        assert!(!rest.has_any(&taken_back));
    }
}
