//! What the strings of a configuration mean. Each error ends with what would be right.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::{IpNet, Ipv6Net};
use ureq::http::Uri;

use super::{
    Hook, Mode, Role, Tunnel, XdpMode,
    api::MAX_DAYS,
    section::{nearest, quoted},
};
use crate::{
    feed::{
        Format,
        source::{Api, Location, STDIN},
    },
    indicator::{self, Seen},
    policy::{Action, AuthorityKind, Kind},
};

/// Longest interface name that Linux knows (`IFNAMSIZ` without its NUL).
const MAX_INTERFACE_NAME: usize = 15;
const MAX_FEED_NAME: usize = 64;

/// An address with a port, no name: what is behind a name may change.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = text.parse().ok();
    address
        .filter(|address| address.port() != 0)
        .ok_or_else(|| {
            format!("`{text}` is not an address with a port: write 127.0.0.1:9470 or [::1]:9470")
        })
}

pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    let parsed = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let net: IpNet = parsed.map_err(|_| {
        format!("`{text}` is not an address or a prefix: write 203.0.113.5 or 2001:db8::/48")
    })?;
    if net != net.trunc() {
        return Err(format!(
            "`{text}` has bits beyond its length: write `{}`, or the address alone",
            net.trunc()
        ));
    }
    Ok(net)
}

pub(super) fn authority(text: &str) -> Result<AuthorityKind, String> {
    choose(
        text,
        &[
            ("feed", AuthorityKind::Feed),
            ("local", AuthorityKind::Local),
            ("court", AuthorityKind::Court),
        ],
    )
}

pub(super) fn kind(text: &str) -> Result<Kind, String> {
    choose(text, &Kind::ALL.map(|kind| (kind.name(), kind)))
}

/// ThreatFox is asked for the days that another key says.
pub(super) fn api(text: &str) -> Result<Api, String> {
    choose(
        text,
        &[
            ("threatfox", Api::Threatfox { days: MAX_DAYS }),
            ("taxii", Api::Taxii),
            ("crowdsec", Api::Crowdsec),
            ("misp", Api::Misp),
        ],
    )
}

/// The number of a court order.
pub(super) fn order(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > 100 || text.contains(char::is_control) {
        return Err("is not the number of an order: give 1 to 100 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A date, or a date and a time, in UTC where it does not say otherwise.
pub(super) fn moment(text: &str) -> Result<Seen, String> {
    text.parse().map_err(|error| format!("`{text}` is {error}"))
}

pub(super) fn action(text: &str) -> Result<Action, String> {
    choose(
        text,
        &[("drop", Action::Drop), ("monitor", Action::Monitor)],
    )
}

/// Lengths of RFC 6052.
const NAT64_LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

pub(super) fn nat64(text: &str) -> Result<Ipv6Net, String> {
    let IpNet::V6(net) = prefix(text)? else {
        return Err(format!(
            "`{text}` is not an IPv6 prefix: write the one of your NAT64, as in 2001:db8:64::/96"
        ));
    };
    if !NAT64_LENGTHS.contains(&net.prefix_len()) {
        return Err(format!(
            "`{text}` has a length that NAT64 does not have: it is 32, 40, 48, 56, 64 or 96"
        ));
    }
    Ok(net)
}

/// `drop` and `monitor` were values of this key once.
pub(super) fn mode(text: &str) -> Result<Mode, String> {
    if matches!(text, "drop" | "monitor") {
        return Err(format!(
            "`{text}` is an action, and that key is called `action` now: write `action = \"{text}\"`"
        ));
    }
    choose(
        text,
        &[
            ("gateway", Mode::Gateway),
            ("host", Mode::Host),
            ("auto", Mode::Auto),
        ],
    )
}

pub(super) fn hook(text: &str) -> Result<Hook, String> {
    choose(
        text,
        &[
            ("auto", Hook::Auto),
            ("xdp", Hook::Xdp),
            ("tcx", Hook::Tcx),
            ("clsact", Hook::Clsact),
        ],
    )
}

pub(super) fn tunnel(text: &str) -> Result<Tunnel, String> {
    choose(
        text,
        &[
            ("ip", Tunnel::Ip),
            ("gre", Tunnel::Gre),
            ("vxlan", Tunnel::Vxlan),
            ("geneve", Tunnel::Geneve),
            ("gtpu", Tunnel::Gtpu),
        ],
    )
}

pub(super) fn format(text: &str) -> Result<Format, String> {
    choose(text, &Format::ALL.map(|format| (format.name(), format)))
}

pub(super) fn xdp_mode(text: &str) -> Result<XdpMode, String> {
    choose(
        text,
        &[
            ("native", XdpMode::Native),
            ("generic", XdpMode::Generic),
            ("auto", XdpMode::Auto),
        ],
    )
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    choose(
        text,
        &[
            ("inside", Role::Inside),
            ("uplink", Role::Uplink),
            ("auto", Role::Auto),
        ],
    )
}

/// Whether the interface exists is seen when it is attached to.
pub(super) fn interface_name(text: &str) -> Result<String, String> {
    let valid = (1..=MAX_INTERFACE_NAME).contains(&text.len())
        && !matches!(text, "." | "..")
        && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if !valid {
        return Err(format!(
            "`{text}` is not an interface name: take one that `ip link` shows"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn feed_name(text: &str) -> Result<String, String> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty()
        || text.len() > MAX_FEED_NAME
        || text.starts_with('.')
        || !text.chars().all(harmless)
    {
        return Err(format!(
            "`{text}` is not a feed name: use 1 to {MAX_FEED_NAME} of the characters A-Z a-z 0-9 . _ - and no dot first"
        ));
    }
    Ok(text.to_owned())
}

/// A span of time in the friendly form, between `min` and `max`.
pub(super) fn duration(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let span = indicator::span(text)
        .ok_or_else(|| format!("`{text}` is not a span of time: write 500ms, 30s, 5m, 1h or 7d"))?;
    if span < min {
        return Err(format!(
            "`{text}` is too short: the least is {}",
            friendly(min)
        ));
    }
    if span > max {
        return Err(format!(
            "`{text}` is too long: the most is {}",
            friendly(max)
        ));
    }
    Ok(span)
}

/// An absolute http or https URL without credentials.
pub(super) fn url(text: &str) -> Result<Uri, String> {
    let wrong = |reason: &str| {
        Err(format!(
            "`{text}` is not a feed's URL ({reason}): write https://host/path"
        ))
    };
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong("it cannot be parsed");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("it must begin with http:// or https://");
    }
    let Some(authority) = uri.authority() else {
        return wrong("it names no host");
    };
    // The text may hold a password, so it is not repeated here.
    if authority.as_str().contains('@') {
        return Err(
            "the URL holds a user name or password: put credentials into `headers_file`".to_owned(),
        );
    }
    if authority.host().is_empty() {
        return wrong("it names no host");
    }
    Ok(uri)
}

/// `text` below `directory`, unless it is absolute.
/// A file or directory of a feed, or standard input.
pub(super) fn place(text: &str, directory: &Path) -> Result<Location, String> {
    match text {
        STDIN => Ok(Location::Stdin),
        _ => path(text, directory).map(Location::Path),
    }
}

pub(super) fn path(text: &str, directory: &Path) -> Result<PathBuf, String> {
    if text.trim().is_empty() || text.contains('\0') {
        return Err("is empty: give it a path, or remove it".to_owned());
    }
    Ok(directory.join(text))
}

fn choose<T: Copy>(text: &str, options: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = options.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<_> = options.iter().map(|(name, _)| *name).collect();
    Err(match nearest(text, &names) {
        Some(near) => format!(
            "`{text}` is not one of {}; did you mean `{near}`?",
            quoted(&names)
        ),
        None => format!("`{text}` is not one of {}", quoted(&names)),
    })
}

fn friendly(span: Duration) -> String {
    jiff::SignedDuration::try_from(span)
        .map_or_else(|_| format!("{span:?}"), |span| format!("{span:#}"))
}
