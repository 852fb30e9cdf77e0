//! A forger who knows every rule: it writes everybody's name on every kind of packet, arriving as theirs do, at every rate.
//! No conversation is interrupted for any time, whoever scans or guesses beside it is stopped as fast, and nobody is asked
//! about one thing twice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::attack::attempts;
use super::clients::scan;
use super::conversations::{Conversation, Figures, answer, echo};
use super::daemon::{Meter, Post};
use super::forged::{Forger, Kind};
use super::sensor::Sensor;
use super::testbed::{ATTACKER, ECHO, GATEWAY, ROUTER, SERVER, attacker, send_from};
use super::tools::{hydra, nmap};

super::with_each_meter! {
    no_conversation_is_interrupted_and_who_attacks_beside_is_stopped_as_fast
    forged_names_are_told_once_and_use_up_nobody_elses_share
    good_users_of_a_shared_address_go_on_beside_a_scan_and_a_search
}

const SITE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 21);
const UPSTREAM: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 22);
const CLOCK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);
const ADMIN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 24);
const VISITOR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 25);

/// What arrives from beyond the outside has passed one router.
const TTL: u8 = 63;
/// Questions of a conversation for which the forger goes on after the attackers beside it were stopped: seven seconds.
const ROUNDS: u32 = 140;
/// Questions after which it is known that somebody converses: two seconds.
const KNOWN: u32 = 40;
/// The longest an answer may take: TCP repeats what is lost after 200 ms, and the machine may be busy for as long.
const PROMPT: Duration = Duration::from_millis(900);

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => panic!("{address} is of IPv6"),
    }
}

/// Everybody's conversations, through the gateway and with it.
fn conversations(post: &Post) -> Vec<Conversation> {
    let stage = &post.stage;
    for address in [SITE, PEER, UPSTREAM, CLOCK, ADMIN, VISITOR] {
        stage.clients.address("net", &format!("{address}/24"));
    }
    let at = |address: Ipv4Addr, port| SocketAddr::new(address.into(), port);
    echo(&stage.clients, at(SITE, ECHO));
    echo(&stage.gateway, SocketAddr::new(GATEWAY[0], ECHO));
    for (address, port) in [(PEER, 51_820), (UPSTREAM, 53), (CLOCK, 123)] {
        answer(&stage.clients, at(address, port));
    }
    answer(&stage.gateway, SocketAddr::new(GATEWAY[0], 4_500));
    let gateway = |port| (&stage.gateway, SocketAddr::new(GATEWAY[0], port));
    vec![
        Conversation::talk("a site in use", (&stage.server, SERVER[0]), at(SITE, ECHO)),
        Conversation::exchange("a tunnel of the gateway", gateway(51_820), at(PEER, 51_820)),
        Conversation::exchange(
            "a tunnel to the gateway",
            (&stage.clients, at(PEER, 4_500)),
            SocketAddr::new(GATEWAY[0], 4_500),
        ),
        Conversation::questions(
            "a stub's upstream",
            (&stage.gateway, GATEWAY[0]),
            at(UPSTREAM, 53),
        ),
        Conversation::exchange("a clock", gateway(123), at(CLOCK, 123)),
        Conversation::talk(
            "an administrator",
            (&stage.clients, ADMIN.into()),
            SocketAddr::new(GATEWAY[0], ECHO),
        ),
        Conversation::pages("a visitor", (&stage.clients, VISITOR.into()), SERVER[0]),
    ]
}

/// Writes these names on every kind of packet, `rate` a second, until it is told to stop; returns how many.
fn forge(post: &Post, names: &[Ipv4Addr], rate: u32, over: &AtomicBool) -> u32 {
    post.stage.outside.run(|| {
        let forger = Forger::new();
        let begun = Instant::now();
        let mut sent = 0_u32;
        while !over.load(Ordering::Relaxed) {
            // All that is due, so that a busy machine sends no less.
            let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u32 + 1;
            for number in sent..due {
                let kinds = Kind::ALL.len() as u32;
                let name = names[(number / kinds) as usize % names.len()];
                let kind = Kind::ALL[(number % kinds) as usize];
                // One victim after the other, each asked at ever new ports.
                let victims = [v4(SERVER[0]), v4(GATEWAY[0])];
                let victim = victims[(number / 64) as usize % 2];
                let port = 1_000 + (number / kinds / names.len() as u32 % 30_000) as u16;
                forger.send(kind, (name, victim), (port, TTL));
            }
            sent = due;
            thread::park_timeout(Duration::from_millis(1).max(Duration::from_secs(1) / (4 * rate)));
        }
        sent
    })
}

/// How long a scan and a search from addresses of their own last until they are stopped, and how many passwords the search
/// has tried.
fn stopped(post: &Post, sensor: &mut Sensor, number: u8) -> (Duration, Duration, IpAddr) {
    let scanner = attacker(number)[0];
    let begun = Instant::now();
    let _scan = post
        .stage
        .outside
        .run(|| scan(scanner, SERVER[0], 100..400));
    sensor.until_blocked(scanner);
    let scanned = begun.elapsed();
    let searcher = attacker(number + 1);
    send_from(&post.stage.outside, searcher);
    let begun = Instant::now();
    let _search = hydra(post, SERVER[0]);
    sensor.until_blocked(searcher[0]);
    let searched = begun.elapsed();
    send_from(&post.stage.outside, ATTACKER);
    (scanned, searched, searcher[0])
}

fn assert_uninterrupted(test: &str, all: Vec<Figures>) {
    for figures in &all {
        println!(
            "{test}: {}: {} asked, {} lost, at most {:.0?}",
            figures.name, figures.asked, figures.lost, figures.longest
        );
    }
    for figures in all {
        assert_eq!(figures.lost, 0, "{figures:?}");
        assert!(figures.longest < PROMPT, "{figures:?}");
        assert!(figures.asked > 20, "{figures:?}");
    }
}

/// Ends the forgers when it is dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn no_conversation_is_interrupted_and_who_attacks_beside_is_stopped_as_fast(
    test: &str,
    meter: Meter,
) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let sshd = post.stage.sshd(&post.stage.server);
    let mut sensor = post.start();
    let all = conversations(&post);
    let quiet = stopped(&post, &mut sensor, 0);

    let names = [
        SITE,
        PEER,
        UPSTREAM,
        CLOCK,
        ADMIN,
        VISITOR,
        v4(ROUTER[0]),
        v4(SERVER[0]),
    ];
    let over = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        // The scope waits for them, whatever fails meanwhile.
        let end = Ends(&over);
        let forgers = [
            scope.spawn(|| forge(&post, &names, 1_000, &over)),
            scope.spawn(|| forge(&post, &[PEER], 10, &over)),
            scope.spawn(|| forge(&post, &[SITE], 1, &over)),
        ];
        let begun = Instant::now();
        // Decoys as the tool of everybody makes them.
        let decoys = format!("{SITE},{PEER},{UPSTREAM},{CLOCK},{ADMIN},{VISITOR},ME");
        let scanner = attacker(9)[0];
        let decoys = format!(
            "-n -Pn -sS -S {scanner} -e wan -D {decoys} -p 1-3000 {}",
            SERVER[0]
        );
        let _decoys = nmap(&post, &decoys);
        sensor.until_blocked(scanner);
        // It is taken for the attacker it looks like, and that must not matter.
        for name in [SITE, UPSTREAM, CLOCK] {
            sensor.until_blocked(name.into());
        }
        let beside = stopped(&post, &mut sensor, 2);
        all[0].go_on(ROUNDS);
        drop(end);
        let sent = forgers.map(|forger| forger.join().expect("it forges to the end"));
        println!("{test}: {sent:?} packets forged in {:.1?}", begun.elapsed());
        beside
    });
    let figures = all.into_iter().map(Conversation::end).collect();
    assert_uninterrupted(test, figures);
    let tried = [&quiet, &beside].map(|(.., searcher)| attempts(sshd.said(), (*searcher, 0)));
    println!(
        "{test}: without the forger, a scan was stopped after {:.2?}, a search after {:.2?} and {} attempts",
        quiet.0, quiet.1, tried[0]
    );
    println!(
        "{test}: beside the forger,   a scan was stopped after {:.2?}, a search after {:.2?} and {} attempts",
        beside.0, beside.1, tried[1]
    );
    assert!(tried[1] <= 10, "{} attempts", tried[1]);
    assert!(
        beside.0 < 3 * quiet.0 + Duration::from_secs(2),
        "{beside:?}"
    );
    assert!(
        beside.1 < 3 * quiet.1 + Duration::from_secs(2),
        "{beside:?}"
    );
    // Who converses is known to have been named, is asked about once at the most, and never kept out whole.
    let known = post.json(&format!("explain {VISITOR}")).remove(0);
    let told = known["incidents"].as_array().map(Vec::len);
    assert_ne!((told, &known["history"]), (Some(0), &serde_json::json!([])));
    for name in [ADMIN, VISITOR] {
        let reviews = post.json("review list").into_iter();
        let about = reviews.filter(|review| review["address"] == name.to_string());
        assert!(about.count() <= 1, "{name}");
        let whole = post.block(name).filter(|block| block["scope"] == "all");
        assert_eq!(whole, None);
    }
    assert_eq!(sensor.process.said().count("block-ineffective"), 0);
}

fn forged_names_are_told_once_and_use_up_nobody_elses_share(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    // Twelve thousand segments in a thousand names, far more than a minute's share of one victim.
    let victim = v4(SERVER[0]);
    post.stage.outside.run(|| {
        let forger = Forger::new();
        for number in 0..12_000_u16 {
            let name = Ipv4Addr::from(0xc612_0000 + u32::from(number / 12));
            forger.send(Kind::Syn, (name, victim), (1_000 + number % 12, 40));
            if number % 24 == 0 {
                thread::park_timeout(Duration::from_millis(4));
            }
        }
    });
    let scanner = attacker(0)[0];
    let begun = Instant::now();
    let _scan = post
        .stage
        .outside
        .run(|| scan(scanner, SERVER[0], 100..400));
    sensor.until_blocked(scanner);
    println!(
        "{test}: a scan is stopped {:.2?} after its start",
        begun.elapsed()
    );
    let crowd = sensor.until("the crowd is told", || {
        let incidents = post.json(&format!("incidents list {victim} --class scan"));
        (!incidents.is_empty()).then_some(incidents)
    });
    let [crowd] = &crowd[..] else {
        panic!("one incident of the crowd: {crowd:?}");
    };
    let message = crowd["message"].as_str().expect("a message");
    assert!(message.contains("that may be forged"), "{message}");
    assert_eq!(crowd["garita"]["decision"], "alert", "{crowd}");
    let alone = post.json("incidents list --limit 500").len();
    let reviews = post.json("review list").len();
    println!("{test}: {alone} incidents and {reviews} reviews; {message}");
    assert!(
        alone <= 60 && reviews <= 30,
        "{alone} incidents, {reviews} reviews"
    );
}

fn good_users_of_a_shared_address_go_on_beside_a_scan_and_a_search(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let sshd = post.stage.sshd(&post.stage.server);
    let mut sensor = post.start();
    // Everybody is behind this address.
    let shared = ATTACKER[0];
    let outside = (&post.stage.outside, shared);
    let pages = Conversation::pages("a page", outside, SERVER[0]);
    let talk = Conversation::talk("a connection", outside, SocketAddr::new(SERVER[0], ECHO));
    let names = Conversation::questions("a name", outside, SocketAddr::new(SERVER[0], 53));
    // Until it is known that others converse from there.
    talk.go_on(KNOWN);
    let kept_from = |post: &Post| {
        let blocks = post.json("blocks list").into_iter();
        let of = blocks.filter(|block| block["target"] == format!("{shared}/32"));
        of.map(|block| block["service"]["port"].clone())
            .collect::<Vec<_>>()
    };
    let search = hydra(&post, SERVER[0]);
    sensor.until("its search is stopped", || {
        kept_from(&post).contains(&22.into()).then_some(())
    });
    let tried = attempts(sshd.said(), (shared, 0));
    println!("{test}: {tried} attempts from the shared address");
    // Eight connections at once, each with as many tries as the server allows: what is judged is how they end.
    assert!(tried <= 48, "{tried} attempts");
    drop(search);
    let _scan = post.stage.outside.run(|| scan(shared, SERVER[0], 100..400));
    sensor.until("its scan is stopped", || {
        kept_from(&post)
            .contains(&serde_json::Value::Null)
            .then_some(())
    });
    assert!(!post.stage.is_blocked(shared), "all of it is blocked");
    let figures = [pages, talk, names].map(Conversation::end).to_vec();
    assert_uninterrupted(test, figures);
    let why = post.done(&format!("explain {shared}"));
    assert!(why.contains("tcp port 22 of 192.0.2.10"), "{why}");
    // It is known again after a restart, and undone by one command.
    assert!(sensor.stop().success());
    let _sensor = post.start();
    assert!(
        kept_from(&post).contains(&22.into()),
        "{:?}",
        kept_from(&post)
    );
    let set = post.stage.nft("list set inet garita blocked4_port");
    assert!(set.is_some_and(|set| set.contains("192.0.2.10 . tcp . 22")));
    post.done(&format!("blocks remove {shared}"));
    assert_eq!(kept_from(&post).len(), 0);
}
