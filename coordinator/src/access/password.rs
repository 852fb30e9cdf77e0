//! Passwords, kept as argon2id hashes (RFC 9106). One costs about 50 ms of a core and 19 MiB, as OWASP recommends, so it is
//! never done on the threads that serve requests.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The shortest password; NIST SP 800-63B asks for eight, and for fifteen where there is nothing else.
const SHORTEST: usize = 12;
/// The longest: hashing more is work that a stranger can ask for.
const LONGEST: usize = 256;
/// Verified in place of a user who does not exist, so that nobody learns from the time it takes who does.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2FyaXRhLW5vYm9keQ$6Yd0yJtXyqXG3r0uV2m5g3hYhJw1m4b9QJmNnA0aM1k";

/// Why a password is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error("a password must have 12 to 256 characters")]
    Length,
    /// It could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The hash of a new password.
///
/// # Errors
/// It is too short or too long.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if !(SHORTEST..=LONGEST).contains(&password.chars().count()) {
        return Err(PasswordError::Length);
    }
    let hashed = Argon2::default().hash_password(password.as_bytes());
    let hashed = hashed.map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Whether a password is the one that was hashed. Takes as long for a user who does not exist.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else {
        return false;
    };
    let verified = Argon2::default().verify_password(password.as_bytes(), &parsed);
    verified.is_ok() && hash.is_some() && password.chars().count() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let hashed = hash("correct horse battery").unwrap();
        assert!(hashed.starts_with("$argon2id$") && !hashed.contains("correct"));
        assert!(verify("correct horse battery", Some(&hashed)));
        assert!(!verify("correct horse batter", Some(&hashed)));
        assert!(!verify("correct horse battery", None));
        assert!(hash("short").is_err() && hash(&"x".repeat(257)).is_err());
    }

    #[test]
    fn nobody_is_verified_at_full_cost() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
