//! The block list in two numbers, by which a coordinator sees that it differs from what it believes.
//! It names nobody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::printable::hex;
use crate::record::Block;

/// The block list in two numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    /// Blocks on the list, whether enforced or not; those of one service, and of a crowd, are left out.
    pub count: u64,
    /// SHA-256, in hexadecimal, of their targets: as `block` messages write them, sorted by their bytes, each followed
    /// by a line feed.
    pub sha256: String,
}

impl Digest {
    /// The digest of these blocks.
    pub fn of(blocks: &[Block]) -> Self {
        let mut targets: Vec<String> = blocks
            .iter()
            .filter(|block| block.service.is_none() && !block.quiet)
            .map(|block| block.target.to_string())
            .collect();
        targets.sort_unstable();
        let mut hash = Sha256::new();
        for target in &targets {
            hash.update(target);
            hash.update("\n");
        }
        Self {
            count: targets.len() as u64,
            sha256: hex(&hash.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BlockState, Origin};
    use crate::timestamp::Timestamp;

    fn block(target: &str) -> Block {
        Block {
            target: target.parse().unwrap(),
            state: BlockState::Enforced,
            origin: Origin::Detection,
            by: "detection".to_owned(),
            reason: String::new(),
            class: None,
            incident: None,
            offence: 0,
            begun: Timestamp::from_micros(0),
            expires: None,
            confirm_by: None,
            forced: false,
            scope: crate::record::Scope::All,
            service: None,
            quiet: false,
        }
    }

    #[test]
    fn the_digest_is_what_sha256sum_says_of_the_sorted_list() {
        // printf '198.51.100.0/24\n2001:db8::1/128\n203.0.113.9/32\n' | sha256sum
        let sorted = "099463331a6ec5d96eb89ef97355243bb47c859abb1536e17ee619a4ff81b15a";
        let blocks = ["203.0.113.9/32", "2001:db8::1/128", "198.51.100.0/24"].map(block);
        let digest = Digest::of(&blocks);
        assert_eq!((digest.count, digest.sha256.as_str()), (3, sorted));
        let mut other = blocks;
        other.reverse();
        assert_eq!(Digest::of(&other), digest);
    }
}
