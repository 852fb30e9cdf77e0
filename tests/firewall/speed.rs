//! How long the kernel takes: one block, and a hundred thousand.
//! Figures are printed; only the promises are demanded.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use sensor::firewall::{DesiredState, Firewall, Host, Nftables};

use super::verifier;

const MANY: u32 = 100_000;

/// Wall time, and the thread's share of a busy machine's processors.
struct Timer(Instant, Duration);

impl Timer {
    fn start() -> Self {
        Self(Instant::now(), processor())
    }

    /// Prints both; returns the processor's time.
    fn stop(self, what: &str) -> Duration {
        let spent = processor() - self.1;
        println!("{what}: {:?}, {spent:?} of a processor", self.0.elapsed());
        spent
    }
}

fn processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

fn crowd() -> Vec<Host> {
    // From 198.18.0.0/15, which is set aside for benchmarks (RFC 2544), and from the documentation prefix.
    (0..MANY)
        .map(|number| Host {
            address: if number % 4 == 0 {
                Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(number)).into()
            } else {
                Ipv4Addr::from(0xc612_0000 + number).into()
            },
            left: (number % 10 != 0).then(|| Duration::from_secs(3_600 + u64::from(number))),
            scope: contract::record::Scope::All,
        })
        .collect()
}

#[test]
fn one_block_takes_less_than_a_millisecond() {
    let test = "firewall::speed::one_block_takes_less_than_a_millisecond";
    let Some((_namespace, mut firewall)) = verifier(test) else {
        return;
    };
    for (what, filling) in [("an empty set", &[][..]), ("100,000 hosts", &crowd()[..])] {
        firewall.block(filling).unwrap();
        let mut taken: Vec<Duration> = (0..2_000_u32)
            .map(|number| {
                let one = Host {
                    address: Ipv4Addr::from(0xc000_0200 + number % 256).into(),
                    left: Some(Duration::from_secs(600)),
                    scope: contract::record::Scope::All,
                };
                let started = Instant::now();
                firewall.block(&[one]).unwrap();
                started.elapsed()
            })
            .collect();
        taken.sort();
        let (median, worst) = (taken[1_000], taken[1_980]);
        println!("one block into {what}: p50 {median:?}, p99 {worst:?}");
        assert!(median < Duration::from_millis(1), "{what}: {median:?}");
    }
}

#[test]
fn a_hundred_thousand_hosts_stand_are_adopted_and_rebuilt() {
    let test = "firewall::speed::a_hundred_thousand_hosts_stand_are_adopted_and_rebuilt";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let crowd = crowd();
    let desired = DesiredState {
        hosts: crowd.clone(),
        ..DesiredState::default()
    };
    let count = |firewall: &mut Nftables| firewall.elements().unwrap().len();

    let timer = Timer::start();
    firewall.block(&crowd).unwrap();
    timer.stop("blocking 100,000 hosts");
    let timer = Timer::start();
    assert_eq!(count(&mut firewall), MANY as usize);
    timer.stop("listing them");
    let timer = Timer::start();
    firewall.block(&crowd).unwrap();
    timer.stop("renewing them");
    let timer = Timer::start();
    assert_eq!(firewall.verify().unwrap(), None);
    let verifying = timer.stop("verifying the table that holds them");
    assert!(verifying < Duration::from_millis(10), "{verifying:?}");

    drop(firewall);
    let mut next = namespace.run(Nftables::open).unwrap();
    let timer = Timer::start();
    assert_eq!(next.install(&desired).unwrap(), []);
    timer.stop("installing them where they stand");
    let timer = Timer::start();
    assert_eq!(
        next.install(&DesiredState::default()).unwrap().len(),
        MANY as usize
    );
    timer.stop("adopting them");

    super::nft(&namespace, "flush ruleset");
    let timer = Timer::start();
    assert_eq!(next.install(&desired).unwrap(), []);
    timer.stop("installing them after `flush ruleset`");
    assert_eq!(count(&mut next), MANY as usize);
    super::nft(&namespace, "flush chain inet garita prerouting");
    let timer = Timer::start();
    assert_eq!(
        next.install(&DesiredState::default()).unwrap().len(),
        MANY as usize
    );
    timer.stop("rebuilding the table with them");
    assert_eq!(
        (count(&mut next), next.verify().unwrap()),
        (MANY as usize, None)
    );

    let addresses: Vec<_> = crowd.iter().map(|host| host.address).collect();
    let timer = Timer::start();
    next.release(&addresses).unwrap();
    timer.stop("releasing them");
    assert_eq!(count(&mut next), 0);
}
