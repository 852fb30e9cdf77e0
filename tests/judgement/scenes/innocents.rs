//! Scenes of everyday traffic that has been taken for an attack.

use std::net::IpAddr;

use super::wire::{REFUSED_LOGIN, Talk, Wire, away, home, stranger};
use super::{SECOND, Scene, UDP};
use crate::kernel::frames::{ACK, Chance, FIN, PSH, RST, SYN, icmp, ip, udp};

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
                wire.tcp(time, (server, client), (FIN | ACK, (9_000, 1), 0));
                wire.tcp(time + 1_000, (client, server), (FIN | ACK, (1, 9_001), 0));
                wire.tcp(time + 9_000, (server, client), (ACK, (9_001, 2), 0));
            }
        }),
        innocent("answers without their questions", |wire| {
            for turn in 0..90 {
                let time = u64::from(turn) * SECOND / 3;
                let victim = (away(80 + turn % 3), 80);
                let named = (home(1 + turn), 2_000 + 7 * turn);
                let flags = if turn % 3 == 0 { RST | ACK } else { SYN | ACK };
                wire.tcp(time, (victim, named), (flags, (5, 6), 0));
            }
        }),
        innocent("conversations joined in the middle", |wire| {
            for turn in 0..240 {
                let client = (home(1 + turn % 90), 40_000 + turn);
                let server = (away(1 + turn % 20), 443);
                for step in 0..5 {
                    let time = u64::from(turn) * 20_000 + u64::from(step) * 2 * SECOND;
                    let (ours, theirs) = (100 + 50 * step, 900 + 500 * step);
                    wire.tcp(time, (client, server), (PSH | ACK, (ours, theirs), 50));
                    wire.tcp(
                        time + 9_000,
                        (server, client),
                        (PSH | ACK, (theirs, ours + 50), 500),
                    );
                }
            }
        }),
        innocent("a traceroute", |wire| {
            for hop in 0..14 {
                let time = u64::from(hop) * 4_000;
                let probe = udp((42_000, 33_435 + hop), &[0; 12]);
                let ends = (home(10), away(20));
                wire.put(time, ends, (UDP, &probe));
                let (router, kind) = if hop < 10 {
                    (stranger(1 + hop), (11, 0))
                } else {
                    (away(20), (3, 3))
                };
                let quoted = ip(ends, UDP, &probe);
                wire.put(
                    time + 700,
                    (router, home(10)),
                    (1, &icmp(kind, [0; 4], &quoted)),
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
                        wire.talk(time, (home(10), (away(20 + host as u16), port)), &check);
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
                        wire.tcp(time + after, ends, (flags, numbers, payload));
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
            (0..40)
                .for_each(|turn| wire.talk(turn * 60 * SECOND, (home(10), (away(20), 22)), &job));
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
                .for_each(|turn| wire.talk(turn * 60 * SECOND, (home(10), (away(20), 143)), &poll));
        }),
        innocent("a person mistypes a password", |wire| {
            (0..4).for_each(|turn| {
                wire.talk(
                    turn * 9 * SECOND,
                    (away(30), (home(22), 22)),
                    &REFUSED_LOGIN,
                )
            });
            let session = Talk {
                exchanges: 40,
                out: 90,
                back: 800,
                pause: 4 * SECOND,
                served_end: false,
            };
            wire.talk(60 * SECOND, (away(30), (home(22), 22)), &session);
            (0..4).for_each(|turn| {
                wire.talk(
                    (400 + turn * 9) * SECOND,
                    (away(30), (home(22), 22)),
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
                wire.talk(kept * 10_000, (home(61), (away(90), 443)), &slow);
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
                        (home(60), (away(50 + host), 443)),
                        &check,
                    )
                });
            }
        }),
    ]
    .into_iter()
}
