//! URLs that are built on the operator's.

use ureq::http::Uri;

use super::super::Reason;

/// `url` with `pairs` after what its query already has.
pub(super) fn with_query(url: &Uri, pairs: &[(&str, &str)]) -> Result<Uri, Reason> {
    let own = url.query().filter(|query| !query.is_empty());
    let mut query: Vec<String> = own.map(str::to_owned).into_iter().collect();
    let added = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)));
    query.extend(added);
    let query = Some(query.join("&")).filter(|query| !query.is_empty());
    build(url, url.path(), query.as_deref())
}

/// `url` with another path, and its own query.
pub(super) fn with_path(url: &Uri, path: &str) -> Result<Uri, Reason> {
    build(url, path, url.query())
}

fn build(url: &Uri, path: &str, query: Option<&str>) -> Result<Uri, Reason> {
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut builder = Uri::builder().path_and_query(target);
    if let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) {
        builder = builder.scheme(scheme.clone()).authority(authority.clone());
    }
    builder
        .build()
        .map_err(|error| Reason::answer("something to ask on with", &error))
}

/// Nothing that a server sent may end the value that it becomes.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_and_the_query_is_kept() {
        let url: Uri = "http://192.0.2.1:8080/api/objects/?match[type]=indicator"
            .parse()
            .unwrap();
        let built = with_query(&url, &[("next", "a&b=1#c d/é"), ("x", "")]).unwrap();
        assert_eq!(
            built.to_string(),
            "http://192.0.2.1:8080/api/objects/?match[type]=indicator&next=a%26b%3D1%23c%20d%2F%C3%A9&x="
        );
        let bare: Uri = "http://192.0.2.1/?".parse().unwrap();
        let built = with_query(&bare, &[("a", "1")]).unwrap();
        assert_eq!(built.to_string(), "http://192.0.2.1/?a=1");
    }

    #[test]
    fn what_makes_no_url_is_an_error() {
        let url: Uri = "http://192.0.2.1/".parse().unwrap();
        assert!(with_query(&url, &[("next", &"x".repeat(70_000))]).is_err());
    }
}
