//! The switch of enforcement: off at once, on with everything that still stands, and remembered over a restart.
//! Whether anything is enforced at all is the configuration's affair.

use std::time::Duration;

use super::active::NEVER;
use super::recovery::SWITCH;
use super::{Blocklist, SENSOR, Switch, after};
use crate::action::{Done, Refusal};
use crate::clock::Moment;
use crate::store::Entry;
use contract::condition::Name;
use contract::printable::sentence;
use contract::record::BlockState;

impl Blocklist {
    pub(super) fn enforce_by(
        &mut self,
        on: bool,
        span: Option<Duration>,
        now: Moment,
    ) -> Result<Done, Refusal> {
        if self.mode == settings::FirewallMode::Observe {
            let sentence =
                "firewall.mode is observe, so nothing is enforced; set it to enforce and reload";
            return Err(Refusal::Conflict(sentence.to_owned()));
        }
        let switch = match (on, span) {
            (true, Some(_)) => {
                let sentence = "enforcement can be switched off for a time, not on";
                return Err(Refusal::Invalid(sentence.to_owned()));
            }
            (true, None) => Switch::On,
            (false, None) => Switch::Off,
            (false, Some(span)) => Switch::OffUntil(now.wall.after(span)),
        };
        self.switch_on = match span {
            Some(span) if !on => after(now, Some(span)),
            _ => NEVER,
        };
        self.switch_enforcement(switch, now)
    }

    /// Switches enforcement, and remembers it over a restart.
    pub(super) fn switch_enforcement(
        &mut self,
        switch: Switch,
        now: Moment,
    ) -> Result<Done, Refusal> {
        self.switch = switch;
        if switch == Switch::On {
            self.switch_on = NEVER;
        }
        if let Ok(value) = serde_json::to_string(&switch) {
            self.keep(Entry::Setting { key: SWITCH, value });
        }
        let count = self.active.len();
        let words = match switch {
            Switch::On => {
                self.tools
                    .conditions
                    .clear(Name::EnforcementOff, "", now.wall);
                let taken = self.take_up(now);
                taken.map_err(|error| Refusal::Failed(sentence(&error)))?;
                return Ok(Done::new(format!("enforcement is on; {count} blocks hold")));
            }
            Switch::Off | Switch::OffUntil(_) => self.say_off(now),
        };
        let removed = self.take_out(now);
        self.mark_all(&BlockState::Observed);
        removed.map_err(|error| Refusal::Failed(sentence(&error)))?;
        Ok(Done::new(words))
    }

    /// Enforcement is on again because its time is over.
    pub(super) fn note_end_of_switch(&self) {
        let words = "the time it was switched off for is over";
        self.audit((SENSOR, "enforce on"), "", words);
    }

    /// Says that enforcement is off, where the configuration wants it on.
    pub(super) fn remind_of_switch(&self, now: Moment) {
        if self.mode == settings::FirewallMode::Enforce && self.switch != Switch::On {
            self.say_off(now);
        }
    }

    /// Says that enforcement is off, and until when.
    fn say_off(&self, now: Moment) -> String {
        let until = match self.switch {
            Switch::OffUntil(until) => until.to_string(),
            Switch::On | Switch::Off => "it is switched on".to_owned(),
        };
        let words = format!(
            "enforcement is off until {until}; nothing is dropped, and `garita enforce on` ends that"
        );
        let conditions = &self.tools.conditions;
        conditions.raise(Name::EnforcementOff, ("", &words), now.wall);
        words
    }
}
