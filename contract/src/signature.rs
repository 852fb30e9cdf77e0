//! The ed25519 signature over a command's exact bytes, which travels in the user properties `sig` and `kid`.
//! It does not know what the bytes mean.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// The user property that holds the signature, in base64.
pub const SIG: &str = "sig";
/// The user property that names the key.
pub const KID: &str = "kid";

/// The signature of `payload`, as the user property says it.
pub fn sign(key: &SigningKey, payload: &[u8]) -> String {
    STANDARD.encode(key.sign(payload).to_bytes())
}

/// Whether `signature` is that of `payload` by the owner of `key`; malleable signatures are refused.
pub fn verify(key: &VerifyingKey, payload: &[u8], signature: &str) -> bool {
    let bytes = STANDARD.decode(signature).ok();
    let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
    signature.is_some_and(|signature| key.verify_strict(payload, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_by_the_same_key_are_signed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let signature = sign(&key, b"release");
        assert!(verify(&key.verifying_key(), b"release", &signature));
        assert!(!verify(&key.verifying_key(), b"release ", &signature));
        assert!(!verify(&other.verifying_key(), b"release", &signature));
        assert!(!verify(&key.verifying_key(), b"release", "c2ln"));
    }
}
