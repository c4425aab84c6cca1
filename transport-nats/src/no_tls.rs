//! What stands in for TLS in a build without it: a provider of cryptography that refuses.
//!
//! The client speaks TLS to every server that demands it, also at an address that begins with
//! `nats://`, and panics if there is no provider. With this one the attempt fails, before anything
//! is sent, with an error that says what is missing.

use std::{path::Path, sync::Arc};

use async_nats::rustls::{
    CipherSuite, ClientConfig, Error, NamedGroup, RootCertStore, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        ActiveKeyExchange, CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom,
        SupportedKxGroup, WebPkiSupportedAlgorithms,
        cipher::{AeadKey, Iv, MessageDecrypter, MessageEncrypter, Tls13AeadAlgorithm, UnsupportedOperationError},
        hash::{Context, Hash, HashAlgorithm, Output},
        hmac::Tag,
        tls13::{Hkdf, HkdfExpander, OkmBlock},
    },
    pki_types::PrivateKeyDer,
    sign::SigningKey,
};
use transport_broker::ConnectError;

/// What the client reports for a server that demands TLS.
pub(crate) const REFUSAL: &str = "it demands TLS, and this program was built without TLS: enable the feature `tls`";

/// Returns a configuration with which each attempt to encrypt fails.
pub(crate) fn client_config(_: Option<&Path>) -> Result<Option<ClientConfig>, ConnectError> {
    let provider = CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls13(&SUITE)],
        kx_groups: vec![&Refusing],
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &Refusing,
        key_provider: &Refusing,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(std::io::Error::other)?;
    Ok(Some(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

static SUITE: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &Refusing,
        confidentiality_limit: 0,
    },
    hkdf_provider: &Refusing,
    aead_alg: &Refusing,
    quic: None,
};

/// Every part of the provider. The exchange of keys comes first and fails, so nothing else is used.
#[derive(Debug)]
struct Refusing;

impl SupportedKxGroup for Refusing {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        // The client tells why the first attempt fails, and of later ones only that they do.
        tracing::warn!(target: "transport_broker", "the broker cannot be used: {REFUSAL}");
        Err(Error::General(REFUSAL.to_owned()))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SecureRandom for Refusing {
    /// Leaves the buffer as it is, so that the attempt gets as far as the exchange of keys.
    fn fill(&self, _: &mut [u8]) -> Result<(), GetRandomFailed> {
        Ok(())
    }
}

impl KeyProvider for Refusing {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General(REFUSAL.to_owned()))
    }
}

impl Hash for Refusing {
    fn start(&self) -> Box<dyn Context> {
        unreachable!("{REFUSAL}")
    }

    fn hash(&self, _: &[u8]) -> Output {
        unreachable!("{REFUSAL}")
    }

    fn output_len(&self) -> usize {
        32
    }

    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

impl Hkdf for Refusing {
    fn extract_from_zero_ikm(&self, _: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        unreachable!("{REFUSAL}")
    }

    fn extract_from_secret(&self, _: Option<&[u8]>, _: &[u8]) -> Box<dyn HkdfExpander> {
        unreachable!("{REFUSAL}")
    }

    fn expander_for_okm(&self, _: &OkmBlock) -> Box<dyn HkdfExpander> {
        unreachable!("{REFUSAL}")
    }

    fn hmac_sign(&self, _: &OkmBlock, _: &[u8]) -> Tag {
        unreachable!("{REFUSAL}")
    }
}

impl Tls13AeadAlgorithm for Refusing {
    fn encrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageEncrypter> {
        unreachable!("{REFUSAL}")
    }

    fn decrypter(&self, _: AeadKey, _: Iv) -> Box<dyn MessageDecrypter> {
        unreachable!("{REFUSAL}")
    }

    fn key_len(&self) -> usize {
        16
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<async_nats::rustls::ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}
