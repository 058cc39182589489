//! What a body as a whole must keep to before it comes into force.

use super::{Content, Held};
use crate::{
    daemon::feeds::{Feed, PartRows},
    feed::Row,
    policy::{Covered, Guard, is_wide},
};

/// Guards that refuse what no C2 server can be. What the operator's own lists or this host's surroundings
/// refuse is no mistake of a feed's maker.
const NONSENSE: [&str; 2] = ["compiled_in", "shipped"];

/// A body that fails here is held: the last good set stays in force.
pub(super) fn check(feed: &Feed, content: &Content, guard: &Guard) -> Result<(), Held> {
    let (wide, max) = (feed.config.policy.terms.wide, feed.config.max_addresses);
    check_guarded(content, wide, guard)?;
    let rows = content.parts.iter().flat_map(PartRows::rows);
    match Covered::above(max, wide, rows, guard) {
        None => Ok(()),
        Some(covered) => Err(Held::TooMuch {
            name: content.name(),
            covered: covered.to_string(),
            max,
        }),
    }
}

/// A list of nothing but protected space is a mistake of its maker: an empty set must not take
/// the place of a good one.
fn check_guarded(content: &Content, wide: bool, guard: &Guard) -> Result<(), Held> {
    let mut rows = content.parts.iter().flat_map(PartRows::rows);
    let refused = |row: &Row| match guard.refuse(&row.indicator) {
        Some(refusal) => NONSENSE.contains(&refusal.guard).then_some(refusal.reason),
        None if wide => None,
        None => is_wide(&row.indicator.prefix)
            .then(|| format!("{} is too wide without `wide = true`", row.indicator.prefix)),
    };
    let Some(first) = rows.next().and_then(refused) else {
        return Ok(());
    };
    match rows.all(|row| refused(row).is_some()) {
        true => Err(Held::AllRefused {
            name: content.name(),
            rows: content.total(),
            first,
        }),
        false => Ok(()),
    }
}
