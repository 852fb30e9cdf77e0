//! Text from outside, made safe to print on a terminal and in a log.
//! It must not change text that is safe.

use std::borrow::Cow;
use std::error::Error;
use std::iter;

/// The text without control characters and without those that change its direction (Unicode TR 36 and 9).
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_unsafe) {
        Cow::Owned(text.replace(is_unsafe, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// An error with its causes, except those it already names.
pub fn sentence(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |&error| error.source()).skip(1);
    causes.fold(error.to_string(), |sentence, cause| {
        let cause = cause.to_string();
        if sentence.ends_with(&cause) {
            sentence
        } else {
            format!("{sentence}: {cause}")
        }
    })
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Bytes in hexadecimal, as hashes are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reversed_text_lose_their_power() {
        assert_eq!(printable("eth0\u{1b}[31m\n"), "eth0[31m");
        assert_eq!(printable("\u{202e}gpj.exe\u{2069}\u{9b}"), "gpj.exe");
    }

    #[test]
    fn ordinary_text_stays() {
        assert!(matches!(printable("Gerät „eth0“ 端口"), Cow::Borrowed(_)));
    }
}
