//! ThreatFox: one question, whose answer is a snapshot of the last days.

use super::{
    super::{Body, Fetched, SourceError, Validators, ask::Ask},
    requests::Requests,
};

/// The answer is read as it is: what went wrong stands in its `query_status`.
pub(super) fn fetch(requests: &mut Requests<'_>, days: u8) -> Result<Fetched, SourceError> {
    let question = format!("{{\"query\":\"get_iocs\",\"days\":{days}}}");
    let ask = Ask {
        json: Some(question.as_bytes()),
        ..Ask::get(requests.url().clone())
    };
    let answer = requests.ask(ask)?;
    Ok(Fetched::Body {
        body: Body::from(vec![answer.into_part()]),
        // A question that is posted cannot be conditional.
        validators: Validators::default(),
    })
}
