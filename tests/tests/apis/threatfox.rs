use trickblock::feed::source::Api;
use trickblock_tests::http::{Server, respond};

use super::{Feed, entries};

const API: Api = Api::Threatfox { days: 3 };
const ANSWER: &[u8] = br#"{"query_status":"ok","data":[{"id":"1","ioc":"192.0.2.1:443","threat_type":"botnet_cc","ioc_type":"ip:port","malware_printable":"X","first_seen":"2024-01-01 00:00:00 UTC"}]}"#;

#[test]
fn the_window_is_posted_with_the_key_each_time() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", &["ETag: \"x\""], ANSWER));
    let mut feed = Feed::new(&server.url("/api/v1/"), API);

    for _ in 0..2 {
        let parts = feed.take();
        assert_eq!(entries(&parts[0], API), ["192.0.2.1/32:443"]);
    }
    for request in server.requests() {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/api/v1/")
        );
        assert_eq!(request.body, r#"{"query":"get_iocs","days":3}"#);
        assert_eq!(request.header("Content-Type"), Some("application/json"));
        assert_eq!(request.header("Auth-Key"), Some("s3cret"));
        assert_eq!(request.header("If-None-Match"), None);
    }
}

#[test]
fn a_redirect_keeps_the_question_or_is_refused_and_the_key_stays_at_home() {
    let other = Server::start(|_, stream| respond(stream, "200 OK", &[], ANSWER));
    let target = format!("Location: {}", other.url("/moved"));
    let server = Server::start(move |request, stream| {
        let status = match request.path.as_str() {
            "/kept" => "308 Permanent Redirect",
            _ => "302 Found",
        };
        respond(stream, status, &[&target], b"");
    });

    Feed::new(&server.url("/kept"), API).take();
    let error = Feed::new(&server.url("/lost"), API).error();

    assert!(error.contains("302 drops what was asked"), "{error}");
    let requests = other.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, r#"{"query":"get_iocs","days":3}"#);
    assert_eq!(requests[0].header("Auth-Key"), None);
}

#[test]
fn refusals_and_floods_are_errors() {
    let server = Server::start(|request, stream| match request.path.as_str() {
        "/key" => respond(stream, "401 Unauthorized", &[], b"{}"),
        _ => respond(stream, "200 OK", &[], &flood()),
    });

    let error = Feed::new(&server.url("/key"), API).error();
    assert!(
        error.contains("put its header into `headers_file`"),
        "{error}"
    );
    let error = Feed::new(&server.url("/flood"), API).error();
    assert!(error.contains("larger than 67108864 bytes"), "{error}");
}

fn flood() -> Vec<u8> {
    let mut body = b"{".to_vec();
    body.resize((64 << 20) + 1, b' ');
    body
}
