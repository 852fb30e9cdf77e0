//! Blocks by hand that undo themselves, and networks that are blocked whole.

use super::clients::Talk;
use super::daemon::{Meter, Post};
use super::testbed::{CLIENT, SERVER, attacker};
use super::tools::hydra;

super::with_each_meter! {
    a_block_undoes_itself_unless_it_is_confirmed
    enough_proven_offenders_of_a_subnet_are_blocked_with_it
}

fn a_block_undoes_itself_unless_it_is_confirmed(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    // An administrator cuts the branch they sit on: in two seconds they are back.
    let talk = Talk::open(&post.stage.clients, CLIENT[0], SERVER[0]);
    let said = post.done("blocks add 198.51.100.0/24 --confirm 3s --reason lockout");
    assert!(
        said.contains("garita blocks confirm 198.51.100.0/24"),
        "{said}"
    );
    talk.assert_stops();
    let gone = || post.block("198.51.100.0/24").is_none().then_some(());
    sensor.until("it undoes itself", gone);
    assert!(talk.flows(), "the administrator is back");
    let late = post.garita("blocks confirm 198.51.100.0/24");
    assert_eq!(late.code, 1, "{}", late.out);

    let attacker = attacker(0)[0];
    post.done(&format!("blocks add {attacker} --confirm 2s --ttl 1h"));
    post.done(&format!("blocks confirm {attacker}"));
    let mark = sensor.told();
    post.done("blocks add 198.51.100.99 --confirm 2s");
    let gone = || post.block("198.51.100.99").is_none().then_some(());
    sensor.until("the one added later undoes itself", gone);
    sensor.until_told("WATCHDOG=1", mark);
    assert!(post.stage.is_blocked(attacker), "what is confirmed stands");
    let block = post.block(attacker).expect("it is on the list");
    assert!(block["confirm_by"].is_null(), "{block}");
}

fn enough_proven_offenders_of_a_subnet_are_blocked_with_it(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    // A subnet of its own for them: that of the outside holds the gateway's way out, and is safe.
    for last in 1..=6 {
        post.stage
            .outside
            .address("net", &format!("2001:db8:5::{last}/128"));
    }
    post.stage
        .gateway
        .ip("-6 route add 2001:db8:5::/64 via 2001:db8:1::fe");
    let mut sensor = post.start();
    let _sshd = post.stage.sshd(&post.stage.server);
    let is_whole = || post.block("2001:db8:5::/64");
    for last in 1..=6 {
        let attacker = format!("2001:db8:5::{last}").parse().expect("an address");
        // A search for passwords needs answers, which proves that the address is its own.
        let from = format!("-6 route replace 2001:db8:2::/64 via 2001:db8:1::1 src {attacker}");
        post.stage.outside.ip(&from);
        let search = hydra(&post, SERVER[1]);
        let found = || (post.stage.is_blocked(attacker) || is_whole().is_some()).then_some(());
        sensor.until(&format!("{attacker} is blocked"), found);
        drop(search);
        if is_whole().is_some() {
            assert!(last >= 4, "only {last} have offended");
            break;
        }
    }
    let block = is_whole().expect("their subnet is blocked");
    assert_eq!(block["origin"], "detection", "{block}");
    let set = post
        .stage
        .nft("list set inet garita blocked6_net")
        .expect("it is there");
    assert!(set.contains("2001:db8:5::/64"), "{set}");
    let why = post.done("explain 2001:db8:5::77");
    assert!(why.contains("2001:db8:5::/64, which contains it"), "{why}");
}
