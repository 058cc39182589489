//! One request, and its answer.

use bytes::Bytes;
use ureq::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request::Builder,
};

use super::{Part, Validators, http::display_url};
use crate::feed::limits::Caps;

/// What is asked of a server. Only the operator's URL and what is built on it is asked for.
pub(super) struct Ask<'a> {
    pub(super) url: Uri,
    /// What the API wants to read in `Accept`; the operator's own comes before it.
    pub(super) accept: Option<&'static str>,
    /// Posted, if there is one.
    pub(super) json: Option<&'a [u8]>,
    /// Bytes that the answer may have.
    pub(super) cap: usize,
}

impl Ask<'_> {
    /// A plain request.
    pub(super) fn get(url: Uri) -> Self {
        Self {
            url,
            accept: None,
            json: None,
            cap: Caps::default().decoded,
        }
    }

    /// For `url`, to which a redirect may have led. `secrets` are the operator's headers.
    pub(super) fn request(&self, url: &Uri, secrets: &[(HeaderName, HeaderValue)]) -> Builder {
        let method = self.json.map_or(Method::GET, |_| Method::POST);
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in secrets {
            request = request.header(name, value);
        }
        let own = |name: HeaderName| secrets.iter().any(|(theirs, _)| *theirs == name);
        if let Some(accept) = self.accept
            && !own(header::ACCEPT)
        {
            request = request.header(header::ACCEPT, accept);
        }
        if self.json.is_some() && !own(header::CONTENT_TYPE) {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
    }
}

/// What a server said, with success.
pub(super) struct Answer {
    /// Where it came from in the end.
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    /// Decoded, within the cap.
    pub(super) bytes: Bytes,
}

impl Answer {
    /// A header's value, where there is one and it is text.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn validators(&self) -> Validators {
        Validators {
            etag: self.header(header::ETAG).map(str::to_owned),
            last_modified: self.header(header::LAST_MODIFIED).map(str::to_owned),
        }
    }

    pub(super) fn into_part(self) -> Part {
        Part {
            name: display_url(&self.url),
            bytes: self.bytes,
        }
    }
}
