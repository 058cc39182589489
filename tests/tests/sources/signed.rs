//! Lists that their makers sign.

use trickblock::feed::source::{HttpSource, HttpSpec, Location, Reason, SigningKey, Validators};
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
