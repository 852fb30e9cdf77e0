//! The words and names a setting may hold.
//! They are checked when read, so nothing else has to check them again.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::setting::{List, Setting, serde_as_text};

/// Makes an enum of the words that a setting allows.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl Setting for $name {
            fn read(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn write(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.to_owned()
            }

            fn allowed() -> String {
                ["one of:", $(concat!("\"", $word, "\"")),+].join(" ")
            }
        }

        serde_as_text! { [] $name; }
    )+};
}

words! {
    /// Which meter is used live.
    CaptureMode {
        /// The kernel's where it loads, else pcap.
        #[default]
        Auto = "auto",
        /// The kernel's, or nothing.
        Ebpf = "ebpf",
        /// User space, from pcap.
        Pcap = "pcap",
    }

    /// What happens to a block.
    FirewallMode {
        /// It is recorded, and the traffic goes on.
        #[default]
        Observe = "observe",
        /// The kernel drops the traffic.
        Enforce = "enforce",
    }

    /// Whether a VLAN or tunnel number is part of a conversation's name.
    Tags {
        /// No: many networks tag one direction only, and halves under two names would look unanswered.
        #[default]
        Join = "join",
        /// Yes: the same addresses and ports mean different hosts in different VLANs or tunnels.
        Separate = "separate",
    }

    /// Whether the kernel is to track connections for the firewall.
    Conntrack {
        /// Where it can.
        #[default]
        Auto = "auto",
        /// No: only TCP then tells by itself what somebody opens.
        Off = "off",
    }

    /// Whether drops may happen in the driver, before the firewall.
    XdpMode {
        /// Never.
        #[default]
        Off = "off",
        /// Where the driver supports it.
        Auto = "auto",
    }
}

/// The inside of the network, whose hosts are reviewed instead of blocked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Home {
    /// The connected networks off the default route in the daemon, none in a replay.
    #[default]
    Auto,
    /// These.
    Networks(List<IpNet>),
}

impl Setting for Home {
    fn read(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            networks => List::read(networks).map(Self::Networks),
        }
    }

    fn read_list(items: &[String]) -> Option<Self> {
        List::read_list(items).map(Self::Networks)
    }

    fn write(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Networks(networks) => networks.write(),
        }
    }

    fn allowed() -> String {
        format!("\"auto\" or {}", List::<IpNet>::allowed())
    }
}

/// A sensor's or a site's name; it becomes a level of MQTT topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// The site of who has only one.
    pub(super) fn main() -> Self {
        Self("main".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Setting for Label {
    fn read(text: &str) -> Option<Self> {
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        // Commands to every sensor of a site are published below `all`.
        let usable = (1..=63).contains(&text.len()) && text.bytes().all(plain) && text != "all";
        usable.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn allowed() -> String {
        "1 to 63 of the characters a-z, 0-9 and -, but not \"all\"".to_owned()
    }
}

/// The name of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface(String);

impl Interface {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The kernel's own rule (`dev_valid_name`): under 16 bytes, no slash, no colon, no space, not a directory.
impl Setting for Interface {
    fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':');
        let usable =
            (1..16).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..");
        usable.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn allowed() -> String {
        "an interface name of 1 to 15 characters such as eth0".to_owned()
    }
}

/// A filter in the language of pcap-filter(7); whether it is one, only the capture library can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Filter {
    fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let usable = (1..=4096).contains(&text.len()) && text.bytes().all(plain);
        usable.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn allowed() -> String {
        "a pcap filter of up to 4096 plain characters such as \"not port 4789\"".to_owned()
    }
}

/// The name of a group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

impl GroupName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What `groupadd` accepts everywhere: 1 to 31 characters that no shell and no `/etc/group` trips over.
impl Setting for GroupName {
    fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let usable =
            (1..32).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        usable.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn allowed() -> String {
        "the name of a group such as garita-admin".to_owned()
    }
}

/// The path of a file or a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    pub(super) fn new(path: &str) -> Self {
        Self(PathBuf::from(path))
    }
}

impl Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Setting for FilePath {
    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }

    fn write(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn allowed() -> String {
        "a path".to_owned()
    }
}

serde_as_text! {
    [] FilePath;
    [] Filter;
    [] Home;
    [] Label;
    [] Interface;
    [] GroupName;
}
