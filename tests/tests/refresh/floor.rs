//! No server is asked before its floor, whoever wants to know.

use trickblock::feed::source::SigningKey;

use super::*;

const KEY: &str = "RWTIIaStYvVuzIjMbTrSfQiUr0iTPnUfccw6VmGslfr+eC4FkMFY56bE";
const OTHERS_SIGNATURE: &str = include_str!("others.minisig");

fn floored(url: &str, least: Duration) -> Job {
    Job {
        min_interval: least,
        ..http_job(url, least)
    }
}

impl Lab {
    /// The next event, which must say that it is too soon, by at most the floor.
    fn too_soon(&mut self) -> u64 {
        let event = self.event();
        let Outcome::TooSoon { wait } = event.outcome else {
            panic!("{event:?}")
        };
        assert!(wait > NEVER / 2 && wait <= NEVER, "{wait:?}");
        event.round
    }
}

#[test]
fn neither_a_reload_nor_an_order_asks_sooner() {
    let state = tempfile::tempdir().unwrap();
    let server = Page::new(OLD).serve();
    let mut lab = Lab::start(state.path(), vec![floored(&server.url("/"), NEVER)]);
    lab.accept();

    let round = lab.reload();
    assert_eq!(lab.too_soon(), round);
    lab.refetch();
    assert_eq!(lab.too_soon(), round);

    assert_eq!(server.requests().len(), 1);
    lab.stop();
}

/// What waits for the operator is on disk, and can be the last good copy at once, whenever the server may be asked again.
#[test]
fn a_body_that_is_taken_after_all_survives_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let server = Page::new(OLD).serve();
    let job = floored(&server.url("/"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    let Outcome::Loaded { digest, judge, .. } = lab.outcome() else {
        panic!("no body")
    };
    judge.hold();
    let cache = Cache::new(state.path());
    let promote = || {
        cache
            .promote(&job.name, &digest, (plain().format, &[]))
            .unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !promote() {
        assert!(Instant::now() < deadline, "it is not on disk");
        let pause = async { tokio::time::sleep(Duration::from_millis(10)).await };
        lab.runtime.block_on(pause);
    }
    lab.refetch();
    lab.too_soon();
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    let (bytes, from, judge) = lab.loaded();
    judge.accept(Accepted::default());
    let Origin::Cache { format, .. } = from else {
        panic!("{from:?}")
    };
    assert_eq!((bytes.as_slice(), format.as_deref()), (OLD, Some("plain")));
    lab.stop();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_restart_does_not_ask_sooner_but_another_source_is_asked() {
    let state = tempfile::tempdir().unwrap();
    let (server, other) = (Page::new(OLD).serve(), Page::new(NEW).serve());
    let job = floored(&server.url("/list?a"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    lab.accept();
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    let (bytes, from, judge) = lab.loaded();
    judge.accept(Accepted::default());
    assert!(bytes == OLD && matches!(from, Origin::Cache { .. }));
    assert_eq!(lab.too_soon(), 0);
    lab.stop();
    assert_eq!(server.requests().len(), 1);

    for url in [server.url("/list?b"), other.url("/list?a")] {
        let mut lab = Lab::start(state.path(), vec![floored(&url, NEVER)]);
        lab.accept();
        lab.stop();
    }
    assert_eq!((server.requests().len(), other.requests().len()), (2, 1));
}

/// Also one that failed counts, and leaves nothing in force.
#[test]
fn a_failed_fetch_is_not_tried_again_sooner() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(|_, stream| respond(stream, "500 Internal Server Error", &[], b""));
    let job = floored(&server.url("/"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    assert!(lab.retry_in() >= NEVER);
    lab.reload();
    lab.too_soon();
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    lab.too_soon();
    lab.stop();
    assert_eq!(server.requests().len(), 1);
}

/// Its server never heard of it, so that is no question that counts.
#[test]
fn a_fetch_that_reaches_nobody_is_tried_again_soon() {
    let state = tempfile::tempdir().unwrap();
    let gone = Page::new(OLD).serve();
    let url = gone.url("/");
    drop(gone);
    let job = floored(&url, NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    assert!(lab.retry_in() < NEVER / 2);
    lab.reload();
    assert!(lab.retry_in() < NEVER / 2, "asked again at once");
    lab.stop();

    let mut lab = Lab::start(state.path(), vec![job]);
    assert!(lab.retry_in() < NEVER / 2, "also after a restart");
    lab.stop();
}

/// A redirect to nowhere was an answer.
#[test]
fn a_server_that_leads_nowhere_was_asked() {
    let state = tempfile::tempdir().unwrap();
    let gone = Page::new(OLD).serve();
    let location = format!("Location: {}", gone.url("/"));
    drop(gone);
    let server = Server::start(move |_, stream| respond(stream, "302 Found", &[&location], b""));
    let mut lab = Lab::start(state.path(), vec![floored(&server.url("/"), NEVER)]);
    assert!(lab.retry_in() >= NEVER);
    lab.reload();
    lab.too_soon();
    assert_eq!(server.requests().len(), 1);
    lab.stop();
}

#[test]
fn a_signature_that_does_not_hold_is_not_tried_again_sooner() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(|request, stream| match request.path.as_str() {
        "/list" => respond(stream, "200 OK", &[], OLD),
        _ => respond(stream, "200 OK", &[], OTHERS_SIGNATURE.as_bytes()),
    });
    let mut job = floored(&server.url("/list"), NEVER);
    if let Location::Http(spec) = &mut job.location {
        spec.minisign = Some(Box::new(SigningKey::parse(KEY).unwrap()));
    }
    let mut lab = Lab::start(state.path(), vec![job]);

    assert!(lab.retry_in() >= NEVER);

    assert_eq!(server.requests().len(), 2);
    lab.stop();
}

#[test]
fn what_was_put_off_is_done_when_the_floor_has_passed() {
    let state = tempfile::tempdir().unwrap();
    let page = Page::new(OLD);
    let server = page.serve();
    let floor = Duration::from_secs(2);
    let job = Job {
        interval: NEVER,
        ..floored(&server.url("/"), floor)
    };
    let mut lab = Lab::start(state.path(), vec![job]);
    lab.accept();
    page.set(NEW);
    lab.reload();
    let put_off = lab.outcome();
    assert!(matches!(put_off, Outcome::TooSoon { .. }), "{put_off:?}");

    assert_eq!(lab.accept(), NEW);
    lab.stop();
}

impl Lab {
    /// When a failure is tried again.
    fn retry_in(&mut self) -> Duration {
        match self.outcome() {
            Outcome::Failed {
                retry_in: Some(pause),
                ..
            } => pause,
            other => panic!("{other:?}"),
        }
    }
}
