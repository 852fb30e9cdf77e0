//! What sensors publish, taken in: heard, read, followed by its numbers, concluded from, stored, and only then
//! acknowledged. One coordinator does it at a time.

mod broker;
mod document;
mod ledger;
pub mod post;
mod reading;
mod recall;
mod sequence;
mod serve;
mod session;
mod writer;

pub use reading::{Letter, Said, What, read};
pub use recall::sighting;
pub use serve::{Health, Setup, serve};

/// Whether the files that `[mqtt]` names can be used; says what was found. Whether the broker likes them, only it can say.
///
/// # Errors
/// They cannot.
pub fn check(settings: &crate::config::Mqtt) -> Result<String, broker::Trouble> {
    let Some(place) = settings.url.get() else {
        return Ok("none is set: nobody is heard".to_owned());
    };
    broker::options(settings)?;
    Ok(format!("{} can be tried", place.text))
}

pub use broker::Trouble;
