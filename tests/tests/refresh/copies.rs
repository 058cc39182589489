//! Copies on disk that are no good.

use super::*;

#[test]
fn damaged_copy_is_said_and_replaced() {
    let state = tempfile::tempdir().unwrap();
    let server = Page::new(OLD).serve();
    let job = http_job(&server.url("/"), NEVER);
    let mut lab = Lab::start(state.path(), vec![job.clone()]);
    lab.accept();
    lab.stop();
    let copy = state.path().join("feeds/feed/last-good");
    let mut bytes = fs::read(&copy).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&copy, bytes).unwrap();

    let mut lab = Lab::start(state.path(), vec![job]);
    let damage = lab.outcome();

    assert!(
        matches!(
            damage,
            Outcome::Failed {
                error: FetchError::Cache(_),
                ..
            }
        ),
        "{damage:?}"
    );
    assert_eq!(lab.accept(), OLD);
    lab.stop();
    assert!(Cache::new(state.path()).load("feed").unwrap().is_some());
}
