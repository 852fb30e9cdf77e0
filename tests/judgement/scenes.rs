//! Scenes by schedule: what everyday programs and attackers put on the wire, written packet by packet.
//! Nothing here knows how they are judged, but for what each scene says should come of it.

use std::net::IpAddr;

use crate::kernel::frames::{
    ACK, Chance, FIN, Frame, PSH, RST, SYN, address, ethernet, icmp, ip, udp,
};

/// Bytes of TCP options each scene is tried with.
pub(crate) const OPTIONS: [usize; 3] = [0, 12, 20];

const SECOND: u64 = 1_000_000;
const START: u64 = 1_700_000_000 * SECOND;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What happens on the wire, and what should come of it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) decision: &'static str,
    /// The offender, the victim or the target of the block.
    pub(crate) whom: &'static str,
    write: fn(&mut Wire),
}

impl Scene {
    /// Its frames in the order of time.
    pub(crate) fn frames(&self, options: usize) -> Vec<Frame> {
        let mut wire = Wire {
            options,
            ttl: 64,
            tag: None,
            next_port: 40_000,
            frames: Vec::new(),
        };
        (self.write)(&mut wire);
        wire.frames.sort_by_key(|frame| frame.time);
        wire.frames
    }
}

/// A little-endian pcap of these frames.
pub(crate) fn pcap(frames: &[Frame]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    let mut bytes = header.map(u32::to_le_bytes).concat();
    for frame in frames {
        let length = frame.bytes.len() as u32;
        let seconds = (frame.time / SECOND) as u32;
        let record = [seconds, (frame.time % SECOND) as u32, length, length];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        bytes.extend(&frame.bytes);
    }
    bytes
}

/// A wire being written on; times are microseconds since the scene began.
struct Wire {
    options: usize,
    ttl: u8,
    tag: Option<u16>,
    next_port: u16,
    frames: Vec<Frame>,
}

/// An address and a port.
type End = (IpAddr, u16);

/// A conversation: exchanges, payload of each way, pause between them, and whether the server ends it.
#[derive(Clone, Copy)]
struct Talk {
    exchanges: u32,
    out: usize,
    back: usize,
    pause: u64,
    served_end: bool,
}

const REFUSED_LOGIN: Talk = Talk {
    exchanges: 6,
    out: 210,
    back: 330,
    pause: 200_000,
    served_end: true,
};
const PAGE: Talk = Talk {
    exchanges: 4,
    out: 240,
    back: 1_200,
    pause: 20_000,
    served_end: false,
};

impl Wire {
    fn port(&mut self) -> u16 {
        self.next_port = if self.next_port >= 60_000 {
            40_000
        } else {
            self.next_port + 1
        };
        self.next_port
    }

    fn put(&mut self, time: u64, ends: (IpAddr, IpAddr), protocol: u8, payload: &[u8]) {
        let mut packet = ip(ends, protocol, payload);
        let at = if ends.0.is_ipv4() { 8 } else { 7 };
        packet[at] = self.ttl;
        let tags = self.tag.map(|tag| vec![tag]).unwrap_or_default();
        self.frames
            .push(Frame::new(START + time, ethernet(&tags, &packet)));
    }

    fn tcp(
        &mut self,
        time: u64,
        (from, to): (End, End),
        flags: u8,
        numbers: (u32, u32),
        payload: usize,
    ) {
        let mut segment = Vec::new();
        segment.extend(from.1.to_be_bytes());
        segment.extend(to.1.to_be_bytes());
        segment.extend(numbers.0.to_be_bytes());
        segment.extend(numbers.1.to_be_bytes());
        segment.extend([
            ((20 + self.options) / 4 << 4) as u8,
            flags,
            0x20,
            0,
            0,
            0,
            0,
            0,
        ]);
        let mut options = vec![
            2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0,
        ];
        options.resize(self.options, 0);
        segment.extend(options);
        segment.extend(vec![7; payload]);
        self.put(time, (from.0, to.0), TCP, &segment);
    }

    fn udp(&mut self, time: u64, (from, to): (End, End), payload: &[u8]) {
        self.put(time, (from.0, to.0), UDP, &udp((from.1, to.1), payload));
    }

    /// A SYN, and a reset a millisecond later.
    fn refuse(&mut self, time: u64, (from, to): (End, End)) {
        self.tcp(time, (from, to), SYN, (77, 0), 0);
        self.tcp(time + 1_000, (to, from), RST | ACK, (0, 78), 0);
    }

    /// A SYN that nobody answers, and `again` more of it at one, three and seven seconds.
    fn ignore(&mut self, time: u64, ends: (End, End), again: u32) {
        for turn in 0..=again {
            self.tcp(time + ((1 << turn) - 1) * SECOND, ends, SYN, (5, 0), 0);
        }
    }

    fn talk(&mut self, mut time: u64, client: IpAddr, server: End, talk: &Talk) {
        let client = (client, self.port());
        let (there, back) = ((client, server), (server, client));
        let (mut ours, mut theirs) = (1_001, 9_001);
        self.tcp(time, there, SYN, (1_000, 0), 0);
        self.tcp(time + 5_000, back, SYN | ACK, (9_000, ours), 0);
        self.tcp(time + 10_000, there, ACK, (ours, theirs), 0);
        time += 10_000;
        for _ in 0..talk.exchanges {
            self.tcp(time, there, PSH | ACK, (ours, theirs), talk.out);
            ours += talk.out as u32;
            self.tcp(time + 5_000, back, PSH | ACK, (theirs, ours), talk.back);
            theirs += talk.back as u32;
            time += 5_000 + talk.pause;
        }
        let (first, second, mine, yours) = if talk.served_end {
            (back, there, theirs, ours)
        } else {
            (there, back, ours, theirs)
        };
        self.tcp(time, first, FIN | ACK, (mine, yours), 0);
        self.tcp(time + 5_000, second, FIN | ACK, (yours, mine + 1), 0);
        self.tcp(time + 10_000, first, ACK, (mine + 1, yours + 1), 0);
    }
}

fn home(host: u16) -> IpAddr {
    address(0, host)
}

fn away(host: u16) -> IpAddr {
    address(1, host)
}

fn stranger(host: u16) -> IpAddr {
    address(2, host)
}

const fn innocent(name: &'static str, write: fn(&mut Wire)) -> Scene {
    Scene {
        name,
        class: "",
        decision: "",
        whom: "",
        write,
    }
}

/// Nobody in these does any harm.
pub(crate) fn innocents() -> impl Iterator<Item = Scene> {
    [
        innocent("a server closes what was idle for long", |wire| {
            for turn in 0..25 {
                let (client, server) = ((home(10), 50_000 + turn), (away(143), 443));
                let time = u64::from(turn) * 30_000;
                wire.tcp(time, (server, client), FIN | ACK, (9_000, 1), 0);
                wire.tcp(time + 1_000, (client, server), FIN | ACK, (1, 9_001), 0);
                wire.tcp(time + 9_000, (server, client), ACK, (9_001, 2), 0);
            }
        }),
        innocent("answers without their questions", |wire| {
            for turn in 0..90 {
                let time = u64::from(turn) * SECOND / 3;
                let victim = (away(80 + turn % 3), 80);
                let named = (home(1 + turn), 2_000 + 7 * turn);
                let flags = if turn % 3 == 0 { RST | ACK } else { SYN | ACK };
                wire.tcp(time, (victim, named), flags, (5, 6), 0);
            }
        }),
        innocent("conversations joined in the middle", |wire| {
            for turn in 0..240 {
                let client = (home(1 + turn % 90), 40_000 + turn);
                let server = (away(1 + turn % 20), 443);
                for step in 0..5 {
                    let time = u64::from(turn) * 20_000 + u64::from(step) * 2 * SECOND;
                    let (ours, theirs) = (100 + 50 * step, 900 + 500 * step);
                    wire.tcp(time, (client, server), PSH | ACK, (ours, theirs), 50);
                    wire.tcp(
                        time + 9_000,
                        (server, client),
                        PSH | ACK,
                        (theirs, ours + 50),
                        500,
                    );
                }
            }
        }),
        innocent("a traceroute", |wire| {
            for hop in 0..14 {
                let time = u64::from(hop) * 4_000;
                let probe = udp((42_000, 33_435 + hop), &[0; 12]);
                let ends = (home(10), away(20));
                wire.put(time, ends, UDP, &probe);
                let (router, kind) = if hop < 10 {
                    (stranger(1 + hop), (11, 0))
                } else {
                    (away(20), (3, 3))
                };
                let quoted = ip(ends, UDP, &probe);
                wire.put(
                    time + 700,
                    (router, home(10)),
                    1,
                    &icmp(kind, [0; 4], &quoted),
                );
            }
        }),
        innocent("health checks, all accepted", |wire| {
            let check = Talk {
                exchanges: 0,
                out: 0,
                back: 0,
                pause: 0,
                served_end: false,
            };
            for round in 0..40 {
                for (place, port) in [80, 443, 25].into_iter().enumerate() {
                    for host in 0..5 {
                        let time = round * 5 * SECOND + host * 20_000 + place as u64 * 3_000;
                        wire.talk(time, home(10), (away(20 + host as u16), port), &check);
                    }
                }
            }
        }),
        innocent("probes of pods that are down", |wire| {
            for round in 0..120 {
                for pod in 0..18 {
                    let from = (home(1), wire.port());
                    wire.refuse(
                        round * 2 * SECOND + u64::from(pod) * 9_000,
                        (from, (home(100 + pod), 8_080)),
                    );
                }
            }
        }),
        innocent("monitoring with dead targets", |wire| {
            for round in 0..10 {
                for host in 0..60 {
                    let from = (home(9), wire.port());
                    wire.ignore(
                        round * 20 * SECOND + u64::from(host) * 250_000,
                        (from, (home(100 + host), 9_182)),
                        2,
                    );
                }
            }
        }),
        innocent("downloads from peers that are gone", |wire| {
            let mut chance = Chance(77);
            for peer in 0..170 {
                let from = (home(50), wire.port());
                let port = 1_100 + chance.below(60_000) as u16;
                wire.ignore(u64::from(peer) * 200_000, (from, (away(1 + peer), port)), 2);
            }
        }),
        innocent("a call looks for a path", |wire| {
            for turn in 0..160 {
                let to = (stranger(1 + turn % 8), 20_000 + turn % 32);
                wire.udp(
                    u64::from(turn) * 20_000,
                    ((home(50), 50_000 + turn % 3), to),
                    &[1; 100],
                );
            }
        }),
        innocent("a private network looks for its members", |wire| {
            for turn in 0..150u16 {
                let to = (IpAddr::from([10, 2, 60 + turn as u8 % 90, 2]), 41_641);
                wire.udp(u64::from(turn) * 20_000, ((away(9), 41_641), to), &[1; 90]);
            }
        }),
        innocent("a tag in one direction", |wire| {
            for round in 0..60 {
                for host in 0..4 {
                    let time = round * 2 * SECOND + u64::from(host) * 20_000;
                    let (client, server) = ((home(10), wire.port()), (away(20 + host), 80));
                    for (after, out, flags, numbers, payload) in [
                        (0, true, SYN, (1_000, 0), 0),
                        (2_000, false, SYN | ACK, (9_000, 1_001), 0),
                        (3_000, true, ACK, (1_001, 9_001), 0),
                        (4_000, true, PSH | ACK, (1_001, 9_001), 90),
                        (6_000, false, PSH | ACK, (9_001, 1_091), 300),
                        (7_000, true, FIN | ACK, (1_091, 9_301), 0),
                        (9_000, false, FIN | ACK, (9_301, 1_092), 0),
                    ] {
                        wire.tag = out.then_some(20);
                        let ends = if out {
                            (client, server)
                        } else {
                            (server, client)
                        };
                        wire.tcp(time + after, ends, flags, numbers, payload);
                    }
                }
            }
        }),
        innocent("names that are long by nature", |wire| {
            let mut chance = Chance(5);
            for turn in 0..90 {
                let letter =
                    |chance: &mut Chance| vec![1, b"0123456789abcdef"[chance.below(16) as usize]];
                let reverse: Vec<u8> = (0..32).flat_map(|_| letter(&mut chance)).collect();
                let service =
                    b"\x05_ldap\x04_tcp\x17Default-First-Site-Name\x06_sites\x02dc\x06_msdcs";
                let name = if turn % 2 == 0 {
                    &reverse[..]
                } else {
                    &service[..]
                };
                let question = [
                    &[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                    name,
                    b"\x07example\x03net\0\0\x0c\0\x01",
                ]
                .concat();
                let (client, server) = ((home(10), wire.port()), (home(53), 53));
                wire.udp(turn * 300_000, (client, server), &question);
                wire.udp(
                    turn * 300_000 + 9_000,
                    (server, client),
                    &[&question[..], &[0; 90]].concat(),
                );
            }
        }),
        innocent("a job logs in each minute", |wire| {
            let job = Talk {
                exchanges: 9,
                out: 420,
                back: 900,
                pause: 30_000,
                served_end: false,
            };
            (0..40).for_each(|turn| wire.talk(turn * 60 * SECOND, home(10), (away(20), 22), &job));
        }),
        innocent("mail is looked for each minute", |wire| {
            let poll = Talk {
                exchanges: 6,
                out: 18,
                back: 120,
                pause: 20_000,
                served_end: false,
            };
            (0..40)
                .for_each(|turn| wire.talk(turn * 60 * SECOND, home(10), (away(20), 143), &poll));
        }),
        innocent("a person mistypes a password", |wire| {
            (0..4).for_each(|turn| {
                wire.talk(turn * 9 * SECOND, away(30), (home(22), 22), &REFUSED_LOGIN)
            });
            let session = Talk {
                exchanges: 40,
                out: 90,
                back: 800,
                pause: 4 * SECOND,
                served_end: false,
            };
            wire.talk(60 * SECOND, away(30), (home(22), 22), &session);
            (0..4).for_each(|turn| {
                wire.talk(
                    (400 + turn * 9) * SECOND,
                    away(30),
                    (home(22), 22),
                    &REFUSED_LOGIN,
                )
            });
        }),
        innocent("connections that are kept", |wire| {
            for kept in 0..20 {
                let slow = Talk {
                    exchanges: 60,
                    out: 100,
                    back: 300,
                    pause: SECOND,
                    served_end: false,
                };
                wire.talk(kept * 10_000, home(61), (away(90), 443), &slow);
            }
        }),
        innocent("five services checked alike", |wire| {
            let check = Talk {
                exchanges: 2,
                out: 200,
                back: 300,
                pause: 20_000,
                served_end: false,
            };
            for round in 0..40 {
                (0..5).for_each(|host| {
                    wire.talk(
                        (round * 30 + u64::from(host)) * SECOND,
                        home(60),
                        (away(50 + host), 443),
                        &check,
                    )
                });
            }
        }),
    ]
    .into_iter()
}

const fn attack(
    name: &'static str,
    (class, decision, whom): (&'static str, &'static str, &'static str),
    write: fn(&mut Wire),
) -> Scene {
    Scene {
        name,
        class,
        decision,
        whom,
        write,
    }
}

/// Each of these is to be decided.
pub(crate) fn attacks() -> impl Iterator<Item = Scene> {
    let guess = ("brute-force", "block", "203.0.113.9");
    let scan = ("scan", "block", "203.0.113.9");
    [
        attack("a guess every twelve seconds", guess, |wire| {
            (0..20).for_each(|turn| {
                wire.talk(
                    turn * 12 * SECOND,
                    stranger(9),
                    (home(22), 22),
                    &REFUSED_LOGIN,
                )
            });
        }),
        attack(
            "a guess every hundred seconds after a visit",
            guess,
            |wire| {
                wire.talk(0, stranger(9), (home(22), 80), &PAGE);
                (0..20).for_each(|turn| {
                    wire.talk(
                        (20 + turn * 100) * SECOND,
                        stranger(9),
                        (home(22), 22),
                        &REFUSED_LOGIN,
                    )
                });
            },
        ),
        attack(
            "many guess, each slowly",
            ("brute-force", "alert", "192.0.2.22"),
            |wire| {
                for turn in 0..90 {
                    wire.talk(
                        turn * 20 * SECOND,
                        stranger(1 + turn as u16 % 15),
                        (home(22), 22),
                        &REFUSED_LOGIN,
                    );
                }
            },
        ),
        attack("a telephone exchange is guessed at", guess, |wire| {
            for turn in 0..60 {
                let (caller, exchange) = ((stranger(9), 5_070), (home(10), 5_060));
                wire.udp(turn * 700_000, (caller, exchange), &[82; 430]);
                wire.udp(turn * 700_000 + 20_000, (exchange, caller), &[52; 390]);
            }
        }),
        attack("refused ports after a visit", scan, |wire| {
            wire.talk(0, stranger(9), (home(22), 443), &PAGE);
            for port in 0..300 {
                let from = (stranger(9), wire.port());
                wire.refuse(
                    5 * SECOND + u64::from(port) * 30_000,
                    (from, (home(22), 1_000 + port)),
                );
            }
        }),
        attack(
            "somebody forges a visitor",
            ("scan", "review", "203.0.113.9"),
            |wire| {
                wire.talk(0, stranger(9), (home(22), 443), &PAGE);
                wire.ttl = 51;
                for port in 0..300 {
                    let from = (stranger(9), wire.port());
                    wire.refuse(
                        5 * SECOND + u64::from(port) * 30_000,
                        (from, (home(22), 1_000 + port)),
                    );
                }
            },
        ),
        attack(
            "a scan from where others converse",
            ("scan", "review", "203.0.113.9"),
            |wire| {
                for turn in 0..30 {
                    wire.talk(turn * 800_000, stranger(9), (home(22), 80), &PAGE);
                }
                for port in 0..100 {
                    let from = (stranger(9), wire.port());
                    wire.ignore(
                        9 * SECOND + u64::from(port) * 3_000,
                        (from, (home(22), 100 + port)),
                        1,
                    );
                }
            },
        ),
        attack("a sweep for a database", scan, |wire| {
            for host in 0..100 {
                let from = (stranger(9), wire.port());
                wire.ignore(
                    u64::from(host) * 60 * SECOND,
                    (from, (home(1 + host), 5_432)),
                    0,
                );
            }
        }),
        attack("a sweep for servers that amplify", scan, |wire| {
            for host in 0..100 {
                let from = (stranger(9), wire.port());
                wire.udp(
                    u64::from(host) * 150_000,
                    (from, (home(1 + host), 123)),
                    &[0x17; 48],
                );
            }
        }),
        attack(
            "a scan from as many addresses as it has probes",
            ("scan", "block", "2001:db8:7::/64"),
            |wire| {
                for turn in 0..200 {
                    let from = (address(7, 1 + turn), 40_000 + turn);
                    let to = (address(4, 1 + turn % 20), 22 + turn % 4);
                    wire.ignore(u64::from(turn) * 100_000, (from, to), 0);
                }
            },
        ),
        attack(
            "calls that vary by a third",
            ("c2", "alert", "203.0.113.44"),
            |wire| {
                let mut chance = Chance(9);
                let call = Talk {
                    exchanges: 3,
                    out: 120,
                    back: 90,
                    pause: 20_000,
                    served_end: false,
                };
                let mut time = 0;
                for _ in 0..40 {
                    wire.talk(time, home(70), (stranger(44), 8_443), &call);
                    time += 14 * SECOND + chance.below(12 * SECOND);
                }
            },
        ),
    ]
    .into_iter()
}
