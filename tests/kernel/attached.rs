//! How the kernel meter comes to an interface and leaves it: dropped, killed, without its interface, without the right.
//! What it counts is tested elsewhere.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use sensor::capture::LiveSource;
use sensor::capture::kernel::{Hook, Kernel};
use settings::Config;

use super::frames::{Script, address};
use super::testbed::{Stage, bytes, listen, wan, watched};
use crate::garita;

/// Tells this test binary, started again by one of its tests, which part that run plays.
const PART: &str = "GARITA_TEST_PART";
/// What such a run says begins with this.
const SAYS: &str = "the child says: ";

#[test]
fn an_interface_that_vanishes_is_watched_again_when_it_comes_back() {
    let test = "kernel::attached::an_interface_that_vanishes_is_watched_again_when_it_comes_back";
    let Some(stage) = Stage::new(test) else {
        return;
    };
    let mut script = Script::at(0);
    script.converse((address(0, 1), address(1, 1)), (40_000, 80), 3);
    let frames = bytes(&script);
    for hook in [Hook::Tcx, Hook::Clsact] {
        stage.sensor.run(|| {
            let mut kernel =
                Kernel::attach(&watched(), &Config::default(), hook).expect("it opens");
            let before = if_nametoindex("wan").expect("the link is there");
            stage.send(&frames);
            let mut snapshots = Vec::new();
            let all = frames.len() as u64;
            listen(&mut kernel, &mut snapshots, |_, statistics| {
                wan(statistics).packets == all
            });
            stage.sensor.ip("link delete wan");
            let statistics = listen(&mut kernel, &mut snapshots, |_, statistics| {
                wan(statistics).missing.is_some()
            });
            let missing = wan(&statistics).missing.as_deref();
            assert_eq!(missing, Some("there is no interface wan now"));
            stage.connect();
            listen(&mut kernel, &mut snapshots, |_, statistics| {
                wan(statistics).missing.is_none()
            });
            stage.send(&frames);
            listen(&mut kernel, &mut snapshots, |_, statistics| {
                wan(statistics).packets == 2 * all
            });
            let after = if_nametoindex("wan").expect("the link is there");
            assert_ne!(before, after);
            assert_eq!(kernel.interface(before), kernel.interface(after));
        });
        assert_eq!(
            (stage.programs(), stage.filters()),
            (0, 0),
            "nothing stays attached"
        );
    }
}

#[test]
fn dropping_it_detaches_and_nothing_stays_after_a_kill() {
    let test = "dropping_it_detaches_and_nothing_stays_after_a_kill";
    if let Some(part) = played(test) {
        let hook = if part == "tcx" {
            Hook::Tcx
        } else {
            Hook::Clsact
        };
        let kernel = Kernel::attach(&watched(), &Config::default(), hook);
        return hold(kernel.expect("it opens"));
    }
    let Some(stage) = Stage::new(&format!("kernel::attached::{test}")) else {
        return;
    };
    for (hook, part, programs, filters) in
        [(Hook::Tcx, "tcx", 2, 0), (Hook::Clsact, "clsact", 0, 2)]
    {
        let attached = |stage: &Stage| (stage.programs(), stage.filters());
        let kernel = stage
            .sensor
            .run(|| Kernel::attach(&watched(), &Config::default(), hook).expect("it opens"));
        assert_eq!(attached(&stage), (programs, filters), "{hook:?}");
        stage.sensor.run(move || drop(kernel));
        assert_eq!(attached(&stage), (0, 0), "{hook:?}: detached");

        let (mut child, _) = play(stage.sensor.command("setpriv"), &[], (test, part));
        assert_eq!(
            attached(&stage),
            (programs, filters),
            "{hook:?}: the child's"
        );
        child.kill().expect("the child can be killed");
        child.wait().expect("the child ends");
        let left = attached(&stage);
        assert_eq!(left, (0, filters), "{hook:?}: after the kill");
        // The next start takes what a killed one left, whatever hook it uses itself.
        stage.sensor.run(|| {
            let kernel = Kernel::attach(&watched(), &Config::default(), Hook::Tcx);
            let _kernel = kernel.expect("it opens");
            assert_eq!(attached(&stage), (2, 0), "{hook:?}: the next start");
        });
        assert_eq!(attached(&stage), (0, 0), "{hook:?}: at the end");
        assert!(!stage.has_clsact(), "{hook:?}: the discipline is left");
    }
}

#[test]
fn a_withdrawal_takes_what_a_kill_left_and_nothing_of_anybody_elses() {
    let test = "a_withdrawal_takes_what_a_kill_left_and_nothing_of_anybody_elses";
    if played(test).is_some() {
        let kernel = Kernel::attach(&watched(), &Config::default(), Hook::Clsact);
        return hold(kernel.expect("it opens"));
    }
    let Some(stage) = Stage::new(&format!("kernel::attached::{test}")) else {
        return;
    };
    let leave = || {
        let (mut child, _) = play(stage.sensor.command("setpriv"), &[], (test, "clsact"));
        child.kill().expect("the child can be killed");
        child.wait().expect("the child ends");
        assert_eq!(stage.filters(), 2, "a killed run leaves filters");
    };
    let withdraw = || {
        let withdraw = garita::command(&["withdraw"]);
        let mut inside = stage
            .sensor
            .command(withdraw.get_program().to_str().expect("UTF-8"));
        let output = inside
            .args(withdraw.get_args())
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{output:?}");
        stage.filters()
    };
    leave();
    assert_eq!((withdraw(), stage.has_clsact()), (0, false));
    assert_eq!(withdraw(), 0, "once more takes nothing");

    leave();
    stage.tc("filter add dev wan egress protocol ip u32 match u32 0 0 classid 1:1");
    assert_eq!((withdraw(), stage.has_clsact()), (0, true));
    let shown = stage
        .sensor
        .command("tc")
        .args(["filter", "show", "dev", "wan", "egress"])
        .output();
    let shown = String::from_utf8(shown.expect("tc starts").stdout).expect("tc prints text");
    assert!(shown.contains("u32"), "another's filter is gone: {shown}");

    // A discipline that was there before stays also when it is empty.
    stage.tc("filter delete dev wan egress");
    stage.sensor.run(|| {
        let kernel = Kernel::attach(&watched(), &Config::default(), Hook::Clsact);
        drop(kernel.expect("it opens"));
    });
    assert_eq!((stage.filters(), stage.has_clsact()), (0, true));
}

#[test]
fn three_capabilities_are_enough_and_fewer_are_refused() {
    let test = "three_capabilities_are_enough_and_fewer_are_refused";
    if let Some(part) = played(test) {
        let opened = Kernel::open(&watched(), &Config::default());
        if part == "enough" {
            return hold(opened.expect("three capabilities are enough"));
        }
        let refused = opened.expect_err("it may not open");
        return println!("\n{SAYS}{refused}");
    }
    let Some(stage) = Stage::new(&format!("kernel::attached::{test}")) else {
        return;
    };
    let plain = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--no-new-privs",
    ];
    for (part, capabilities) in [
        ("enough", "+bpf,+perfmon,+net_admin"),
        ("fewer", "+perfmon,+net_admin"),
        ("fewer", "+bpf,+perfmon"),
    ] {
        let bounds = [
            format!("--inh-caps=-all,{capabilities}"),
            format!("--ambient-caps=-all,{capabilities}"),
        ];
        let arguments: Vec<&str> = plain
            .into_iter()
            .chain(bounds.iter().map(String::as_str))
            .collect();
        let (mut child, said) = play(stage.sensor.command("setpriv"), &arguments, (test, part));
        child.kill().expect("the child can be killed");
        child.wait().expect("the child ends");
        let needs =
            "the kernel meter needs the capabilities CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
        let expected = if part == "enough" { ATTACHED } else { needs };
        assert_eq!(said, expected, "{capabilities}");
    }
}

/// What a child says that holds a meter.
const ATTACHED: &str = "attached";

/// The part this run plays in `test`, if it is no ordinary one.
fn played(test: &str) -> Option<String> {
    let part = std::env::var(PART).ok()?;
    assert!(part.starts_with(test), "only {test} was asked for");
    Some(part[test.len() + 1..].to_owned())
}

/// Starts `test` again, by `command`, to play `part`, and waits for what it says.
fn play(mut command: Command, arguments: &[&str], (test, part): (&str, &str)) -> (Child, String) {
    let binary = std::env::current_exe().expect("a test knows where it lies");
    let mut child = command
        .args(arguments)
        .arg(binary)
        .args([
            "--exact",
            &format!("kernel::attached::{test}"),
            "--nocapture",
        ])
        .env(PART, format!("{test}:{part}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let out = child.stdout.take().expect("its output is piped");
    let lines = BufReader::new(out).lines().map_while(Result::ok);
    let said = lines
        .filter_map(|line| line.strip_prefix(SAYS).map(str::to_owned))
        .next();
    (child, said.expect("the child says something"))
}

/// Says that the meter is there, and listens until this process is killed.
fn hold(mut kernel: Kernel) {
    println!("\n{SAYS}{ATTACHED}");
    loop {
        kernel
            .listen(Duration::from_secs(1), &mut Vec::new())
            .expect("it listens");
    }
}
