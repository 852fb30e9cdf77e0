//! Every text of the console, in each language it speaks, side by side: a language that lacks one does not compile.
//! What sensors and the API say about a mistake stays in the words they use.

mod labels;
mod texts;

use std::str::FromStr;

pub(super) use texts::Words;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Spanish,
}

impl FromStr for Language {
    type Err = ();

    fn from_str(code: &str) -> Result<Self, ()> {
        match code {
            "en" => Ok(Self::English),
            "es" => Ok(Self::Spanish),
            _ => Err(()),
        }
    }
}

impl Words {
    /// The texts of a language.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &texts::ENGLISH,
            Language::Spanish => &texts::SPANISH,
        }
    }
}

/// A sentence with its gaps (`{}`) filled, one after the other.
pub(super) fn fill(sentence: &str, with: &[&str]) -> String {
    let mut pieces = sentence.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (at, piece) in pieces.enumerate() {
        text.push_str(with.get(at).copied().unwrap_or_default());
        text.push_str(piece);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_sentence_takes_nothing_for_a_gap_that_came_with_a_word() {
        assert_eq!(fill("{} at {}", &["{}", "b"]), "{} at b");
        assert_eq!(fill("no gap", &["a"]), "no gap");
    }
}
