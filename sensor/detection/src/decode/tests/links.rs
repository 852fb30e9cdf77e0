//! Link layers lead to IP, or to the cause why not.

use super::*;

#[test]
fn every_link_type_leads_to_ip() {
    for (ether_type, family, ppp, ip) in [
        (0x0800u16, [2u8, 2, 2], 0x21u8, v4(17, &udp(53, b"q"))),
        (0x86dd, [10, 24, 30], 0x57, v6(17, &udp(53, b"q"))),
    ] {
        let [high, low] = ether_type.to_be_bytes();
        let sll = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, high, low];
        let mut sll2 = [0; 20];
        sll2[..2].copy_from_slice(&[high, low]);
        let pppoe = [0x11, 0, 0, 9, 0, 42, 0, ppp];
        let cases: &[(LinkType, &[u8])] = &[
            (LinkType::Ethernet, &[&MACS[..], &[high, low]].concat()),
            (LinkType::RawIp, &[]),
            (LinkType::LinuxCooked, &sll),
            (LinkType::LinuxCooked2, &sll2),
            (LinkType::Loopback, &[family[0], 0, 0, 0]),
            (LinkType::Loopback, &[family[1], 0, 0, 0]),
            (LinkType::Loopback, &[0, 0, 0, family[2]]),
            (LinkType::Ppp, &[0xff, 0x03, 0, ppp]),
            (LinkType::Ppp, &[0, ppp]),
            (LinkType::Ppp, &[ppp]),
            (LinkType::CiscoHdlc, &[0xff, 0x03, 0, ppp]),
            (LinkType::CiscoHdlc, &[0x0f, 0, high, low]),
            (LinkType::PppoE, &pppoe),
            (
                LinkType::Ethernet,
                &[&MACS[..], &[0x88, 0x64], &pppoe].concat(),
            ),
        ];
        for (link_type, header) in cases {
            assert_peels(*link_type, &join(&[header, &ip]), &ip, Tag::NONE);
        }
    }
}

#[test]
fn trailing_padding_is_left_to_the_ip_length() {
    let padded = join(&[&v4(17, &udp(53, b"q")), &[0; 17]]);
    assert_peels(
        LinkType::Ethernet,
        &ethernet(0x0800, &padded),
        &padded,
        Tag::NONE,
    );
}

#[test]
fn vlans_make_the_tag() {
    let ip = inner();
    let vlan = |id: u16| Tag::new(TagKind::Vlan, id.into());
    let qinq = Tag::new(TagKind::QinQ, 100 << 12 | 5);
    assert_eq!(vlan(5).get(), 5, "what the kernel gives");
    // Priority bits are not part of the number, and VLAN 0 is only a priority.
    let cases: &[(&[u8], Tag)] = &[
        (&[0x81, 0x00, 0xe0, 5, 0x08, 0x00], vlan(5)),
        (&[0x81, 0x00, 0xe0, 0, 0x08, 0x00], Tag::NONE),
        (&[0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 5, 0x08, 0x00], qinq),
        (&[0x91, 0x00, 0, 100, 0x81, 0x00, 0, 5, 0x08, 0x00], qinq),
        (
            &[0x81, 0x00, 0, 100, 0x81, 0x00, 0, 0, 0x08, 0x00],
            vlan(100),
        ),
        (&[0x81, 0x00, 0, 0, 0x81, 0x00, 0, 5, 0x08, 0x00], vlan(5)),
    ];
    for (header, tag) in cases {
        assert_peels(LinkType::Ethernet, &join(&[&MACS, header, &ip]), &ip, *tag);
    }
    assert_eq!(qinq.to_string(), "vlan 100.5");
}

#[test]
fn mpls_labels_are_popped_and_not_part_of_the_tag() {
    for ip in [inner(), v6(58, &[128, 0, 0, 0])] {
        let stack = [0, 1, 0x10, 64, 0, 2, 0x21, 64];
        let bytes = ethernet(0x8847, &join(&[&stack, &ip]));
        assert_peels(LinkType::Ethernet, &bytes, &ip, Tag::NONE);
        let vlan = [0, 5, 0x88, 0x47];
        let bytes = ethernet(0x8100, &join(&[&vlan, &stack, &ip]));
        assert_peels(LinkType::Ethernet, &bytes, &ip, Tag::new(TagKind::Vlan, 5));
    }
}

#[test]
fn what_is_not_ip_is_counted_by_cause() {
    use Undecodable::{Cut, Encrypted, Fragment, IpVersion, NotIp, TooDeep};
    let arp = ethernet(0x0806, &[0; 28]);
    let llc = ethernet(38, &[0x42, 0x42, 3, 0, 0]);
    let goose = ethernet(0x88b8, &[0; 40]);
    let pppoe_discovery = ethernet(0x8863, &[0x11, 9, 0, 0, 0, 4]);
    let lcp = [0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4];
    let mut later_fragment = [0; 40];
    (later_fragment[0], later_fragment[22]) = (0x08, 1);
    let short_pseudowire = ethernet(0x8847, &[0, 1, 1, 64, 0, 0, 0, 0, 2, 0, 0, 0]);
    let endless_vlans = ethernet(0x8100, &[0x00, 0x05, 0x81, 0x00].repeat(20));
    let endless_labels = ethernet(0x8847, &[0; 100]);
    let eth = LinkType::Ethernet;
    let cases: &[(LinkType, &[u8], Undecodable)] = &[
        (eth, &arp, NotIp),
        (eth, &llc, NotIp),
        (eth, &goose, NotIp),
        (eth, &pppoe_discovery, NotIp),
        (LinkType::Ppp, &lcp, NotIp),
        (LinkType::Loopback, &[7, 0, 0, 0, 0x45], NotIp),
        (eth, &[], Cut),
        (eth, &MACS, Cut),
        (eth, &ethernet(0x0800, &[]), Cut),
        (eth, &ethernet(0x8100, &[0, 5, 8]), Cut),
        (eth, &ethernet(0x8847, &[0, 5, 1]), Cut),
        (eth, &ethernet(0x8864, &[0x11, 0]), Cut),
        (LinkType::RawIp, &[], Cut),
        (LinkType::LinuxCooked, &[0; 15], Cut),
        (LinkType::LinuxCooked2, &[0; 19], Cut),
        (LinkType::Loopback, &[2, 0, 0], Cut),
        (eth, &ethernet(0x0800, &v6(6, &[])), IpVersion),
        (eth, &ethernet(0x86dd, &v4(6, &[])), IpVersion),
        (LinkType::RawIp, &[0x12; 40], IpVersion),
        (eth, &short_pseudowire, IpVersion),
        (eth, &ethernet(0x88e5, &[0x0c, 0, 0, 0, 0, 1]), Encrypted),
        (LinkType::Dot11, &later_fragment, Fragment),
        (eth, &endless_vlans, TooDeep),
        (eth, &endless_labels, TooDeep),
        (LinkType::Other(127), &[0; 60], Undecodable::LinkType),
    ];
    let mut counters = DecodeCounters::default();
    for (link_type, bytes, cause) in cases {
        assert_refused(*link_type, bytes, *cause);
        counters.count(*cause);
    }
    let counted: Vec<_> = counters
        .iter()
        .map(|(cause, n)| (cause.name(), n))
        .collect();
    assert_eq!(
        counted,
        [
            ("not-ip", 6),
            ("cut-link-header", 10),
            ("wrong-ip-version", 4),
            ("too-many-link-headers", 2),
            ("unknown-link-type", 1),
            ("encrypted-below-ip", 1),
            ("link-fragment", 1),
            ("mirrored-not-ip", 0),
        ]
    );
    assert_eq!(counters.total(), cases.len() as u64);
}
