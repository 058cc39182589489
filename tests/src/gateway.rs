//! A filtered interface with a real daemon on it, fed by an HTTP server that a test can make
//! misbehave.

use std::{
    net::TcpStream,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::{
    cli::{Daemon, Output, Run, Site, binary},
    http::{Request, Server, respond},
    netns::Netns,
    wire::Wire,
};

/// Listed in [`LIST`], with port 443.
pub const C2: &str = "203.0.113.7";
/// Listed nowhere.
pub const BENIGN: &str = "203.0.113.8";

/// What the server sends at first: a Feodo list with its footer.
pub const LIST: &str = "# Feodo-style list\n\
\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\
\"2021-03-19 10:00:00\",\"203.0.113.7\",\"443\",\"online\",\"2021-03-20\",\"Dridex\"\n\
\"2021-03-19 11:00:00\",\"198.51.100.77\",\"8080\",\"offline\",\"\",\"TrickBot\"\n\
# END 2 entries\n";

/// A list like [`LIST`] with its footer, of rows such as `203.0.113.7:443`.
pub fn list_of<S: AsRef<str>>(rows: &[S]) -> String {
    let header = LIST.lines().nth(1).unwrap_or_default();
    let row = |row: &S| {
        let (address, port) = row
            .as_ref()
            .rsplit_once(':')
            .unwrap_or((row.as_ref(), "443"));
        format!(
            "\"2021-03-19 10:00:00\",\"{address}\",\"{port}\",\"online\",\"2021-03-20\",\"Dridex\"\n"
        )
    };
    let text: String = rows.iter().map(row).collect();
    format!("{header}\n{text}# END {} entries\n", rows.len())
}

/// How a request is answered.
pub type Answer = dyn Fn(&Request, &mut TcpStream) + Send + Sync;

/// One interface `eth0`, a site, and a feed server. The site goes first: a link must be gone
/// before its namespace is.
pub struct Gateway {
    pub site: Site,
    pub wire: Wire,
    answer: Arc<Mutex<Arc<Answer>>>,
    server: Mutex<Option<Server>>,
    url: String,
}

impl Gateway {
    /// Nothing runs yet, but the server serves [`LIST`] and the configuration is written.
    pub fn new() -> anyhow::Result<Self> {
        let wire = Wire::new("eth0");
        let answer: Arc<Mutex<Arc<Answer>>> = Arc::new(Mutex::new(body(LIST)));
        let current = Arc::clone(&answer);
        let server = wire.inside.run(|| {
            Server::start(move |request, stream| {
                let answer = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
                answer(request, stream);
            })
        })?;
        let gateway = Self {
            site: Site::new()?,
            wire,
            answer,
            url: server.url("/list.csv"),
            server: Mutex::new(Some(server)),
        };
        gateway.site.configure(&gateway.config())?;
        Ok(gateway)
    }

    /// `eth0` in native mode, and the server's feed by the name `feodo`.
    pub fn config(&self) -> String {
        format!("{INTERFACE}{}", self.feed())
    }

    /// The section of the feed `feodo`, which mirrors its list: what is gone from it is gone.
    pub fn feed(&self) -> String {
        let url = &self.url;
        format!(
            "[[feed]]\nname = \"feodo\"\nurl = \"{url}\"\ninterval = \"1h\"\ntimeout = \"4s\"\nhold_down = \"0s\"\n"
        )
    }

    /// The feed's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on the server answers so.
    pub fn answer(&self, answer: Arc<Answer>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Ends the server: connections are refused.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.inside().run(move || drop(server))?;
        // The accepting thread closes its socket a moment later.
        let address = self
            .url
            .trim_start_matches("http://")
            .trim_end_matches("/list.csv");
        let refuses = || TcpStream::connect(address).is_err();
        wait_for("the server's end", || {
            Ok(self.inside().run(refuses)?.then_some(()))
        })
    }

    pub fn inside(&self) -> &Netns {
        &self.wire.inside
    }

    /// Starts the daemon and waits for its first answer.
    pub fn daemon(&self) -> anyhow::Result<Daemon> {
        Daemon::start(&self.site, Some(self.inside()))
    }

    /// A verb, asked where the filter is.
    pub fn verb(&self, verb: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        self.site
            .verb(verb, arguments)
            .within(self.inside())
            .output()
    }

    /// A verb that must end with `code`: the first of `words`, then its arguments. Panics with the log where it does not.
    pub fn must(&self, code: i32, words: &[&str]) -> Output {
        let (verb, arguments) = words.split_first().expect("a verb");
        let output = self.verb(verb, arguments).expect("an end");
        assert_eq!(
            output.code,
            Some(code),
            "{words:?}: {output:?}\n{}",
            self.site.log()
        );
        output
    }

    /// `run -c`, to its end.
    pub fn run(&self) -> anyhow::Result<Output> {
        let arguments = [
            "run".into(),
            "-c".into(),
            self.site.config().into_os_string(),
        ];
        Run::new(arguments).within(self.inside()).output()
    }

    /// `trickblock <arguments>` behind other commands (`setpriv …`), given 20 s.
    pub fn behind(&self, prefix: &[&str], arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.command_behind(&[&["timeout", "20"], prefix].concat())?;
        let done = command.args(arguments).output().context("timeout")?;
        Ok(Output {
            code: done.status.code(),
            stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        })
    }

    /// The binary behind other commands, not started yet.
    pub fn command_behind(&self, prefix: &[&str]) -> anyhow::Result<Command> {
        let (first, rest) = prefix.split_first().context("no command")?;
        let mut command = self.inside().command(first)?;
        command.args(rest).arg(binary()?);
        Ok(command)
    }

    /// `status --json`, with its exit code.
    pub fn status(&self) -> anyhow::Result<(Option<i32>, Value)> {
        let output = self.verb("status", &["--json"])?;
        Ok((output.code, output.json()?))
    }

    /// Waits until `status` says what `wanted` wants.
    pub fn wait_for_status(&self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        let waited = wait_for("the status", || {
            // Before the first daemon has loaded anything there is none.
            last = self.status().map_or(Value::Null, |(_, status)| status);
            Ok(wanted(&last).then(|| last.clone()))
        });
        waited.with_context(|| format!("{last:#}\n{}", self.site.log()))
    }

    /// Waits until all is well. Panics with the log where it does not become so.
    pub fn wait_for_active(&self) -> Value {
        match self.wait_for_status(|status| status["state"] == "active") {
            Ok(status) => status,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Fails unless packets of the listed server are dropped and those beside it arrive.
    pub fn filters(&self) -> anyhow::Result<()> {
        let (leaked, passed) = (self.wire.passes(C2, 5), self.wire.passes(BENIGN, 3));
        ensure!(
            (leaked, passed) == (0, 3),
            "{leaked} of 5 leaked, {passed} of 3 passed"
        );
        Ok(())
    }
}

/// The interface of every configuration here.
pub const INTERFACE: &str = "[filter]\nxdp = \"native\"\n[[interface]]\nname = \"eth0\"\n";

/// An answer of 200 with this body.
pub fn body(text: impl Into<Vec<u8>>) -> Arc<Answer> {
    let bytes = text.into();
    Arc::new(move |_: &Request, stream: &mut TcpStream| respond(stream, "200 OK", &[], &bytes))
}

/// Asks until there is an answer, for at most 15 s.
pub fn wait_for<T>(
    what: &str,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}
