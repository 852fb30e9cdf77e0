//! Who can never be blocked, by the command line or by the model: everybody the network cannot do without.

use std::fs;
use std::net::IpAddr;

use super::clients::{Talk, scan};
use super::daemon::{Meter, Post};
use super::testbed::{ATTACKER, CLIENT, GATEWAY, ROUTER, SERVER, attacker};

super::with_each_meter! {
    nobody_exempt_is_blocked_at_the_command_line
    nobody_exempt_is_blocked_by_the_model
    who_becomes_exempt_is_released
}

/// Of the forty attackers, those that the network cannot do without here.
const LISTED: u8 = 1;
const ALLOWED: u8 = 2;
const RESOLVER: u8 = 3;
const SESSION: u8 = 4;
const BROKER: u8 = 5;
const UNAUTHENTICATED: u8 = 6;

/// A post where an attacker is exempt by the configuration, another a name server, one the broker, and one logged in.
fn post(test: &str, meter: Meter) -> Option<Post> {
    let [listed, listed6] = attacker(LISTED);
    let [broker, _] = attacker(BROKER);
    let settings = format!(
        "policy.exempt = [\"{listed}\", \"{listed6}\"]\nreport.url = \"mqtt://{broker}:1883\""
    );
    let mut post = Post::new(test, meter, &settings)?;
    let [resolver, resolver6] = attacker(RESOLVER);
    let servers = format!("nameserver {resolver}\nnameserver {resolver6}\n");
    fs::write(post.path("resolv.conf"), servers).expect("the folder can be written");
    let sessions = post.path("sessions");
    fs::create_dir(&sessions).expect("the folder can be written");
    let [session, session6] = attacker(SESSION);
    let [greeted, _] = attacker(UNAUTHENTICATED);
    for (number, class, host) in [
        (1, "user", session),
        (2, "user", session6),
        (3, "greeter", greeted),
    ] {
        let text = format!(
            "UID=1000\nUSER=ana\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=tty\nCLASS={class}\nREMOTE_HOST={host}\n"
        );
        fs::write(sessions.join(number.to_string()), text).expect("the folder can be written");
    }
    let (servers, sessions) = (post.path("resolv.conf"), sessions.display().to_string());
    // Seen by the sensor alone: the mounts are in a namespace of its own.
    post.before("mount -t tmpfs tmpfs /run");
    post.before("mkdir -p /run/systemd/sessions");
    post.before(&format!("mount --bind {sessions} /run/systemd/sessions"));
    post.before("mkdir -p \"$(dirname \"$(readlink -m /etc/resolv.conf)\")\"");
    post.before("test -e /etc/resolv.conf || touch \"$(readlink -m /etc/resolv.conf)\"");
    post.before(&format!(
        "mount --bind {} /etc/resolv.conf",
        servers.display()
    ));
    Some(post)
}

/// Everybody who attacks and must not be blocked, and what is said about why.
fn protected() -> Vec<([IpAddr; 2], &'static str)> {
    vec![
        (attacker(LISTED), "policy.exempt"),
        (attacker(ALLOWED), "allow list"),
        (attacker(RESOLVER), "name server"),
        (attacker(SESSION), "logged in"),
        (ROUTER, "gateway"),
    ]
}

fn nobody_exempt_is_blocked_at_the_command_line(test: &str, meter: Meter) {
    let Some(post) = post(test, meter) else {
        return;
    };
    let mut sensor = post.start();
    for allowed in attacker(ALLOWED) {
        post.done(&format!("allow add {allowed} --reason monitoring"));
    }
    let mut refused: Vec<(String, &str)> = [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("224.0.0.5", "multicast"),
        ("ff02::5", "multicast"),
        ("169.254.7.7", "link-local"),
        ("fe80::7", "link-local"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.0/15", "wider"),
        ("2001:db0::/31", "wider"),
        // What holds somebody exempt is as safe as they are.
        ("203.0.113.0/24", ""),
        ("2001:db8:1::/64", ""),
    ]
    .map(|(target, why)| (target.to_owned(), why))
    .into();
    let hosts = protected().into_iter().chain([(GATEWAY, "our own")]);
    refused.extend(hosts.flat_map(|(both, why)| both.map(|address| (address.to_string(), why))));
    refused.push((attacker(BROKER)[0].to_string(), "broker"));
    for (target, why) in refused {
        let run = post.garita(&format!("blocks add {target}"));
        assert_eq!(run.code, 1, "{target}: {}{}", run.out, run.said);
        let sentence = run.said.to_lowercase();
        assert!(
            sentence.contains("cannot be blocked") && sentence.contains(why),
            "{target}: {sentence}"
        );
    }
    assert!(post.json("blocks list").is_empty());
    sensor.until_audited(ROUTER[0], "refused");
    // Nobody has logged in from here: asking for a password makes nobody exempt.
    post.done(&format!("blocks add {}", attacker(UNAUTHENTICATED)[0]));

    // Forced, it holds, though the kernel's rules protect everybody else who is exempt.
    let [listed, _] = attacker(LISTED);
    let talk = Talk::open(&post.stage.outside, listed, SERVER[0]);
    post.done(&format!("blocks add {listed} --force --ttl 10m"));
    talk.assert_stops();
    let block = post.block(listed).expect("it is on the list");
    assert_eq!(block["forced"], true, "{block}");
    sensor.until_audited(listed, "blocks add --force");
    post.done(&format!("blocks remove {listed}"));
    assert!(talk.flows(), "it is let in again");
    assert!(sensor.stop().success());
}

fn nobody_exempt_is_blocked_by_the_model(test: &str, meter: Meter) {
    let Some(post) = post(test, meter) else {
        return;
    };
    let mut sensor = post.start();
    for allowed in attacker(ALLOWED) {
        post.done(&format!("allow add {allowed}"));
    }
    let mut attacks = Vec::new();
    for (addresses, _) in protected() {
        for (attacker, victim) in addresses.into_iter().zip(SERVER) {
            attacks.push(post.stage.outside.run(|| scan(attacker, victim, 100..400)));
        }
    }
    // Who is not exempt is blocked beside them, one whose session has asked for a password only among them.
    for number in [UNAUTHENTICATED, UNAUTHENTICATED + 1] {
        let attacker = attacker(number)[0];
        attacks.push(
            post.stage
                .outside
                .run(|| scan(attacker, SERVER[0], 100..400)),
        );
        sensor.until_blocked(attacker);
    }
    for (addresses, _) in protected() {
        for attacker in addresses {
            let review = sensor.until_reviewed(attacker);
            assert_eq!(review["class"], "scan", "{review}");
            assert!(post.block(attacker).is_none(), "{attacker}");
            let approved = post.garita(&format!(
                "review approve {}",
                review["id"].as_str().expect("an id")
            ));
            assert_eq!(
                approved.code, 1,
                "nor can a person approve it: {}",
                approved.out
            );
        }
    }
    // The inside is reviewed, too, and a person may have it blocked.
    let inside = post
        .stage
        .server
        .run(|| scan(SERVER[0], CLIENT[0], 100..400));
    let review = sensor.until_reviewed(SERVER[0]);
    post.done(&format!(
        "review approve {}",
        review["id"].as_str().expect("an id")
    ));
    sensor.until_blocked(SERVER[0]);
    drop((attacks, inside));
}

fn who_becomes_exempt_is_released(test: &str, meter: Meter) {
    let Some(post) = post(test, meter) else {
        return;
    };
    let mut sensor = post.start();
    let [own, allowed, logged_in] = [10, 11, 12].map(|number| attacker(number)[0]);
    for address in [own, allowed, logged_in, ATTACKER[0]] {
        post.done(&format!("blocks add {address}"));
    }
    post.stage.gateway.address("lan", &format!("{own}/32"));
    let text = format!(
        "UID=1\nUSER=ana\nACTIVE=1\nSTATE=active\nREMOTE=1\nCLASS=user\nREMOTE_HOST={logged_in}\n"
    );
    fs::write(post.path("sessions").join("9"), text).expect("the folder can be written");
    post.done(&format!("allow add {allowed} --ttl 1h"));
    for address in [own, allowed, logged_in] {
        let free =
            || (!post.stage.is_blocked(address) && post.block(address).is_none()).then_some(());
        sensor.until(&format!("{address} is released"), free);
        let run = post.garita(&format!("blocks add {address}"));
        assert_eq!(run.code, 1, "{address}: {}", run.out);
    }
    assert!(post.stage.is_blocked(ATTACKER[0]), "the others stay");
}
