//! `trickblock metrics`: what a monitoring system would get.

use std::io::{self, Write};

use serde_json::Value;

use super::{
    Exit,
    daemon::{Place, ask, no_daemon, refused, typed, write_json},
};
use crate::{daemon::protocol::Verb, observe::Metrics};

/// Print the daemon's metrics as OpenMetrics text; `[metrics] listen` serves them over HTTP.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Place,
}

pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let metrics: Metrics = match ask(&args.place, Verb::Metrics, Value::Null) {
        Ok(Some(value)) => typed(&value)?,
        Ok(None) => return Ok(no_daemon(&args.place, err)),
        Err(error) => return Ok(refused(err, &error)),
    };
    match args.place.json {
        true => write_json(out, &metrics)?,
        false => out.write_all(metrics.text().as_bytes())?,
    }
    Ok(Exit::Ok)
}
