//! The golden cases that are recorded: who does what, one function a case.
//! Sizes matter here: each capture must stay small enough to commit.

mod attack;
mod benign;

use super::scenario::Scenario;
use super::topology::{Host, Role};

/// The server every scenario turns around.
pub(crate) const SERVER: Host = Host::new(Role::Server, 1);

/// A benign host outside.
pub(crate) const fn client(number: u8) -> Host {
    Host::new(Role::Client, number)
}

/// A hostile host outside.
pub(crate) const fn attacker(number: u8) -> Host {
    Host::new(Role::Attacker, number)
}

/// Every case, in the order they are listed.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        attack::nmap_and_ssh(),
        attack::nmap_ipv6(),
        attack::nmap_udp(),
        attack::ssh_brute_force_slow(),
        attack::ftp_brute_force(),
        attack::http_brute_force(),
        attack::syn_flood_one_source(),
        attack::syn_flood_forged(),
        attack::udp_flood(),
        attack::slowloris(),
        benign::http_page_loads(),
        benign::services_down(),
        benign::monitoring_probes(),
        benign::busy_resolver(),
        benign::ssh_users(),
        benign::nat_many_users(),
        attack::vlan(),
        benign::mqtt_devices(),
        attack::beacon(),
        attack::dns_tunnel(),
    ]
}
