//! `trickblock feeds`: how the feeds are, and what the operator decides about them.

mod table;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Exit,
    daemon::{Place, ask, no_daemon, refused, typed, unchanged, write_json},
};
use crate::{
    daemon::{
        Decided,
        client::ClientError,
        protocol::{Code, Verb},
    },
    observe::feeds::Feeds,
};

/// Show the feeds' health; see, approve or reject an update that is held; go back to an earlier version.
///
/// Exit codes: 0 all well or done, 1 no daemon or failed, 2 usage, 3 not permitted, 4 a feed has an alarm.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What a held update would change.
    Diff {
        feed: String,
        /// Indicators to name of either kind.
        #[arg(long, default_value_t = 100)]
        most: usize,
    },
    /// Put a held update in force; needs root.
    Approve {
        feed: String,
        /// The update as `diff` calls it: another one that waits by now is left alone.
        update: Option<String>,
    },
    /// Leave the last good set in force until the feed says something else; needs root.
    Reject {
        feed: String,
        /// As for `approve`.
        update: Option<String>,
    },
    /// List earlier versions.
    History { feed: String },
    /// Go back to an earlier version, the newest without ID; needs root.
    Rollback { feed: String, id: Option<String> },
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let place = &args.place;
    match &args.what {
        None => health(place, out, err),
        Some(What::Diff { feed, most }) => {
            let asked = json!({ "feed": feed, "most": most });
            shown(place, (Verb::Diff, asked), out, err, table::diff)
        }
        Some(What::History { feed }) => {
            let asked = json!({ "feed": feed });
            shown(place, (Verb::History, asked), out, err, table::history)
        }
        Some(What::Approve { feed, update }) => {
            let asked = json!({ "feed": feed, "update": update });
            decide(place, Verb::Approve, asked, out, err)
        }
        Some(What::Reject { feed, update }) => {
            let asked = json!({ "feed": feed, "update": update });
            decide(place, Verb::Reject, asked, out, err)
        }
        Some(What::Rollback { feed, id }) => {
            let asked = json!({ "feed": feed, "version": id });
            decide(place, Verb::RollBack, asked, out, err)
        }
    }
}

fn health(place: &Place, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let feeds: Feeds = match ask(place, Verb::Feeds, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(place, err)),
        Err(error) => return Ok(refused(err, &error)),
    };
    match place.json {
        true => write_json(out, &feeds)?,
        false => table::health(out, &feeds)?,
    }
    let well = feeds
        .feeds
        .iter()
        .all(|feed| feed.alarms.is_empty() && feed.state == "ok");
    Ok(if well { Exit::Ok } else { Exit::Degraded })
}

/// A reading verb whose answer is written as it is, or by `text`.
fn shown<T: Serialize + serde::de::DeserializeOwned>(
    place: &Place,
    (verb, asked): (Verb, Value),
    out: &mut dyn Write,
    err: &mut dyn Write,
    text: fn(&mut dyn Write, &T) -> io::Result<()>,
) -> io::Result<Exit> {
    let answer: T = match ask(place, verb, asked) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(place, err)),
        Err(error) => return Ok(misused(refused(err, &error), &error)),
    };
    match place.json {
        true => write_json(out, &answer)?,
        false => text(out, &answer)?,
    }
    Ok(Exit::Ok)
}

fn decide(
    place: &Place,
    verb: Verb,
    asked: Value,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let decided: Decided = match ask(place, verb, asked) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(place, err)),
        Err(error) => return Ok(misused(unchanged(err, &error), &error)),
    };
    match place.json {
        true => write_json(out, &decided)?,
        false => writeln!(
            out,
            "{}: body {} taken, it names {} indicators{}; in force of all feeds: {}",
            decided.feed,
            decided.body,
            decided.indicators,
            match decided.departed {
                0 => String::new(),
                departed => format!(", and {departed} that stay for `hold_down`"),
            },
            decided.in_force
        )?,
    }
    Ok(Exit::Ok)
}

/// What makes no sense is a mistake in the command line.
pub(super) fn misused(exit: Exit, error: &ClientError) -> Exit {
    match error {
        ClientError::Refused(refusal) if refusal.code == Code::BadRequest => Exit::Usage,
        ClientError::Refused(refusal) if refusal.code == Code::Guarded => Exit::Refused,
        _ => exit,
    }
}
