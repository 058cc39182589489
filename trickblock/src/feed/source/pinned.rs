//! Servers that are known by their key: whoever gets a certificate for their name from some authority is not them.
//!
//! The library's TLS keeps the server's certificate to itself, so a feed with pins has TLS of its own, made of the same
//! parts. The authorities are asked all the same; the key is looked at before anything is sent.

use std::{
    fmt,
    io::{Read as _, Write as _},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use sha2::{Digest as _, Sha256};
use ureq::{
    Error,
    http::Uri,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
        TransportAdapter,
    },
};

use super::hosts::host_of;

const SCHEME: &str = "sha256//";

/// The SHA-256 of a server's public key (SubjectPublicKeyInfo), written as curl's `--pinnedpubkey` has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPin([u8; 32]);

impl KeyPin {
    /// From `sha256//` and base64. The error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let encoded = text.strip_prefix(SCHEME);
        let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(Self).ok_or_else(|| {
            format!("`{text}` is not the hash of a key: write sha256// and 44 signs of base64, as curl does")
        })
    }

    fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let key = parsed.subject_public_key_info();
        Ok(Self(Sha256::digest(&key).into()))
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The server has a certificate for its name, and another key.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}")]
pub(super) struct OtherKey(pub(super) KeyPin);

/// TLS in which one host must have one of these keys.
pub(super) struct PinnedTls {
    /// As [`host_of`] says it. The key of a proxy is not asked for, nor of other hosts that a redirect may lead to.
    host: String,
    pins: Vec<KeyPin>,
    config: Result<Arc<ClientConfig>, rustls::Error>,
}

impl PinnedTls {
    /// The host of `url` must have one of `pins`.
    pub(super) fn new(url: &Uri, pins: &[KeyPin]) -> Self {
        Self {
            host: host_of(url),
            pins: pins.to_vec(),
            config: client(),
        }
    }

    fn check(&self, url: &Uri, connection: &ClientConnection) -> Result<(), Error> {
        if host_of(url) != self.host {
            return Ok(());
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        // Only the server's own certificate is proven to be its own; others of the chain may be anybody's.
        let own = chain.first().ok_or(Error::Tls("no certificate"))?;
        let key = KeyPin::of(own)?;
        match self.pins.contains(&key) {
            true => Ok(()),
            false => Err(Error::Other(Box::new(OtherKey(key)))),
        }
    }
}

/// With the root certificates of this machine, as feeds without pins have them.
fn client() -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?;
    Ok(Arc::new(builder.with_no_client_auth()))
}

impl fmt::Debug for PinnedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedTls")
            .field("host", &self.host)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

impl<In: Transport> Connector<In> for PinnedTls {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        // As long again as to connect, at most.
        socket.set_timeout(details.timeout);
        let name = details.uri.host().unwrap_or_default();
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|_| Error::Tls("the host is no name of a server"))?;
        let mut connection = ClientConnection::new(self.config.clone()?, name)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        self.check(details.uri, &connection)?;
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(connection, socket),
        })))
    }
}

/// A connection that is encrypted, and whose end is known.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_written_as_curl_has_them() {
        let text = format!("sha256//{}=", "A".repeat(43));
        let pin = KeyPin::parse(&text).expect("a pin");
        assert_eq!((pin, pin.to_string()), (KeyPin([0; 32]), text));
        for wrong in [
            "",
            "sha256//",
            "sha256//AAAA",
            "sha256//not base64",
            "sha1//AAAA",
            "0000000000000000000000000000000000000000000000000000000000000000",
        ] {
            let error = KeyPin::parse(wrong).expect_err(wrong);
            assert!(error.contains("write sha256//"), "{error}");
        }
    }
}
