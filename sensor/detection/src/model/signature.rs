//! Who vouches for a model: an ed25519 signature over the bytes of its file. What is signed is not looked at.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signature, Signer, SigningKey};

use settings::PublicKey;

/// Where the signature of a model file is.
pub fn beside(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// The signature of these bytes by a private key (PEM, PKCS #8), as it is written; nothing if that is no such key.
pub fn sign(model: &[u8], pem: &str) -> Option<String> {
    let key = SigningKey::from_pkcs8_pem(pem).ok()?;
    let signature = STANDARD.encode(key.sign(model).to_bytes());
    Some(format!("{signature}\n"))
}

/// Whether `text` is a signature of these bytes by one of `keys`.
pub(super) fn is_signed(model: &[u8], text: &str, keys: &[PublicKey]) -> bool {
    let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
    let Ok(signature) = Signature::from_slice(&bytes) else {
        return false;
    };
    let signs = |key: &PublicKey| key.key().verify_strict(model, &signature).is_ok();
    keys.iter().any(signs)
}
