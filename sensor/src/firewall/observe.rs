//! The firewall that is only shown: every block is taken, and nothing is touched.
//! It must not open a socket, so that it works without any privilege.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Counter, DesiredState, Element, Firewall, FirewallError, Host, ServiceElement};
use detection::policy::Outcome;

/// Touches nothing: every block is only shown.
#[derive(Debug, Default)]
pub struct Observe;

impl Firewall for Observe {
    fn install(&mut self, _: &DesiredState) -> Result<Vec<Element>, FirewallError> {
        Ok(Vec::new())
    }

    fn block(&mut self, _: &[Host]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn release(&mut self, _: &[IpAddr]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn block_prefixes(&mut self, _: &[Element]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn block_services(&mut self, _: &[ServiceElement]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn allow(&mut self, _: &[IpNet]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn elements(&mut self) -> Result<Vec<Element>, FirewallError> {
        Ok(Vec::new())
    }

    fn counters(&mut self) -> Result<Vec<Counter>, FirewallError> {
        Ok(Vec::new())
    }

    fn verify(&mut self) -> Result<Option<String>, FirewallError> {
        Ok(None)
    }

    fn remove(&mut self) -> Result<(), FirewallError> {
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        Outcome::Observed
    }
}
