//! `trickblock contacts`: who had contact with a C2.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde_json::json;

use super::{
    Exit,
    daemon::{Place, ask, refused, typed, write_json},
    failed,
};
use crate::{
    daemon::protocol::Verb,
    indicator,
    observe::{
        Contacts,
        contacts::Contact,
        containers::{Container, Following},
    },
};

/// List the clients that had contact with a C2 since the daemon started, by container where the
/// engine knows them.
///
/// Exit codes: 5 contact was seen, 0 none, 4 none but events were lost, 1 no daemon.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what was seen in this span of time, for instance 10m.
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub since: Option<Duration>,
    /// Only these directions: out, reply, unsolicited, hosted, unknown (docs/verdicts.md).
    #[arg(long, value_name = "DIRECTION", value_delimiter = ',', value_parser = DIRECTIONS)]
    pub direction: Vec<String>,
    #[command(flatten)]
    pub place: Place,
}

const DIRECTIONS: [&str; 5] = ["out", "reply", "unsolicited", "hosted", "unknown"];

fn span(text: &str) -> Result<Duration, String> {
    indicator::span(text)
        .ok_or_else(|| "this is not a span of time: write 30s, 10m, 2h or 1d".to_owned())
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let question = json!({ "seconds": args.since.map(|span| span.as_secs()) });
    let mut contacts: Contacts = match ask(&args.place, Verb::Contacts, question) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(failed(err, &no_daemon(args))),
        Err(error) => return Ok(refused(err, &error)),
    };
    if !args.direction.is_empty() {
        contacts
            .contacts
            .retain(|contact| args.direction.contains(&contact.direction));
    }
    if args.place.json {
        write_json(out, &contacts)?;
    } else {
        write_text(out, &contacts)?;
    }
    Ok(verdict(&contacts))
}

fn no_daemon(args: &Args) -> String {
    format!(
        "{}: no daemon listens there, and only it remembers contacts: start it with `trickblock run`, or name its socket with `--socket`",
        args.place.socket.display()
    )
}

/// Silence is no all-clear where something was not heard.
fn verdict(contacts: &Contacts) -> Exit {
    if !contacts.contacts.is_empty() {
        return Exit::Contact;
    }
    match missed(contacts) {
        0 => Exit::Ok,
        _ => Exit::Degraded,
    }
}

fn missed(contacts: &Contacts) -> u64 {
    let events = &contacts.events;
    events
        .limited
        .saturating_add(events.lost)
        .saturating_add(contacts.unrecorded)
}

fn write_text(out: &mut dyn Write, contacts: &Contacts) -> io::Result<()> {
    let since = contacts.since.get(..19).unwrap_or(&contacts.since);
    if contacts.contacts.is_empty() {
        writeln!(out, "no C2 contact since {since}")?;
    } else {
        writeln!(out, "C2 contacts since {since} (UTC)\n")?;
        writeln!(out, "{}", line(&HEADER.map(str::to_owned)))?;
    }
    for contact in &contacts.contacts {
        writeln!(out, "{}", line(&cells(contact)))?;
    }
    write_gaps(out, contacts)
}

const HEADER: [&str; 8] = [
    "client",
    "container",
    "C2",
    "dir",
    "verdict",
    "packets",
    "first seen",
    "last seen, indicator, feeds",
];

fn cells(contact: &Contact) -> [String; 8] {
    let container = contact.container.as_ref();
    let far = match contact.port {
        0 => format!("{} {}", contact.address, contact.protocol),
        port => {
            let address = match contact.address.contains(':') {
                true => format!("[{}]", contact.address),
                false => contact.address.clone(),
            };
            format!("{address}:{port}/{}", contact.protocol)
        }
    };
    let time = |text: &str| text.get(..19).unwrap_or(text).to_owned();
    let last = [
        time(&contact.last),
        contact.indicator.clone().unwrap_or_default(),
        contact.feeds.join(" "),
    ];
    [
        contact.client.clone(),
        container
            .map_or("-", |Container { name, .. }| name)
            .to_owned(),
        far,
        contact.direction.clone(),
        contact.verdict.clone(),
        contact.packets.to_string(),
        time(&contact.first),
        last.join("  ").trim_end().to_owned(),
    ]
}

fn line(
    [
        client,
        container,
        far,
        direction,
        verdict,
        packets,
        first,
        rest,
    ]: &[String; 8],
) -> String {
    format!(
        "{client:<16} {container:<20} {far:<26} {direction:<11} {verdict:<8} {packets:>8}  {first:<20} {rest}"
    )
}

fn write_gaps(out: &mut dyn Write, contacts: &Contacts) -> io::Result<()> {
    let events = &contacts.events;
    if events.limited > 0 || events.lost > 0 {
        writeln!(
            out,
            "\n{} packets were held back by the rate limit and {} lost: there may be more contacts, `trickblock list` has every hit",
            events.limited, events.lost
        )?;
    }
    if contacts.unrecorded > 0 {
        writeln!(
            out,
            "\n{} packets of further clients or servers are not recorded: there are too many",
            contacts.unrecorded
        )?;
    }
    if contacts.containers == Following::Lost {
        writeln!(
            out,
            "\nthe container engine does not answer: new containers have no names"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_or_explained() {
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        for text in ["", "10", "-5s", "soon"] {
            assert!(span(text).unwrap_err().contains("write 30s"), "{text}");
        }
    }
}
