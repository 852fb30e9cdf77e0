//! Secrets that programs carry: random, and kept only as their SHA-256, which for 256 random bits is as good as a slow hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A new secret of 256 bits behind a prefix that says what it is, so that it is recognised where it should not be.
///
/// # Errors
/// The system gives no random numbers.
pub fn secret(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What is kept of a secret.
pub fn digest(secret: &str) -> String {
    crate::hex(&Sha256::digest(secret))
}
