//! Netlink messages as bytes: their header, and the attributes that nest in them.
//! It trusts no length, and knows no meaning of an attribute.

use nftnl::nftnl_sys::libc;

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct nfgenmsg`, which every netfilter message begins with.
const GENERAL: usize = 4;

/// One netfilter message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// Its type without the subsystem: `NFT_MSG_NEWRULE`.
    pub(super) kind: i32,
    /// The port of the socket that caused it.
    pub(super) port: u32,
    /// `NFPROTO_INET` for our table.
    pub(super) family: u8,
    pub(super) attributes: Attributes<'a>,
}

impl<'a> Message<'a> {
    /// Reads a message of nf_tables; nothing for any other, and for one that is cut short.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let kind = i32::from(u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?));
        if kind >> 8 != libc::NFNL_SUBSYS_NFTABLES {
            return None;
        }
        Some(Self {
            kind: kind & 0xff,
            port: u32::from_ne_bytes(*bytes.get(12..)?.first_chunk()?),
            family: *bytes.get(HEADER)?,
            attributes: Attributes(bytes.get(HEADER + GENERAL..)?),
        })
    }
}

/// A row of attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The content of the first attribute of this kind.
    pub(super) fn get(self, kind: u16) -> Option<&'a [u8]> {
        self.find(|&(found, _)| found == kind)
            .map(|(_, content)| content)
    }

    fn find(mut self, wanted: impl FnMut(&(u16, &'a [u8])) -> bool) -> Option<(u16, &'a [u8])> {
        Iterator::find(&mut self, wanted)
    }

    /// The attributes that nest in this one; none where it is not there.
    pub(super) fn nest(self, kind: u16) -> Self {
        Self(self.get(kind).unwrap_or_default())
    }

    /// The contents of each element of a list that nests in this one.
    pub(super) fn list(self, kind: u16) -> impl Iterator<Item = Attributes<'a>> {
        self.nest(kind).map(|(_, content)| Attributes(content))
    }

    /// Numbers travel in network byte order.
    pub(super) fn u32(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    pub(super) fn u64(self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// A text without its final NUL.
    pub(super) fn text(self, kind: u16) -> Option<&'a str> {
        let content = self.get(kind)?;
        let content = content.strip_suffix(&[0]).unwrap_or(content);
        std::str::from_utf8(content).ok()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_ne_bytes(*self.0.first_chunk()?));
        // The two uppermost bits say that it nests, and its byte order.
        let kind = u16::from_ne_bytes(*self.0.get(2..)?.first_chunk()?) & 0x3fff;
        let content = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    }
}

/// The request for a list of everything of one kind, with the texts that narrow it down.
pub(super) fn list_request(kind: i32, family: i32, texts: &[(u16, &str)]) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let kind = ((libc::NFNL_SUBSYS_NFTABLES << 8) | kind) as u16;
    let mut request = vec![0; 4];
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    // Sequence and port: one question at a time, answered before the next.
    request.extend([0; 8]);
    request.extend([family as u8, 0, 0, 0]);
    for (kind, text) in texts {
        let length = 4 + text.len() + 1;
        request.extend((length as u16).to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(text.as_bytes());
        request.resize((request.len() + 1).next_multiple_of(4), 0);
    }
    let length = request.len() as u32;
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let request = list_request(
            libc::NFT_MSG_GETSETELEM,
            libc::NFPROTO_INET,
            &[(1, "garita"), (2, "blocked4")],
        );
        assert_eq!(request.len() % 4, 0);
        let read = Message::read(&request).unwrap();
        assert_eq!((read.kind, read.family), (libc::NFT_MSG_GETSETELEM, 1));
        assert_eq!(read.attributes.text(1), Some("garita"));
        assert_eq!(read.attributes.text(2), Some("blocked4"));
        assert_eq!(read.attributes.get(3), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_confuse_it(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for (_, content) in Attributes(&bytes) {
                assert!(content.len() <= bytes.len());
            }
            let _ = Message::read(&bytes);
        }
    }
}
