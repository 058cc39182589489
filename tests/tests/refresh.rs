//! Feeds kept fresh: cache first, only accepted bodies remembered, failures survived.

#[path = "refresh/copies.rs"]
mod copies;
#[path = "refresh/floor.rs"]
mod floor;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, sync::mpsc, time::timeout};
use trickblock::{
    daemon::refresh::{Accepted, FeedEvent, FetchError, Job, Judge, Origin, Outcome, Refresher},
    feed::{
        cache::Cache,
        source::{Api, Body, HttpSpec, Location, Reason},
    },
};
use trickblock_tests::http::{Server, respond};

const OLD: &[u8] = b"192.0.2.1\n";
const NEW: &[u8] = b"192.0.2.2\n";

fn plain() -> Accepted {
    Accepted {
        format: Some("plain".to_owned()),
        ..Accepted::default()
    }
}

/// A refresher as the main loop sees it.
struct Lab {
    runtime: Runtime,
    refresher: Option<Refresher>,
    events: mpsc::Receiver<FeedEvent>,
}

impl Lab {
    fn start(state: &Path, jobs: Vec<Job>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (sender, events) = mpsc::channel(8);
        let refresher =
            runtime.block_on(async { Refresher::start(jobs, &Cache::new(state), &sender) });
        Self {
            runtime,
            refresher: Some(refresher),
            events,
        }
    }

    fn event(&mut self) -> FeedEvent {
        let next = async { timeout(Duration::from_secs(10), self.events.recv()).await };
        self.runtime
            .block_on(next)
            .expect("an event within 10 s")
            .expect("a living task")
    }

    fn outcome(&mut self) -> Outcome {
        self.event().outcome
    }

    /// The next event, which must bring a body.
    fn loaded(&mut self) -> (Vec<u8>, Origin, Judge) {
        match self.outcome() {
            Outcome::Loaded {
                body, from, judge, ..
            } => (flat(&body), from, judge),
            other => panic!("{other:?}"),
        }
    }

    /// The judge of the next body, whatever confirms the one before it until then.
    fn next_judge(&mut self) -> Judge {
        let outcomes = (0..50).map(|_| self.outcome());
        let judges = outcomes.filter_map(|outcome| match outcome {
            Outcome::Loaded { judge, .. } => Some(judge),
            _ => None,
        });
        { judges }.next().expect("a body within 50 events")
    }

    /// The next body from the source, accepted and stored.
    fn accept(&mut self) -> Vec<u8> {
        let (bytes, from, judge) = self.loaded();
        assert_eq!(from, Origin::Fetch);
        judge.accept(plain());
        let stored = self.outcome();
        assert!(matches!(stored, Outcome::Stored(Ok(()))), "{stored:?}");
        bytes
    }

    fn refetch(&self) {
        self.refresher.as_ref().unwrap().refetch(0);
    }

    fn reload(&self) -> u64 {
        self.refresher.as_ref().unwrap().reload()
    }

    fn silent_for(&mut self, span: Duration) {
        let next = async { timeout(span, self.events.recv()).await };
        let event = self.runtime.block_on(next);
        assert!(event.is_err(), "{event:?}");
    }

    /// How long the end took.
    fn stop(mut self) -> Duration {
        let started = Instant::now();
        self.runtime.block_on(self.refresher.take().unwrap().stop());
        drop(self.runtime);
        started.elapsed()
    }
}

fn flat(body: &Body) -> Vec<u8> {
    body.parts
        .iter()
        .flat_map(|part| part.bytes.to_vec())
        .collect()
}

fn http_job(url: &str, interval: Duration) -> Job {
    let spec = HttpSpec {
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(2),
        ..HttpSpec::new(url.parse().unwrap())
    };
    Job {
        name: "feed".to_owned(),
        location: Location::Http(spec),
        interval,
        min_interval: Duration::ZERO,
    }
}

fn file_job(path: &Path) -> Job {
    Job {
        name: "feed".to_owned(),
        location: Location::Path(path.to_owned()),
        interval: Duration::from_secs(300),
        min_interval: Duration::ZERO,
    }
}

const FAST: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3_600);

/// What a server with ETags serves now.
#[derive(Clone)]
struct Page(Arc<Mutex<&'static [u8]>>);

impl Page {
    fn new(body: &'static [u8]) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    fn set(&self, body: &'static [u8]) {
        *self.0.lock().unwrap() = body;
    }

    fn serve(&self) -> Server {
        let page = self.clone();
        Server::start(move |request, stream| {
            let body: &[u8] = *page.0.lock().unwrap();
            let etag = format!("\"{}\"", String::from_utf8_lossy(body).trim());
            if request.header("If-None-Match") == Some(etag.as_str()) {
                return respond(stream, "304 Not Modified", &[], b"");
            }
            respond(stream, "200 OK", &[&format!("ETag: {etag}")], body);
        })
    }
}

#[test]
fn accepted_body_is_stored_and_offered_first_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let page = Page::new(OLD);
    let server = page.serve();
    let job = http_job(&server.url("/list"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    assert_eq!(lab.accept(), OLD);
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    let (bytes, from, judge) = lab.loaded();
    assert_eq!(bytes, OLD);
    let Origin::Cache { fetched_at, format } = from else {
        panic!("{from:?}")
    };
    assert!(fetched_at <= jiff::Timestamp::now());
    assert_eq!(format.as_deref(), Some("plain"));
    judge.accept(Accepted {
        format,
        ..Accepted::default()
    });

    // Its validators came back with it, so the first fetch is conditional.
    let next = lab.outcome();
    assert!(matches!(next, Outcome::NotModified), "{next:?}");
    assert_eq!(
        server.requests()[1].header("If-None-Match"),
        Some("\"192.0.2.1\"")
    );
    let confirmed = lab.outcome();
    assert!(
        matches!(confirmed, Outcome::Stored(Ok(()))),
        "{confirmed:?}"
    );
    lab.stop();
    let stored = Cache::new(state.path()).load("feed").unwrap().unwrap();
    assert!(stored.fetched_at > fetched_at);
}

#[test]
fn refused_body_neither_replaces_the_copy_nor_lends_its_validators() {
    let state = tempfile::tempdir().unwrap();
    let page = Page::new(OLD);
    let server = page.serve();
    let mut lab = Lab::start(state.path(), vec![http_job(&server.url("/"), FAST)]);
    assert_eq!(lab.accept(), OLD);
    page.set(NEW);
    let judge = lab.next_judge();
    judge.refuse();

    // The same body again, in full: a 304 for it would look like consent.
    let (bytes, _, judge) = lab.loaded();
    assert_eq!(bytes, NEW);
    drop(judge);
    assert_eq!(
        server.requests().last().unwrap().header("If-None-Match"),
        None
    );
    let stored = Cache::new(state.path()).load("feed").unwrap().unwrap();
    assert_eq!(flat(&stored.body), OLD);

    page.set(OLD);
    let bodies = (0..20).map(|_| lab.loaded());
    let (_, _, back) = { bodies }
        .find(|(bytes, ..)| bytes == OLD)
        .expect("the page went back");
    back.accept(Accepted::default());
    lab.stop();
}

#[test]
fn refused_copy_leads_to_an_unconditional_fetch() {
    let state = tempfile::tempdir().unwrap();
    let server = Page::new(OLD).serve();
    let job = http_job(&server.url("/"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    lab.accept();
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    let (_, _, judge) = lab.loaded();
    judge.refuse();

    assert_eq!(lab.accept(), OLD);
    assert_eq!(server.requests()[1].header("If-None-Match"), None);
    lab.stop();
}

#[test]
fn copy_of_another_source_is_not_offered() {
    let state = tempfile::tempdir().unwrap();
    let (first, second) = (Page::new(OLD).serve(), Page::new(NEW).serve());
    let mut lab = Lab::start(state.path(), vec![http_job(&first.url("/?list=a"), NEVER)]);
    lab.accept();
    lab.stop();

    for url in [first.url("/?list=b"), second.url("/?list=a")] {
        let mut lab = Lab::start(state.path(), vec![http_job(&url, NEVER)]);
        let (_, from, judge) = lab.loaded();
        assert_eq!(from, Origin::Fetch, "{url}");
        judge.refuse();
        lab.stop();
    }
}

#[test]
fn unchanged_body_without_validators_is_not_judged_again() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], OLD));
    let mut lab = Lab::start(state.path(), vec![http_job(&server.url("/"), FAST)]);
    lab.accept();

    for _ in 0..3 {
        let next = lab.outcome();
        assert!(matches!(next, Outcome::NotModified), "{next:?}");
    }
    lab.stop();
}

#[test]
fn failures_back_off_and_recovery_is_seen() {
    let state = tempfile::tempdir().unwrap();
    let fine = Arc::new(Mutex::new(false));
    let switch = Arc::clone(&fine);
    let server = Server::start(move |_, stream| match *switch.lock().unwrap() {
        true => respond(stream, "200 OK", &[], OLD),
        false => respond(stream, "500 Internal Server Error", &[], b""),
    });
    let mut lab = Lab::start(state.path(), vec![http_job(&server.url("/"), FAST)]);

    let mut pauses = Vec::new();
    for _ in 0..4 {
        let Outcome::Failed {
            retry_in: Some(pause),
            ..
        } = lab.outcome()
        else {
            panic!("no failure")
        };
        pauses.push(pause);
    }
    *fine.lock().unwrap() = true;

    assert!(
        pauses.windows(2).all(|pair| pair[1] > pair[0].mul_f64(1.5)),
        "{pauses:?}"
    );
    assert_eq!(lab.accept(), OLD);
    lab.stop();
}

#[test]
fn retry_after_is_honoured_and_reload_overrides_it() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(|_, stream| {
        respond(
            stream,
            "503 Service Unavailable",
            &["Retry-After: 3600"],
            b"",
        );
    });
    let mut lab = Lab::start(state.path(), vec![http_job(&server.url("/"), FAST)]);
    let first = lab.event();
    let Outcome::Failed {
        retry_in: Some(pause),
        ..
    } = first.outcome
    else {
        panic!("{first:?}")
    };
    assert!(pause >= Duration::from_secs(3_600));
    assert_eq!(first.round, 0);
    lab.silent_for(Duration::from_millis(400));

    let round = lab.reload();
    let second = lab.event();

    assert_eq!((round, second.round), (1, 1));
    assert_eq!(server.requests().len(), 2);
    lab.stop();
}

#[test]
fn file_is_followed_within_half_a_second() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("list.txt");
    let next = dir.path().join("next");
    fs::write(&path, OLD).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(&path)]);
    assert_eq!(lab.accept(), OLD);

    for body in [NEW, OLD, NEW] {
        fs::write(&next, body).unwrap();
        let replaced = Instant::now();
        fs::rename(&next, &path).unwrap();
        let (bytes, _, judge) = lab.loaded();
        assert!(
            replaced.elapsed() < Duration::from_millis(500),
            "{:?}",
            replaced.elapsed()
        );
        assert_eq!(bytes, body);
        judge.accept(Accepted::default());
        assert!(matches!(lab.outcome(), Outcome::Stored(Ok(()))));
    }
    lab.silent_for(Duration::from_millis(600));
    lab.stop();
}

#[test]
fn deleted_file_is_said_once_and_its_return_is_seen() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("list.txt");
    fs::write(&path, OLD).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(&path)]);
    lab.accept();

    fs::remove_file(&path).unwrap();
    match lab.outcome() {
        Outcome::Failed {
            error: FetchError::Source(error),
            retry_in: None,
        } => {
            assert!(matches!(error.reason, Reason::Missing), "{error}");
            assert!(
                error.to_string().contains(&path.display().to_string()),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
    lab.silent_for(Duration::from_millis(600));

    fs::write(&path, NEW).unwrap();
    assert_eq!(lab.accept(), NEW);
    lab.stop();

    // Gone again before the next start: the copy on disk takes its place.
    fs::remove_file(&path).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(&path)]);
    let (bytes, from, judge) = lab.loaded();
    assert_eq!(bytes, NEW);
    assert!(matches!(from, Origin::Cache { .. }));
    judge.accept(Accepted::default());
    assert!(matches!(lab.outcome(), Outcome::Failed { .. }));
    lab.stop();
}

#[test]
fn file_written_in_pieces_is_read_when_it_has_settled() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("list.txt");
    fs::write(&path, OLD).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(&path)]);
    lab.accept();

    let mut whole = Vec::new();
    for _ in 0..5 {
        whole.extend_from_slice(NEW);
        fs::write(&path, &whole).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&whole) {
        seen.push(lab.accept());
    }
    assert!(seen.len() <= 2, "{} bodies", seen.len());
    lab.stop();
}

#[test]
fn directory_is_one_feed() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(dir.path().join("a"), OLD).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(dir.path())]);
    assert_eq!(lab.accept(), OLD);

    fs::write(dir.path().join("b"), NEW).unwrap();
    assert_eq!(lab.accept(), [OLD, NEW].concat());
    fs::remove_file(dir.path().join("a")).unwrap();
    assert_eq!(lab.accept(), NEW);
    lab.stop();
    let stored = Cache::new(state.path()).load("feed").unwrap().unwrap();
    assert_eq!(stored.body.parts.len(), 1);
    assert_eq!(
        stored.body.parts[0].name,
        dir.path().join("b").display().to_string()
    );
}

#[test]
fn copy_that_cannot_be_written_is_said_and_the_feed_lives_on() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A file where the directory should be stops root as well.
    fs::write(state.path().join("feeds"), "in the way").unwrap();
    let path = dir.path().join("list.txt");
    fs::write(&path, OLD).unwrap();
    let mut lab = Lab::start(state.path(), vec![file_job(&path)]);
    let unreadable = lab.outcome();
    assert!(
        matches!(
            unreadable,
            Outcome::Failed {
                error: FetchError::Cache(_),
                ..
            }
        ),
        "{unreadable:?}"
    );

    for body in [OLD, NEW] {
        let (bytes, _, judge) = lab.loaded();
        assert_eq!(bytes, body);
        judge.accept(Accepted::default());
        let Outcome::Stored(Err(error)) = lab.outcome() else {
            panic!("stored")
        };
        assert!(error.to_string().contains("state directory"), "{error}");
        fs::write(&path, NEW).unwrap();
    }
    lab.stop();
}

#[test]
fn stop_does_not_wait_for_a_stalled_server() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| std::thread::sleep(Duration::from_secs(15)));
    let mut lab = Lab::start(state.path(), vec![http_job(&server.url("/"), NEVER)]);
    lab.silent_for(Duration::from_millis(500));
    assert_eq!(server.requests().len(), 1);

    let took = lab.stop();

    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn feeds_do_not_wait_for_each_other() {
    let (state, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("list.txt");
    fs::write(&path, OLD).unwrap();
    let server = Server::start(|_, _| std::thread::sleep(Duration::from_secs(15)));
    let stalled = http_job(&server.url("/"), NEVER);
    let fine = Job {
        name: "fine".to_owned(),
        ..file_job(&path)
    };
    let mut lab = Lab::start(state.path(), vec![stalled, fine]);

    let event = lab.event();

    assert_eq!(event.feed, 1);
    assert!(matches!(event.outcome, Outcome::Loaded { .. }));
    drop(event);
    lab.stop();
}

#[test]
fn an_api_is_asked_for_changes_only_while_its_snapshots_are_taken() {
    let server = Server::start(|request, stream| {
        let id = usize::from(request.path.contains("added_after"));
        let body = format!("{{\"objects\":[{{\"id\":\"x--{id}\"}}]}}");
        let added = "X-TAXII-Date-Added-Last: 2024-01-01T00:00:00Z";
        respond(stream, "200 OK", &[added], body.as_bytes());
    });
    let state = tempfile::tempdir().unwrap();
    let mut job = http_job(&server.url("/objects/"), FAST);
    if let Location::Http(spec) = &mut job.location {
        spec.api = Some(Api::Taxii);
    }
    let mut lab = Lab::start(state.path(), vec![job]);

    let all = lab.accept();
    let (changed, _, refused) = lab.loaded();
    drop(refused);
    let again = lab.accept();
    let both = lab.accept();
    let stopped_in = lab.stop();

    assert_eq!(all, again);
    assert_eq!(changed, both);
    assert!(changed.len() > all.len());
    assert!(stopped_in < Duration::from_secs(5));
    let requests = server.requests();
    let after: Vec<_> = requests
        .iter()
        .map(|request| request.path.contains('?'))
        .collect();
    assert_eq!(after[..4], [false, true, false, true]);
}
