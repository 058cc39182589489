//! A feed whose bodies are of another kind than before.

use super::Content;

/// A share of rejected rows beyond this, where there was none like it, is another layout.
const DRIFT_PERCENT: u64 = 5;

/// In what `now` is of another kind than `before`.
pub(super) fn drift(before: &Content, now: &Content) -> Option<String> {
    let format = |content: &Content| content.parts.first().map(|part| part.format);
    let (was, is) = (format(before)?, format(now)?);
    if was != is {
        return Some(format!("it was {was} and is {is} now"));
    }
    let percent = |content: &Content| {
        let rejected: u64 = content.parts.iter().map(|part| part.rejected).sum();
        let rows = u64::try_from(content.total()).unwrap_or(u64::MAX);
        rejected.saturating_mul(100) / rows.saturating_add(rejected).max(1)
    };
    let (was, is) = (percent(before), percent(now));
    (is > was.saturating_add(DRIFT_PERCENT))
        .then(|| format!("{is} % of its rows are malformed, which were {was} %"))
}
