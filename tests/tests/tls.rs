//! Feeds over TLS, from servers with every kind of certificate, and keys that the operator knows.
//!
//! The test binary runs itself again for each fetch: which authorities are trusted is said to a whole process.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use trickblock::feed::source::{Fetched, HttpSource, HttpSpec, KeyPin, RedirectHost, Validators};
use trickblock_tests::{
    case, child,
    harness::{self, Need},
};

const LIST: &str = "192.0.2.1\n192.0.2.2\n";
const NEEDS: &[Need] = &[Need::OpenSsl];

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return play(&role);
    }
    harness::main(&[
        case!(a_certificate_that_holds_is_taken, NEEDS),
        case!(certificates_that_do_not_hold_are_refused, NEEDS),
        case!(a_body_that_is_cut_off_is_none, NEEDS),
        case!(nothing_leads_from_tls_to_plain_text, NEEDS),
        case!(one_of_the_pins_must_be_the_servers_key, NEEDS),
        case!(another_key_is_asked_nothing, NEEDS),
    ])
}

/// Fetches `URL`, with the pins that follow it, and says what came.
fn play(role: &str) -> ExitCode {
    let mut words = role.split(' ');
    let url = words.next().unwrap().parse().unwrap();
    let spec = HttpSpec {
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(2),
        pins: words.map(|pin| KeyPin::parse(pin).unwrap()).collect(),
        redirect_hosts: vec![RedirectHost::parse("127.0.0.1").unwrap()],
        ..HttpSpec::new(url)
    };
    let said = match HttpSource::new(spec).fetch(&Validators::default()) {
        Ok(Fetched::Body { body, .. }) => {
            String::from_utf8_lossy(&body.parts[0].bytes).into_owned()
        }
        Ok(Fetched::NotModified) => "not modified".to_owned(),
        Err(error) => format!("error: {error}"),
    };
    print!("{said}");
    ExitCode::SUCCESS
}

/// An authority, and a server with a certificate of it; answers are files.
struct Site {
    dir: TempDir,
    port: u16,
    server: Child,
}

impl Site {
    /// `name` is in the certificate, which is good for so many days.
    fn new(name: &str, days: i32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let days = days.to_string();
        certificates(dir.path(), name, &days);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let accept = port.to_string();
        let server = openssl(
            dir.path(),
            &[
                "s_server", "-quiet", "-HTTP", "-key", "key.pem", "-cert", "cert.pem", "-accept",
                &accept,
            ],
        )
        .spawn()
        .unwrap();
        let site = Self { dir, port, server };
        let up = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(25));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(up, "the server never listened");
        site.answers(
            "list",
            &format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{LIST}",
                LIST.len()
            ),
        );
        site
    }

    /// From now on `path` is answered with these bytes.
    fn answers(&self, path: &str, bytes: &str) {
        fs::write(self.dir.path().join(path), bytes).unwrap();
    }

    /// What a process that trusts the authority of `trusted` gets.
    fn fetch_trusting(&self, trusted: &Self, path: &str, pins: &[&str]) -> String {
        let url = format!("https://localhost:{}/{path}", self.port);
        let role = [&[url.as_str()], pins].concat().join(" ");
        let mut env = Command::new("env");
        env.arg("-u").arg("SSL_CERT_DIR");
        env.env("SSL_CERT_FILE", trusted.dir.path().join("ca.pem"));
        let output = child::with_role(env, &role).unwrap().output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fetch(&self, path: &str, pins: &[&str]) -> String {
        self.fetch_trusting(self, path, pins)
    }

    /// As `curl --pinnedpubkey` wants it, by other code than ours.
    fn pin(&self) -> String {
        let script = "openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64 -A";
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", script]).current_dir(&self.dir).output();
        format!(
            "sha256//{}",
            String::from_utf8(output.unwrap().stdout).unwrap()
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// `ca.pem`, and `cert.pem` with `key.pem` that it signed.
fn certificates(dir: &Path, name: &str, days: &str) {
    let extensions = format!("subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n");
    fs::write(dir.join("extensions"), extensions).unwrap();
    // No two authorities share a name.
    let own = dir.file_name().unwrap().display();
    for words in [
        &format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={own} -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem"
        ),
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out server.csr",
        &format!(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile extensions -out cert.pem"
        ),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let output = openssl(dir, &words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

fn openssl(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    let command_in = command.args(words).current_dir(dir);
    command_in
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn a_certificate_that_holds_is_taken() {
    let site = Site::new("localhost", 2);
    assert_eq!(site.fetch("list", &[]), LIST);
}

fn certificates_that_do_not_hold_are_refused() {
    let good = Site::new("localhost", 2);
    let (other, old) = (
        Site::new("elsewhere.example", 2),
        Site::new("localhost", -1),
    );
    let unknown = good.fetch_trusting(&other, "list", &[]);
    let of_others = other.fetch("list", &[]);
    let expired = old.fetch("list", &[]);
    for (said, what) in [
        (unknown, "UnknownIssuer"),
        (of_others, "not valid for name"),
        (expired, "Expired"),
    ] {
        assert!(
            said.contains("TLS failed") && said.contains(what),
            "{what}: {said}"
        );
        assert!(said.contains("check the certificate"), "{said}");
    }
}

fn a_body_that_is_cut_off_is_none() {
    let site = Site::new("localhost", 2);
    site.answers(
        "short",
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n192.0.2.1\n",
    );
    let pin = site.pin();
    for pins in [&[][..], &[pin.as_str()]] {
        let said = site.fetch("short", pins);
        assert!(said.starts_with("error:"), "{said}");
    }
}

fn nothing_leads_from_tls_to_plain_text() {
    let site = Site::new("localhost", 2);
    let plain = "HTTP/1.1 302 Found\r\nLocation: http://localhost:9/\r\nContent-Length: 0\r\n\r\n";
    site.answers("plain", plain);
    let said = site.fetch("plain", &[]);
    assert!(said.contains("not encrypted"), "{said}");
}

fn one_of_the_pins_must_be_the_servers_key() {
    let (site, other) = (Site::new("localhost", 2), Site::new("localhost", 2));
    let (pin, others) = (site.pin(), other.pin());
    assert_eq!(site.fetch("list", &[&pin]), LIST);
    assert_eq!(site.fetch("list", &[&others, &pin]), LIST, "one of two");
    // A key that is right does not make up for a certificate that is not.
    let said = site.fetch_trusting(&other, "list", &[&pin]);
    assert!(said.contains("UnknownIssuer"), "{said}");
}

fn another_key_is_asked_nothing() {
    let (site, other) = (Site::new("localhost", 2), Site::new("localhost", 2));
    // Were the path asked for, its answer would come.
    let said = site.fetch("list", &[&other.pin()]);
    for part in ["another key", &site.pin(), "nothing was asked"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
