//! `GET /metrics`: what a monitoring system asks for, and nothing else.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener as Bound},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    DaemonError,
    handler::{Shared, lock},
};
use crate::observe::metrics::CONTENT_TYPE;

/// Callers at a time; others wait their turn.
const CALLERS: usize = 32;
/// A caller may take so long, from the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The head of a request: a few hundred bytes are usual.
const MAX_HEAD: usize = 4 << 10;
const MAX_HEADERS: usize = 32;
/// However often it is asked, the engine is in nobody's way.
const FRESH: Duration = Duration::from_secs(1);
/// After a failure of the system to hand out a connection.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes the address at once, so that one that is taken ends the start.
///
/// # Errors
/// If it cannot be listened on.
pub fn bind(address: SocketAddr) -> Result<Bound, DaemonError> {
    let bound = Bound::bind(address).and_then(|bound| {
        bound.set_nonblocking(true)?;
        Ok(bound)
    });
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever reaches this address can read the metrics: nothing asks who they are");
    }
    bound.map_err(|source| DaemonError::Metrics { address, source })
}

/// Answers until it is dropped.
pub async fn serve(bound: Bound, engine: Shared) -> Result<Infallible, DaemonError> {
    let listener = TcpListener::from_std(bound).map_err(DaemonError::Runtime)?;
    let (turns, page) = (
        Arc::new(Semaphore::new(CALLERS)),
        Arc::new(Page::new(engine)),
    );
    loop {
        let turn = Arc::clone(&turns).acquire_owned().await;
        match (listener.accept().await, turn) {
            (Ok((stream, _)), Ok(turn)) => {
                drop(tokio::spawn(call(stream, turn, Arc::clone(&page))));
            }
            // Out of descriptors, or the caller left: not for ever.
            _ => sleep(PAUSE).await,
        }
    }
}

async fn call(mut stream: TcpStream, _turn: OwnedSemaphorePermit, page: Arc<Page>) {
    let answered = async {
        let answer = match head(&mut stream).await {
            Some(head) => answer(&head, &page).await,
            None => plain("400 Bad Request", "no request of HTTP/1\n"),
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // Who left or dawdles gets nothing, and nobody else need know.
    let _ = timeout(PATIENCE, answered).await;
}

/// The bytes up to the empty line; `None` where they do not come, or are too many.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let room = MAX_HEAD.checked_sub(head.len()).filter(|room| *room > 0)?;
        let mut chunk = vec![0; room.min(512)];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        head.extend_from_slice(chunk.get(..count)?);
    }
    Some(head)
}

async fn answer(head: &[u8], page: &Page) -> String {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(head).is_ok_and(|parsed| parsed.is_complete()) {
        return plain("400 Bad Request", "no request of HTTP/1\n");
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match (request.method, path) {
        (_, path) if path != "/metrics" => plain("404 Not Found", "there is only /metrics\n"),
        (Some("GET"), _) => match page.text().await {
            Ok(text) => response("200 OK", CONTENT_TYPE, "", &text),
            Err(why) => plain("503 Service Unavailable", &format!("{why}\n")),
        },
        _ => response(
            "405 Method Not Allowed",
            "text/plain",
            "Allow: GET\r\n",
            "only GET\n",
        ),
    }
}

fn plain(status: &str, text: &str) -> String {
    response(status, "text/plain; charset=utf-8", "", text)
}

fn response(status: &str, kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
    )
}

/// What is answered, made anew once it is old.
struct Page {
    engine: Shared,
    made: Mutex<Option<(Instant, Arc<str>)>>,
}

impl Page {
    fn new(engine: Shared) -> Self {
        let made = Mutex::new(None);
        Self { engine, made }
    }

    /// Others that ask meanwhile wait for the same one.
    async fn text(&self) -> Result<Arc<str>, String> {
        let mut made = self.made.lock().await;
        if let Some((at, text)) = made.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            let _ = at;
            return Ok(Arc::clone(text));
        }
        let engine = Arc::clone(&self.engine);
        let metrics = spawn_blocking(move || lock(&engine).metrics());
        let metrics = metrics.await.map_err(|error| error.to_string())?;
        let text: Arc<str> = metrics.map_err(|error| error.to_string())?.text().into();
        *made = Some((Instant::now(), Arc::clone(&text)));
        Ok(text)
    }
}
