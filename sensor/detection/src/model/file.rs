//! The model file: magic, format, SHA-256 of the payload, payload in CBOR.
//! It checks the envelope only; what the payload says is checked by the model.

use sha2::{Digest, Sha256};

use super::{Content, Error};

/// The format this program writes and reads. A signed format would be another number.
pub const FORMAT: u16 = 1;

/// The most bytes a model file may have: over twice the largest forest we ship.
pub const MAX_BYTES: usize = 8 << 20;

const MAGIC: &[u8; 8] = b"garita\0m";
const HASH_BYTES: usize = 32;

/// The payload of a file whose envelope and hash are right.
pub(super) fn open(bytes: &[u8]) -> Result<&[u8], Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { found: bytes.len() });
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(Error::NotAModel)?;
    let (format, rest) = rest.split_first_chunk().ok_or(Error::NotAModel)?;
    let found = u16::from_le_bytes(*format);
    if found != FORMAT {
        return Err(Error::Format { found });
    }
    let (hash, payload) = rest
        .split_first_chunk::<HASH_BYTES>()
        .ok_or(Error::Tampered)?;
    if Sha256::digest(payload).as_slice() != hash {
        return Err(Error::Tampered);
    }
    Ok(payload)
}

/// Puts a payload into its envelope.
pub(super) fn seal(payload: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(Sha256::digest(payload));
    bytes.extend(payload);
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { found: bytes.len() });
    }
    Ok(bytes)
}

pub(super) fn decode(payload: &[u8]) -> Result<Content, Error> {
    ciborium::from_reader(payload).map_err(Error::Decode)
}

pub(super) fn encode(content: &Content) -> Result<Vec<u8>, Error> {
    let mut payload = Vec::new();
    ciborium::into_writer(content, &mut payload).map_err(Error::Encode)?;
    Ok(payload)
}
