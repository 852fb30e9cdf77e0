//! Who must not be blocked: kept current in the guard, the engine and the kernel's rules, and released where they are.
//! What makes somebody exempt is the guard's affair.

use ipnet::IpNet;

use super::{Blocklist, Notice, SENSOR};
use crate::clock::Moment;
use contract::address::shown;
use detection::policy::Guard;

impl Blocklist {
    /// Lets the guard, the engine and the kernel's rules know what is safe now.
    pub(super) fn revise_guard(&mut self, now: Moment) {
        self.know_guard();
        self.rewrite_allowed(now);
    }

    /// Lets the guard and the engine know what is safe now.
    pub(super) fn know_guard(&mut self) {
        let allowed = self.allowances.iter().map(|allowance| allowance.net);
        self.guard = Guard::new(&self.policy, self.local_network.clone()).allowing(allowed);
        let (policy, guard) = (Box::new(self.policy.clone()), Box::new(self.guard.clone()));
        self.notify(Notice::Revise(policy, guard));
    }

    /// Releases who has become exempt.
    pub(super) fn release_exempt(&mut self, now: Moment) {
        let safe = self.guard.networks();
        for net in &safe {
            self.lift_services(net, (SENSOR, "it is exempt now"), now);
        }
        let inside = safe.iter().flat_map(|net| self.active.within(net));
        let exempt: Vec<IpNet> = inside.collect();
        for target in exempt {
            if self
                .active
                .get(&target)
                .is_some_and(|held| held.block.forced)
            {
                continue;
            }
            if let Some(held) = self.active.strike(&target) {
                let why = self
                    .guard
                    .exemption(target)
                    .map_or_else(String::new, |why| why.to_string());
                self.audit(
                    (SENSOR, "blocks remove"),
                    &shown(target),
                    &format!("released: {why}"),
                );
                self.lift(held, (SENSOR, &why), now);
            }
        }
    }
}
