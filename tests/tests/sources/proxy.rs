//! Feeds behind a proxy.

use std::{
    env,
    io::{self, Write as _},
    net::{Shutdown, TcpStream},
    process::Command,
    thread,
};

use trickblock::feed::source::{Credentials, HttpSource, HttpSpec, Reason, Route, Validators};
use trickblock_tests::http::{Server, respond};

use super::{LIST, bytes, failure, fetch, spec};

/// A name that only the proxy knows: nothing resolves it.
const FEED: &str = "feeds.invalid";

/// A proxy that makes every tunnel end at `server`.
fn proxy_to(server: &Server) -> Server {
    let port = server.port();
    Server::start(move |request, stream| {
        if request.method != "CONNECT" {
            return respond(stream, "400 Bad Request", &[], b"");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        tunnel(stream, &TcpStream::connect(("127.0.0.1", port)).unwrap());
    })
}

/// Carries bytes both ways until both have ended.
fn tunnel(near: &TcpStream, far: &TcpStream) {
    let carry = |mut from: &TcpStream, mut to: &TcpStream| {
        io::copy(&mut from, &mut to).ok();
        // The other end may have gone already.
        to.shutdown(Shutdown::Write).ok();
    };
    thread::scope(|scope| {
        scope.spawn(|| carry(near, far));
        carry(far, near);
    });
}

fn through(proxy: &Server, url: &str, credentials: Option<Credentials>) -> HttpSpec {
    HttpSpec {
        route: Route::parse(&proxy.url(""), credentials).unwrap(),
        ..spec(url)
    }
}

/// What tunnels were asked for, and in whose name.
fn asked(proxy: &Server) -> Vec<(String, Option<String>)> {
    let requests = proxy.requests();
    let tunnel = |request: &trickblock_tests::http::Request| {
        assert_eq!(request.method, "CONNECT");
        let who = request.header("Proxy-Authorization").map(str::to_owned);
        (request.path.clone(), who)
    };
    requests.iter().map(tunnel).collect()
}

#[test]
fn a_feed_comes_through_its_proxy_which_resolves_the_name() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    let proxy = proxy_to(&server);
    let spec = through(&proxy, &format!("http://{FEED}:8080/list"), None);

    let fetched = HttpSource::new(spec).fetch(&Validators::default());

    assert_eq!(bytes(fetched.unwrap()), LIST);
    assert_eq!(asked(&proxy), [(format!("{FEED}:8080"), None)]);
    let seen = &server.requests()[0];
    assert_eq!(
        (seen.path.as_str(), seen.header("Proxy-Authorization")),
        ("/list", None)
    );
}

/// TLS is spoken with the server, inside of the tunnel: here it answers without.
#[test]
fn an_https_feed_is_tunnelled() {
    let server = Server::start(|_, stream| respond(stream, "400 Bad Request", &[], b""));
    let proxy = proxy_to(&server);

    let (error, _) = failure(through(&proxy, &format!("https://{FEED}/list"), None));

    assert_eq!(asked(&proxy), [(format!("{FEED}:443"), None)]);
    assert!(
        matches!(error.reason, Reason::Tls(_) | Reason::Broken(_)),
        "{error}"
    );
}

#[test]
fn a_password_goes_to_the_proxy_alone() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    let proxy = proxy_to(&server);
    let credentials = Credentials::parse("user:s3cret").ok();
    let spec = through(&proxy, &format!("http://{FEED}/"), credentials);
    assert!(!format!("{spec:?}").contains("s3cret"));

    let fetched = HttpSource::new(spec).fetch(&Validators::default());

    assert_eq!(bytes(fetched.unwrap()), LIST);
    let basic = "Basic dXNlcjpzM2NyZXQ=".to_owned();
    assert_eq!(asked(&proxy), [(format!("{FEED}:80"), Some(basic))]);
    assert_eq!(server.requests()[0].header("Proxy-Authorization"), None);
}

#[test]
fn a_proxy_that_refuses_says_why() {
    for (status, fix) in [
        ("407 Proxy Authentication Required", "`proxy_auth_file`"),
        ("403 Forbidden", "the proxy refused"),
    ] {
        let proxy = Server::start(move |_, stream| respond(stream, status, &[], b""));
        let credentials = Credentials::parse("user:s3cret").ok();
        let spec = through(&proxy, &format!("http://{FEED}/"), credentials);
        let text = failure(spec).0.to_string();
        assert!(text.contains(fix) && !text.contains("s3cret"), "{text}");
    }
}

/// A proxy resolves names in our place, but an address that is written out can be judged.
#[test]
fn a_redirect_inside_is_refused_behind_a_proxy_too() {
    let server = Server::start(|_, stream| {
        respond(stream, "302 Found", &["Location: http://10.0.0.1/"], b"");
    });
    let proxy = proxy_to(&server);
    let hosts = vec![trickblock::feed::source::RedirectHost::parse("10.0.0.1").unwrap()];
    let spec = HttpSpec {
        redirect_hosts: hosts,
        ..through(&proxy, &format!("http://{FEED}/"), None)
    };

    let (error, _) = failure(spec);

    assert!(matches!(error.reason, Reason::PrivateTarget(_)), "{error}");
    assert_eq!(asked(&proxy).len(), 1);
}

/// The environment belongs to a process, so this test runs itself in another one.
#[test]
fn the_environment_counts_unless_the_feed_says_none() {
    const SERVER: &str = "TRICKBLOCK_TEST_SERVER";
    if let Ok(url) = env::var(SERVER) {
        assert_eq!(bytes(fetch(&url).unwrap()), LIST);
        let direct = HttpSpec {
            route: Route::Direct,
            ..spec(&url)
        };
        let fetched = HttpSource::new(direct).fetch(&Validators::default());
        assert_eq!(bytes(fetched.unwrap()), LIST);
        return;
    }
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    let proxy = proxy_to(&server);
    let mut child = Command::new(env::current_exe().unwrap());
    for name in [
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "NO_PROXY",
        "no_proxy",
    ] {
        child.env_remove(name);
    }
    let output = child
        .args([
            "--exact",
            "proxy::the_environment_counts_unless_the_feed_says_none",
        ])
        .env("http_proxy", proxy.url(""))
        .env(SERVER, server.url("/"))
        .output()
        .unwrap();

    assert!(output.status.success(), "{output:?}");
    assert_eq!((asked(&proxy).len(), server.requests().len()), (1, 2));
}
