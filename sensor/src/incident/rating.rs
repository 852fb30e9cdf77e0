//! How bad an incident is, in the two numbers that ECS has for it.
//! They sort a list; nothing is decided by them.

use contract::class::Class;
use detection::policy::{Cause, Decision};

/// The log-odds at which half of the possible risk is reached; a block needs about twice as much.
const HALF_RISK: f64 = 4.0;

/// 1 (low) to 4 (critical): what the attack would lead to, and one more where it comes from inside.
pub(super) fn severity(class: Class, decision: &Decision) -> u8 {
    let severity = match class {
        Class::Benign => 1,
        Class::Scan => 2,
        Class::BruteForce | Class::Flood | Class::SlowDos | Class::Tunnel => 3,
        Class::Ddos | Class::C2 | Class::Exploit => 4,
    };
    let inside = matches!(decision, Decision::Review(Cause::Home));
    (severity + u8::from(inside)).min(4)
}

/// 0 to 100: the severity, as far as the evidence makes it certain.
pub(super) fn risk(severity: u8, log_odds: f64) -> u8 {
    let certainty = 1.0 - (-log_odds.max(0.0) / HALF_RISK).exp2();
    (25.0 * f64::from(severity) * certainty).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risk_grows_with_evidence_and_severity_and_stays_a_percentage() {
        assert_eq!(risk(4, 0.0), 0);
        assert_eq!(risk(4, 8.0), 75);
        assert_eq!(risk(2, 8.0), 38);
        assert_eq!(risk(4, 1e9), 100);
        assert_eq!(risk(4, f64::NAN), 0);
        assert_eq!(risk(4, -3.0), 0);
    }

    #[test]
    fn an_attacker_inside_is_worse_than_one_outside() {
        let inside = Decision::Review(Cause::Home);
        assert_eq!(severity(Class::Scan, &Decision::Alert), 2);
        assert_eq!(severity(Class::Scan, &inside), 3);
        assert_eq!(severity(Class::C2, &inside), 4);
    }
}
