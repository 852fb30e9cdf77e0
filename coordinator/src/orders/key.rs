//! The key that signs orders: a PEM file, or a credential systemd hands over. It leaves only as signatures.

use std::fmt;
use std::path::{Path, PathBuf};

use contract::command::Command;
use contract::signature;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;

use crate::config::Orders;

/// The credential that stands for `orders.key`.
const CREDENTIAL: &str = "orders.key";

/// User properties of a message.
type Properties = Vec<(String, String)>;

/// A key and the name sensors know it by.
#[derive(Clone)]
pub struct Key {
    kid: String,
    key: SigningKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kid)
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read orders.key {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds no such key.
    #[error("orders.key {}: it holds no ed25519 private key in PEM", .0.display())]
    NoKey(PathBuf),
    /// It has no name sensors could list.
    #[error(
        "orders.kid: {0:?} is no name for a key; allowed is 1 to 63 of the characters a-z, 0-9 and -"
    )]
    NoName(String),
}

impl Key {
    /// The key of the settings; nothing where none is set and none was handed over.
    ///
    /// # Errors
    /// It cannot be read, is none, or has no name.
    pub fn load(settings: &Orders) -> Result<Option<Self>, KeyError> {
        let path = match settings.key.as_str() {
            "" => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
                let path = folder.map(|folder| Path::new(&folder).join(CREDENTIAL));
                match path.filter(|path| path.is_file()) {
                    Some(path) => path,
                    None => return Ok(None),
                }
            }
            path => PathBuf::from(path),
        };
        let text = std::fs::read_to_string(&path).map_err(|source| KeyError::Read {
            path: path.clone(),
            source,
        })?;
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| KeyError::NoKey(path.clone()))?;
        let kid = match settings.kid.as_str() {
            "" => path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase(),
            kid => kid.to_owned(),
        };
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=63).contains(&kid.len()) || !kid.bytes().all(plain) {
            return Err(KeyError::NoName(kid));
        }
        Ok(Some(Self { kid, key }))
    }

    /// The name sensors know it by.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What a sensor lists in `report.command_keys` to obey.
    pub fn public(&self) -> String {
        use base64::Engine;
        let key = self.key.verifying_key();
        let key = base64::engine::general_purpose::STANDARD.encode(key.as_bytes());
        format!("{}:{key}", self.kid)
    }

    /// The signature of bytes that are no command: 64 bytes (RFC 8032).
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer;
        self.key.sign(bytes).to_bytes()
    }

    /// The public half in PEM, as openssl reads it.
    ///
    /// # Errors
    /// It cannot be written so.
    pub fn public_pem(&self) -> Result<String, ed25519_dalek::pkcs8::spki::Error> {
        use ed25519_dalek::pkcs8::EncodePublicKey;
        use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
        self.key.verifying_key().to_public_key_pem(LineEnding::LF)
    }

    /// A command's exact bytes and the user properties that go with them.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn seal(&self, command: &Command) -> Result<(Vec<u8>, Properties), serde_json::Error> {
        let payload = serde_json::to_vec(command)?;
        let signature = signature::sign(&self.key, &payload);
        let properties = vec![
            (signature::SIG.to_owned(), signature),
            (signature::KID.to_owned(), self.kid.clone()),
        ];
        Ok((payload, properties))
    }
}
