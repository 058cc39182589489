//! Lists that their makers sign.

use std::{fs, path::Path, thread, time::Duration};

use trickblock::feed::source::{
    FileSource, HttpSource, HttpSpec, Location, Reason, SignedPath, SigningKey, SourceError,
    Validators,
};
use trickblock_tests::http::{Server, respond};

use super::{bytes, failure, spec};

/// Keys and a signature that minisign made for this list.
const SIGNED: &[u8] = b"198.51.100.7:443\n203.0.113.9\n";
const KEY: &str = "RWTIIaStYvVuzIjMbTrSfQiUr0iTPnUfccw6VmGslfr+eC4FkMFY56bE";
const OTHER_KEY: &str = "RWRelB288UX2sVYhe9EOauaY2tV2Mp1iL7k+Qs0NhLQn6s8GGsKLi8tF";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUTIIaStYvVuzBd3Fgnb4QytcJqYaxewpX2/jSCMy94AY2vRCkVmvMVM73UuvvDLPCcBkKRrIm07T7hMg/P4TbapBES6rKnk/wE=
trusted comment: list of a test
2Fq+iUQSLejx+w93w3abMzEEiZIGx0hw+HRNf5sOQJpLkFoiMWeTeRKIIAZ3BgJFvsU/PMncL9CafKudxZ88Bw==
";

/// Serves `list` and, beside it, `signature` by the name of the list and `.minisig`.
fn signing(list: &'static [u8], signature: &'static str) -> Server {
    Server::start(move |request, stream| match request.path.as_str() {
        "/list.txt" => respond(stream, "200 OK", &[], list),
        "/list.txt.minisig" => respond(stream, "200 OK", &[], signature.as_bytes()),
        _ => respond(stream, "404 Not Found", &[], b""),
    })
}

fn signed_by(server: &Server, key: &str) -> HttpSpec {
    HttpSpec {
        minisign: Some(Box::new(SigningKey::parse(key).unwrap())),
        ..spec(&server.url("/list.txt"))
    }
}

#[test]
fn a_signed_list_is_read_and_one_that_was_changed_is_not() {
    let server = signing(SIGNED, SIGNATURE);
    let source = HttpSource::new(signed_by(&server, KEY));
    let fetched = source.fetch(&Validators::default()).unwrap();
    assert_eq!(bytes(fetched), SIGNED);

    let changed = signing(b"198.51.100.8:443\n203.0.113.9\n", SIGNATURE);
    let (error, _) = failure(signed_by(&changed, KEY));
    assert!(matches!(error.reason, Reason::WrongSignature(_)), "{error}");
    // When to try again is for the one who knows how often the server may be asked.
    assert_eq!(changed.requests().len(), 2);
    let (error, _) = failure(signed_by(&server, OTHER_KEY));
    assert!(matches!(error.reason, Reason::WrongSignature(_)), "{error}");
    assert!(
        error.to_string().contains("`minisign` is another key"),
        "{error}"
    );
}

#[test]
fn a_missing_or_strange_signature_is_an_error() {
    let strange = signing(SIGNED, "<html>404</html>");
    let (error, _) = failure(signed_by(&strange, KEY));
    assert!(matches!(error.reason, Reason::NoSignature), "{error}");
    let missing = Server::start(|request, stream| match request.path.as_str() {
        "/list.txt" => respond(stream, "200 OK", &[], SIGNED),
        _ => respond(stream, "404 Not Found", &[], b""),
    });
    let (error, _) = failure(signed_by(&missing, KEY));
    assert!(
        matches!(error.reason, Reason::Status { code: 404, .. }),
        "{error}"
    );
    assert!(error.location.ends_with("/list.txt.minisig"), "{error}");
    assert!(SigningKey::parse("RWQnotakey").is_err());
}

/// A last good copy of another key, or of none, is no copy of this feed.
#[test]
fn the_key_is_part_of_what_a_copy_belongs_to() {
    let server = signing(SIGNED, SIGNATURE);
    let identity = |spec: HttpSpec| Location::Http(spec).identity();
    let of_key = identity(signed_by(&server, KEY));
    assert_ne!(of_key, identity(signed_by(&server, OTHER_KEY)));
    assert_ne!(of_key, identity(spec(&server.url("/list.txt"))));
}

/// Made of the signature above: the algorithm of minisign before 0.10, `Ed`.
fn legacy() -> &'static str {
    let old = SIGNATURE.replacen("\nRUT", "\nRWT", 1);
    assert_ne!(old, SIGNATURE);
    old.leak()
}

#[test]
fn a_signature_of_the_old_kind_is_refused_for_what_it_is() {
    let server = signing(SIGNED, legacy());
    let (error, _) = failure(signed_by(&server, KEY));
    assert!(matches!(error.reason, Reason::LegacySignature), "{error}");
    assert!(error.to_string().contains("minisign 0.10"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_signature_may_be_elsewhere() {
    let lists = Server::start(|_, stream| respond(stream, "200 OK", &[], SIGNED));
    let signatures = signing(b"", SIGNATURE);
    let spec = HttpSpec {
        signature: signatures.url("/list.txt.minisig").parse().ok(),
        ..signed_by(&lists, KEY)
    };
    let fetched = HttpSource::new(spec).fetch(&Validators::default());
    assert_eq!(bytes(fetched.unwrap()), SIGNED);
    assert_eq!(
        (lists.requests().len(), signatures.requests().len()),
        (1, 1)
    );
}

/// The list takes most of the time, and the signature would take as much again.
#[test]
fn list_and_signature_share_their_time() {
    let pause = Duration::from_millis(700);
    let server = Server::start(move |request, stream| {
        thread::sleep(pause);
        let body = match request.path.as_str() {
            "/list.txt" => SIGNED,
            _ => SIGNATURE.as_bytes(),
        };
        respond(stream, "200 OK", &[], body);
    });
    let spec = HttpSpec {
        timeout: pause.mul_f64(1.5),
        ..signed_by(&server, KEY)
    };
    let (error, _) = failure(spec);
    assert!(matches!(error.reason, Reason::Timeout(_)), "{error}");
    assert!(error.location.ends_with(".minisig"), "{error}");
}

fn on_disk(path: &Path, signature: Option<&Path>) -> FileSource {
    FileSource::signed(SignedPath {
        path: path.to_owned(),
        key: Box::new(SigningKey::parse(KEY).unwrap()),
        signature: signature.map(Path::to_owned),
    })
}

fn refused(source: &FileSource) -> SourceError {
    source.read().expect_err("a list that nobody signed")
}

#[test]
fn a_list_on_disk_counts_with_its_signature_only() {
    let dir = tempfile::tempdir().unwrap();
    let (list, beside) = (dir.path().join("a.txt"), dir.path().join("a.txt.minisig"));
    fs::write(&list, SIGNED).unwrap();
    let source = on_disk(&list, None);

    let missing = refused(&source);
    assert!(
        matches!(missing.reason, Reason::MissingSignature),
        "{missing}"
    );
    assert!(missing.location.ends_with("a.txt.minisig"), "{missing}");
    // What comes later is seen.
    let before = source.stamp().unwrap();
    fs::write(&beside, SIGNATURE).unwrap();
    assert_ne!(source.stamp().unwrap(), before);
    let body = source.read().unwrap();
    assert_eq!((body.parts.len(), &*body.parts[0].bytes), (1, SIGNED));

    fs::write(&list, b"198.51.100.8\n").unwrap();
    let changed = refused(&source);
    assert!(
        matches!(changed.reason, Reason::WrongSignature(_)),
        "{changed}"
    );
    fs::write(&beside, legacy()).unwrap();
    let old = refused(&source);
    assert!(matches!(old.reason, Reason::LegacySignature), "{old}");
}

#[test]
fn each_list_of_a_directory_is_signed_and_signatures_are_no_lists() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a", SIGNED), ("a.minisig", SIGNATURE.as_bytes())] {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let source = on_disk(dir.path(), None);
    assert_eq!(source.read().unwrap().parts.len(), 1);
    fs::write(dir.path().join("b"), b"192.0.2.1\n").unwrap();
    // A list that nobody signed is not taken, and does not stop the others.
    let body = source.read().unwrap();
    assert_eq!((body.parts.len(), &*body.parts[0].bytes), (1, SIGNED));
    let [unread] = body.unread.as_slice() else {
        panic!("{body:?}")
    };
    let list = dir.path().join("b").display().to_string();
    assert_eq!(unread.name, list);
    assert!(unread.reason.contains("b.minisig"), "{unread:?}");

    let elsewhere = dir.path().join("a.minisig");
    let alone = on_disk(&dir.path().join("a"), Some(&elsewhere));
    assert_eq!(alone.read().unwrap().parts.len(), 1);
}
