//! Whom the machine's own programs ask, by their configuration: the upstream of a local stub that resolv.conf(5) does not
//! name, and time servers. Only literal addresses are read; no name is looked up.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use super::files::{address, read};

/// Where dnsmasq(8), unbound.conf(5) and what writes resolv.conf(5) for them keep name servers: files, and folders of them.
const NAME_SERVERS: [&str; 6] = [
    "etc/dnsmasq.conf",
    "etc/dnsmasq.d",
    "etc/unbound/unbound.conf",
    "etc/unbound/unbound.conf.d",
    "run/dnsmasq/resolv.conf",
    "run/NetworkManager/no-stub-resolv.conf",
];

/// The same for chrony.conf(5), ntp.conf(5) and timesyncd.conf(5).
const TIME_SERVERS: [&str; 7] = [
    "etc/chrony/chrony.conf",
    "etc/chrony/conf.d",
    "etc/chrony/sources.d",
    "etc/ntp.conf",
    "etc/ntpsec/ntp.conf",
    "etc/systemd/timesyncd.conf",
    "etc/systemd/timesyncd.conf.d",
];

/// What stands before an address.
const NAME_SERVER_WORDS: [&str; 4] = ["server", "nameserver", "forward-addr", "stub-addr"];
const TIME_SERVER_WORDS: [&str; 5] = ["server", "pool", "peer", "NTP", "FallbackNTP"];

/// Files of a folder that are read.
const MAX_FILES: usize = 64;

/// The name servers that local stubs ask.
pub(super) fn name_servers(root: &Path) -> BTreeSet<IpAddr> {
    named(root, &NAME_SERVERS, &NAME_SERVER_WORDS)
}

/// The time servers.
pub(super) fn time_servers(root: &Path) -> BTreeSet<IpAddr> {
    named(root, &TIME_SERVERS, &TIME_SERVER_WORDS)
}

fn named(root: &Path, places: &[&str], words: &[&str]) -> BTreeSet<IpAddr> {
    let texts = places.iter().flat_map(|place| texts(&root.join(place)));
    let found: BTreeSet<IpAddr> = texts
        .flat_map(|text| addresses(&text, words))
        .filter(|address| !address.is_loopback() && !address.is_unspecified())
        .collect();
    found
}

/// The file at a path, or the files in the folder there.
fn texts(path: &Path) -> Vec<String> {
    let Ok(folder) = fs::read_dir(path) else {
        return read(path).into_iter().collect();
    };
    let files = folder.filter_map(|entry| {
        let path = entry.ok()?.path();
        path.is_file().then_some(path)
    });
    let files = files.take(MAX_FILES);
    files.filter_map(|path| read(&path)).collect()
}

/// The addresses that follow one of these words: `server=/example/192.0.2.1#53`, `forward-addr: 192.0.2.1@853#name`,
/// `NTP=192.0.2.1 192.0.2.2`, `server 192.0.2.1 iburst`.
fn addresses(text: &str, words: &[&str]) -> BTreeSet<IpAddr> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let end = line.find(|sign: char| sign.is_whitespace() || sign == '=' || sign == ':')?;
        let (word, rest) = line.split_at(end);
        words.contains(&word).then_some(rest)
    });
    let values =
        lines.flat_map(|rest| rest.split(|sign: char| sign.is_whitespace() || "=/".contains(sign)));
    values
        .filter_map(|value| address(value.trim_start_matches(':').split(['#', '@']).next()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_of_stubs_and_clocks_are_read_as_each_program_writes_them() {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "etc/dnsmasq.d/site.conf",
                "# server=192.0.2.9\nserver=192.0.2.1\nserver=/example.com/192.0.2.2#5353\nno-resolv\n",
            ),
            (
                "etc/unbound/unbound.conf.d/forward.conf",
                "forward-zone:\n  name: \".\"\n  forward-addr: 192.0.2.3@853#dns.example\n  forward-addr: 2001:db8::3\n",
            ),
            (
                "etc/chrony/chrony.conf",
                "pool ntp.example iburst\nserver 192.0.2.4 iburst\npeer 2001:db8::4\n",
            ),
            (
                "etc/systemd/timesyncd.conf",
                "[Time]\n#NTP=192.0.2.9\nNTP=192.0.2.5 192.0.2.6\n",
            ),
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let of = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let names: BTreeSet<IpAddr> = of(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::3"]);
        assert_eq!(name_servers(root.path()), names);
        let clocks: BTreeSet<IpAddr> = of(&["192.0.2.4", "192.0.2.5", "192.0.2.6", "2001:db8::4"]);
        assert_eq!(time_servers(root.path()), clocks);
    }
}
