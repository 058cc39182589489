//! The feed server: HTTP/1.1 with ETags, serving a Feodo-style CSV and a plain list.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::netns::Netns;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct FeedServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

/// How often it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    /// Answered with a body.
    pub full: u64,
    /// Answered with 304, since the client had that version.
    pub not_modified: u64,
    /// Answered with an error.
    pub refused: u64,
}

impl FeedServer {
    /// Listens on `address` inside `host`; port 0 picks one.
    pub fn start(host: &Netns, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = host.run(|| TcpListener::bind(address))?;
        let listener = listener.with_context(|| format!("feed server on {address}"))?;
        let address = listener.local_addr().context("feed server")?;
        listener.set_nonblocking(true).context("feed server")?;
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let acceptor = thread::spawn(move || for_thread.accept(&listener));
        Ok(Self {
            shared,
            address,
            acceptor: Some(acceptor),
        })
    }

    /// The URL of a document.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts `body` at `path`, and returns when: from then on every answer has it.
    pub fn publish(&self, path: &str, content_type: &'static str, body: String) -> Instant {
        let mut documents = self.shared.documents();
        let version = documents
            .get(path)
            .map_or(1, |document| document.version + 1);
        documents.insert(
            path.to_owned(),
            Document {
                content_type,
                body,
                version,
            },
        );
        Instant::now()
    }

    /// Requests so far.
    pub fn requests(&self) -> Requests {
        *self.shared.requests()
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            let _a_panic_was_printed = acceptor.join();
        }
    }
}

#[derive(Clone, Debug)]
struct Document {
    content_type: &'static str,
    body: String,
    version: u64,
}

#[derive(Debug, Default)]
struct Shared {
    documents: Mutex<BTreeMap<String, Document>>,
    requests: Mutex<Requests>,
    stop: AtomicBool,
}

/// A request in all that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    path: String,
    if_none_match: Option<String>,
}

impl Shared {
    fn documents(&self) -> MutexGuard<'_, BTreeMap<String, Document>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            while !self.stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    // A client that breaks off learns nothing from an answer.
                    Ok((stream, _)) => drop(scope.spawn(move || self.serve(&stream))),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let answer = match read_request(stream)? {
            Some(request) => self.answer(&request),
            None => self.refuse("400 Bad Request"),
        };
        (&*stream).write_all(answer.as_bytes())
    }

    fn answer(&self, request: &Request) -> String {
        let Some(document) = self.documents().get(&request.path).cloned() else {
            return self.refuse("404 Not Found");
        };
        let etag = format!("\"v{}\"", document.version);
        let head = format!("ETag: {etag}\r\nConnection: close\r\n");
        if request.if_none_match.as_deref() == Some(&etag) {
            self.requests().not_modified += 1;
            return format!("HTTP/1.1 304 Not Modified\r\n{head}\r\n");
        }
        self.requests().full += 1;
        let Document {
            content_type, body, ..
        } = document;
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\n{head}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    fn refuse(&self, status: &str) -> String {
        self.requests().refused += 1;
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_REQUEST: u64 = 16 << 10;

/// `None` if it is not a GET request, or too long.
fn read_request(stream: impl io::Read) -> io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream.take(LONGEST_REQUEST));
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some("GET"), Some(path), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Ok(None);
    };
    if !version.starts_with("HTTP/1.") {
        return Ok(None);
    }
    let mut request = Request {
        path: path.to_owned(),
        if_none_match: None,
    };
    loop {
        line.clear();
        lines.read_line(&mut line)?;
        let Some(text) = line.strip_suffix("\r\n") else {
            return Ok(None);
        };
        let Some((name, value)) = text.split_once(':') else {
            return Ok(text.is_empty().then_some(request));
        };
        if name.eq_ignore_ascii_case("if-none-match") {
            request.if_none_match = Some(value.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Request> {
        read_request(text.as_bytes()).unwrap()
    }

    #[test]
    fn requests_are_read_to_the_empty_line() {
        let request = asked("GET /a.csv HTTP/1.1\r\nHost: x\r\nIF-None-Match: \"v3\"\r\n\r\n");
        let if_none_match = Some("\"v3\"".to_owned());
        assert_eq!(
            request,
            Some(Request {
                path: "/a.csv".to_owned(),
                if_none_match
            })
        );
        let cut_or_wrong = [
            "",
            "POST / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n",
            "GET /\r\n\r\n",
        ];
        assert!(cut_or_wrong.iter().all(|text| asked(text).is_none()));
    }

    #[test]
    fn answers_follow_the_version() {
        let shared = Shared::default();
        let ask = |etag: Option<&str>| {
            let if_none_match = etag.map(str::to_owned);
            shared.answer(&Request {
                path: "/feed".to_owned(),
                if_none_match,
            })
        };
        assert!(ask(None).starts_with("HTTP/1.1 404 "));
        let document = Document {
            content_type: "text/csv",
            body: "rows".to_owned(),
            version: 1,
        };
        shared.documents().insert("/feed".to_owned(), document);
        assert!(ask(None).ends_with("ETag: \"v1\"\r\nConnection: close\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\nrows"));
        assert!(ask(Some("\"v1\"")).starts_with("HTTP/1.1 304 "));
        assert!(ask(Some("\"v0\"")).starts_with("HTTP/1.1 200 "));
        let Requests {
            full,
            not_modified,
            refused,
        } = *shared.requests();
        assert_eq!((full, not_modified, refused), (2, 1, 1));
    }
}
