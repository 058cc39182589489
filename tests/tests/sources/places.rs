//! Where a feed may be, and where its server may lead.

use std::{net::IpAddr, process::Command};

use trickblock::feed::source::{HttpSource, HttpSpec, Reason, RedirectHost, Validators};
use trickblock_tests::http::{Server, respond};

use super::{LIST, bytes, failure, fetch, spec};

/// The resolver takes `127.1` for a name, and finds 127.0.0.1 behind it.
#[test]
fn a_name_that_stands_for_a_private_address_needs_leave() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    for (taken, host) in ["127.1", "2130706433", "0x7f.1"].into_iter().enumerate() {
        let named = spec(&format!("http://{host}:{}/", server.port()));
        let (error, _) = failure(named.clone());
        assert!(
            matches!(error.reason, Reason::PrivateHome(address) if address.is_loopback()),
            "{host}: {error}"
        );
        assert!(error.to_string().contains("`private = true`"), "{error}");
        assert_eq!(server.requests().len(), taken, "{host}: it was asked");

        let allowed = HttpSpec {
            private: true,
            ..named
        };
        let fetched = HttpSource::new(allowed).fetch(&Validators::default());
        assert_eq!(bytes(fetched.unwrap()), LIST, "{host}");
    }
}

/// What the operator wrote out is meant.
#[test]
fn an_address_that_is_written_out_and_localhost_need_none() {
    let server = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    for host in ["127.0.0.1", "localhost", "LocalHost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", server.port());
        assert_eq!(bytes(fetch(&url).unwrap()), LIST, "{host}");
    }
}

/// The hosts of the test below.
const ANYWHERE: &[&str] = &["localhost", "10.99.0.1", "203.0.113.1", "::ffff:10.99.0.1"];

/// A documentation address plays the public server, in a network namespace of this thread.
#[test]
fn public_server_may_not_redirect_inside() {
    if !in_own_network(&["203.0.113.1/32", "10.99.0.1/32"]) {
        eprintln!("skipped: needs root and `ip` to make a network namespace");
        return;
    }
    let inside = Server::start_on(address("10.99.0.1"), |_, stream| {
        respond(stream, "200 OK", &[], LIST);
    });
    let outside = Server::start_on(address("203.0.113.1"), |_, stream| {
        respond(stream, "200 OK", &[], LIST);
    });
    let by_name = format!("http://localhost:{}/", inside.port());
    for target in [
        inside.url("/"),
        by_name,
        "http://[::ffff:10.99.0.1]/".to_owned(),
    ] {
        let location = format!("Location: {target}");
        let public = Server::start_on(address("203.0.113.1"), move |_, stream| {
            respond(stream, "302 Found", &[&location], b"");
        });
        let (error, _) = failure(leading_to(&public, ANYWHERE));
        assert!(
            matches!(error.reason, Reason::PrivateTarget(_)),
            "{target}: {error}"
        );
    }
    assert_eq!(inside.requests().len(), 0);

    // The operator's own private server may redirect anywhere, and a public one to a public one.
    for (from, to) in [
        ("10.99.0.1", &inside),
        ("10.99.0.1", &outside),
        ("203.0.113.1", &outside),
    ] {
        let location = format!("Location: {}", to.url("/"));
        let first = Server::start_on(address(from), move |_, stream| {
            respond(stream, "302 Found", &[&location], b"");
        });
        let source = HttpSource::new(leading_to(&first, ANYWHERE));
        let fetched = source.fetch(&Validators::default()).unwrap();
        assert_eq!(bytes(fetched), LIST, "{from} to {}", to.url("/"));
    }
}

/// A feed at `server`, which may redirect to `hosts`.
fn leading_to(server: &Server, hosts: &[&str]) -> HttpSpec {
    let hosts = hosts.iter().map(|host| RedirectHost::parse(host));
    HttpSpec {
        redirect_hosts: hosts.collect::<Result<_, _>>().unwrap(),
        ..spec(&server.url("/"))
    }
}

#[test]
fn a_redirect_to_another_host_needs_leave() {
    let other = Server::start_on(address("127.0.0.2"), |_, stream| {
        respond(stream, "200 OK", &[], LIST);
    });
    let location = format!("Location: {}", other.url("/final?key=1"));
    let server = Server::start(move |_, stream| {
        respond(stream, "302 Found", &[&location], b"");
    });

    let (refused, _) = failure(spec(&server.url("/")));
    let text = refused.to_string();
    assert!(matches!(refused.reason, Reason::OtherHost { .. }), "{text}");
    assert!(
        text.contains("`redirect_hosts = [\"127.0.0.2\"]`") && !text.contains("key=1"),
        "{text}"
    );
    assert_eq!(other.requests().len(), 0);

    let allowed = leading_to(&server, &["127.0.0.2"]);
    let fetched = HttpSource::new(allowed).fetch(&Validators::default());
    assert_eq!(bytes(fetched.unwrap()), LIST);
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Moves this thread, and the threads it will start, into a fresh namespace with these
/// addresses on loopback. It vanishes with its last thread.
fn in_own_network(addresses: &[&str]) -> bool {
    // SAFETY: it takes no pointer and affects only this thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return false;
    }
    let ip = |args: &[&str]| {
        Command::new("ip")
            .args(args)
            .status()
            .is_ok_and(|status| status.success())
    };
    ip(&["link", "set", "lo", "up"])
        && addresses
            .iter()
            .all(|address| ip(&["address", "add", address, "dev", "lo"]))
}
