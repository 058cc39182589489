//! What went wrong below HTTP, in words.

use std::io;

use ureq::{Error, Timeout};

use super::{Reason, guard::PrivateAddress, pinned::OtherKey, status};

/// The library's error as a reason with a fix.
pub(super) fn reason(error: Error) -> Reason {
    match error {
        Error::HostNotFound => Reason::Unresolved,
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => Reason::Unconnected,
        Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
            Reason::Timeout("idle limit of 10 s")
        }
        Error::Timeout(_) => Reason::Timeout("`timeout`"),
        Error::Tls(text) => Reason::Tls(text.to_owned()),
        Error::Rustls(error) => Reason::Tls(error.to_string()),
        Error::TlsRequired => Reason::Tls("the server does not speak it".to_owned()),
        Error::ConnectionFailed => Reason::Connect("no address answered".to_owned()),
        Error::ConnectProxyFailed(text) if text.contains("407") => status::reason(407),
        Error::ConnectProxyFailed(text) => Reason::Connect(format!("the proxy refused: {text}")),
        Error::InvalidProxyUrl => {
            Reason::Connect("the proxy's URL in the environment is not valid".to_owned())
        }
        Error::Other(inner) => match inner.downcast::<PrivateAddress>() {
            Ok(private) if private.redirected => Reason::PrivateTarget(private.url),
            Ok(private) => Reason::PrivateHome(private.address),
            Err(other) => match other.downcast::<OtherKey>() {
                Ok(other) => Reason::OtherKey(other.0),
                Err(other) => Reason::Broken(other.to_string()),
            },
        },
        Error::Io(error) => io_reason(&error),
        other => Reason::Broken(other.to_string()),
    }
}

fn io_reason(error: &io::Error) -> Reason {
    use io::ErrorKind::{
        ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable, TimedOut,
    };
    // `getaddrinfo` failures have no kind and no code of their own in std.
    let lookup = error.raw_os_error().is_none() && error.to_string().contains("lookup address");
    match error.kind() {
        _ if lookup => Reason::Unresolved,
        ConnectionRefused | HostUnreachable | NetworkUnreachable => {
            Reason::Connect(error.to_string())
        }
        TimedOut => Reason::Unconnected,
        InvalidData => Reason::Tls(error.to_string()),
        _ => Reason::Broken(error.to_string()),
    }
}
