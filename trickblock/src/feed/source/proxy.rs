//! The way to a feed's server.

use std::fmt;

use ureq::{
    Proxy, ProxyProtocol,
    http::{Uri, uri::Scheme},
};

/// Through what a feed is asked for.
#[derive(Clone, Default, PartialEq)]
pub enum Route {
    /// What `https_proxy` and its kin say.
    #[default]
    Environment,
    /// Straight to the server, whatever the environment says.
    Direct,
    /// Through this one, always.
    Proxy(Proxy),
}

/// Who asks, where a proxy wants to know. Kept out of every message.
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// From `user:password`. The error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        let (user, password) = line
            .and_then(|line| line.split_once(':'))
            .filter(|(user, _)| !user.is_empty())
            .ok_or("has no line `user:password`: write one")?;
        let (user, password) = (user.to_owned(), password.to_owned());
        Ok(Self { user, password })
    }
}

impl Route {
    /// From `none`, or the URL of an HTTP proxy. The error says what is expected, and does not repeat a password.
    pub fn parse(text: &str, credentials: Option<Credentials>) -> Result<Self, String> {
        if text == "none" {
            return match credentials {
                None => Ok(Self::Direct),
                Some(_) => {
                    Err("`none` has nobody to tell a password: remove one of both".to_owned())
                }
            };
        }
        if text.contains('@') {
            return Err("holds a user name or password: put `user:password` into a file of mode 600, and name it in `proxy_auth_file`".to_owned());
        }
        let wrong = || format!("`{text}` is not a proxy: write http://host:port, or none");
        let url: Uri = text.parse().map_err(|_| wrong())?;
        let protocol = protocol(&url).ok_or_else(wrong)?;
        let host = url.host().filter(|host| !host.is_empty());
        let mut proxy = Proxy::builder(protocol).host(host.ok_or_else(wrong)?);
        if let Some(port) = url.port_u16() {
            proxy = proxy.port(port);
        }
        if let Some(Credentials { user, password }) = credentials {
            proxy = proxy.username(&user).password(&password);
        }
        proxy.build().map(Self::Proxy).map_err(|_| wrong())
    }
}

/// What lies behind the host of a proxy would mean nothing.
fn protocol(url: &Uri) -> Option<ProxyProtocol> {
    let bare = matches!(url.path(), "" | "/") && url.query().is_none();
    match url.scheme()? {
        scheme if bare && *scheme == Scheme::HTTP => Some(ProxyProtocol::Http),
        scheme if bare && *scheme == Scheme::HTTPS => Some(ProxyProtocol::Https),
        _ => None,
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::Direct => f.write_str("none"),
            Self::Proxy(proxy) => write!(f, "{}:{}", proxy.host(), proxy.port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Option<Credentials> {
        Credentials::parse("# of the proxy\nuser:s3:cret\n").ok()
    }

    #[test]
    fn a_proxy_is_a_scheme_a_host_and_a_port() {
        for (text, shown) in [
            ("http://proxy.example:3128", "proxy.example:3128"),
            ("http://proxy.example/", "proxy.example:80"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
            ("none", "none"),
        ] {
            let route = Route::parse(text, None).expect(text);
            assert_eq!(format!("{route:?}"), shown);
        }
        for text in [
            "",
            "proxy.example:3128",
            "socks5://proxy.example",
            "http://",
            "http://proxy.example/path",
            "http://proxy.example/?x",
        ] {
            let error = Route::parse(text, None).expect_err(text);
            assert!(error.contains("write http://host:port"), "{error}");
        }
    }

    #[test]
    fn a_password_comes_from_its_file_and_is_never_shown() {
        let route = Route::parse("http://proxy.example:3128", secret()).expect("a proxy");
        let Route::Proxy(proxy) = &route else {
            panic!("{route:?}")
        };
        assert_eq!(
            (proxy.username(), proxy.password()),
            (Some("user"), Some("s3:cret"))
        );
        assert_eq!(format!("{route:?}"), "proxy.example:3128");
        let error = Route::parse("http://user:s3cret@proxy.example:3128", None).unwrap_err();
        assert!(
            error.contains("`proxy_auth_file`") && !error.contains("s3cret"),
            "{error}"
        );
        assert!(Route::parse("none", secret()).is_err());
        for text in ["", "s3cret", ":s3cret", "# a:b"] {
            let error = Credentials::parse(text).err().expect("no credentials");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
