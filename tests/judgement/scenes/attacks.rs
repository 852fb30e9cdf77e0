//! Scenes of attacks that have been stepped around with.

use super::wire::{PAGE, REFUSED_LOGIN, Talk, Wire, home, stranger};
use super::{SECOND, Scene};
use crate::kernel::frames::{Chance, address};

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
                    (stranger(9), (home(22), 22)),
                    &REFUSED_LOGIN,
                )
            });
        }),
        attack(
            "a guess every hundred seconds after a visit",
            guess,
            |wire| {
                wire.talk(0, (stranger(9), (home(22), 80)), &PAGE);
                (0..20).for_each(|turn| {
                    wire.talk(
                        (20 + turn * 100) * SECOND,
                        (stranger(9), (home(22), 22)),
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
                        (stranger(1 + turn as u16 % 15), (home(22), 22)),
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
            wire.talk(0, (stranger(9), (home(22), 443)), &PAGE);
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
                wire.talk(0, (stranger(9), (home(22), 443)), &PAGE);
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
            ("scan", "block", "203.0.113.9"),
            |wire| {
                for turn in 0..30 {
                    wire.talk(turn * 800_000, (stranger(9), (home(22), 80)), &PAGE);
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
                    wire.talk(time, (home(70), (stranger(44), 8_443)), &call);
                    time += 14 * SECOND + chance.below(12 * SECOND);
                }
            },
        ),
    ]
    .into_iter()
}
