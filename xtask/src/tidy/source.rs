//! The files of the repository as the rules see them: text by line, and Rust as tokens, so that a comment or a string
//! never breaks a rule about code. It judges nothing.

use std::str::FromStr;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use xshell::{Shell, cmd};

/// One file that git tracks, or would.
pub(super) struct Source {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    /// Empty when the file is not text.
    pub(super) text: String,
    /// Of a Rust file: comments are gone and literals are blank.
    pub(super) tokens: Vec<Token>,
}

/// A word or a single sign.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// Reads all files of the repository.
pub(super) fn read(shell: &Shell) -> Result<Vec<Source>> {
    let listed = cmd!(
        shell,
        "git ls-files -z --cached --others --exclude-standard"
    )
    .quiet()
    .read()
    .context("tidy asks git for the files of the repository")?;
    listed
        .split_terminator('\0')
        // A file deleted but not yet committed is still listed.
        .filter(|path| shell.path_exists(path))
        .map(|path| {
            let bytes = shell.read_binary_file(path)?;
            let text = String::from_utf8(bytes).unwrap_or_default();
            Source::new(path, text).with_context(|| format!("{path} is not Rust that can be read"))
        })
        .collect()
}

impl Source {
    pub(super) fn new(path: &str, text: String) -> Result<Self> {
        let mut tokens = Vec::new();
        if path.ends_with(".rs") {
            let stream = TokenStream::from_str(&text)
                .map_err(|error| anyhow::anyhow!("line {}: {error}", error.span().start().line))?;
            flatten(stream, &mut tokens);
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            tokens,
        })
    }

    /// Whether the file's path begins with one of `places`: a folder, a file, or a module that may be either.
    pub(super) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// The place of a breach, as compilers write it.
    pub(super) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// The lines on which `pattern` stands, among `tokens` of this file.
    pub(super) fn find<'a>(
        tokens: &'a [Token],
        pattern: &str,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let wanted = words(pattern);
        tokens.windows(wanted.len().max(1)).filter_map(move |seen| {
            let same = seen.iter().map(|token| &token.text).eq(&wanted);
            same.then_some(seen[0].line)
        })
    }

    /// The tokens outside `#[cfg(test)] mod … { }`; none when the whole file is a test.
    pub(super) fn shipped(&self) -> &[Token] {
        let of_tests = ["coordinator/bench/", "coordinator/tests/", "tests/"];
        if self.is_in(&of_tests) || self.path.ends_with("/tests.rs") {
            return &[];
        }
        let start = words("#[cfg(test)] mod");
        let inline = self.tokens.windows(start.len() + 2).position(|seen| {
            seen.iter()
                .map(|token| &token.text)
                .take(start.len())
                .eq(&start)
                && seen[start.len() + 1].text == "{"
        });
        // Tests come last in a file, so all before them is all that ships.
        &self.tokens[..inline.unwrap_or(self.tokens.len())]
    }
}

/// Splits a pattern such as `std::fs` as the lexer splits code.
fn words(pattern: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for message in pattern.chars() {
        let is_word = message.is_alphanumeric() || message == '_';
        match words.last_mut() {
            Some(word) if in_word && is_word => word.push(message),
            _ if message.is_whitespace() => {}
            _ => words.push(message.to_string()),
        }
        in_word = is_word;
    }
    words
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(token(open, group.span_open()));
                flatten(group.stream(), tokens);
                tokens.push(token(close, group.span_close()));
            }
            TokenTree::Ident(ident) => tokens.push(token(&ident.to_string(), ident.span())),
            TokenTree::Punct(sign) => tokens.push(token(&sign.as_char().to_string(), sign.span())),
            TokenTree::Literal(literal) => tokens.push(token("", literal.span())),
        }
    }
}

fn token(text: &str, span: Span) -> Token {
    Token {
        text: text.to_owned(),
        line: span.start().line,
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, words};

    fn lines(text: &str, pattern: &str) -> Vec<usize> {
        let source = Source::new("sensor/src/x.rs", text.to_owned()).unwrap();
        Source::find(&source.tokens, pattern).collect()
    }

    #[test]
    fn a_pattern_splits_as_code_does() {
        assert_eq!(words("std::fs"), ["std", ":", ":", "fs"]);
        assert_eq!(
            words("#[cfg(test)] mod"),
            ["#", "[", "cfg", "(", "test", ")", "]", "mod"]
        );
    }

    #[test]
    fn code_is_found_with_its_line() {
        assert_eq!(lines("fn a() {\n    std :: fs::read(x)\n}", "std::fs"), [2]);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "//! std::fs\n/* std::fs */ const A: &str = r#\"std::fs\"#; const B: char = '\"';\n/// std::fs\nfn c<'a>() {}";
        assert!(lines(text, "std::fs").is_empty());
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert!(lines("fn unsafe_code() {}", "unsafe").is_empty());
    }

    #[test]
    fn inline_tests_do_not_ship_but_a_test_module_of_its_own_file_hides_nothing() {
        let inline = "fn a() {}\n#[cfg(test)]\nmod tests { use std::fs; }";
        let inline = Source::new("sensor/src/x.rs", inline.to_owned()).unwrap();
        assert_eq!(Source::find(inline.shipped(), "std::fs").count(), 0);
        assert_eq!(Source::find(inline.shipped(), "fn a").count(), 1);
        let apart = "#[cfg(test)]\nmod tests;\nuse std::fs;";
        let apart = Source::new("sensor/src/x.rs", apart.to_owned()).unwrap();
        assert_eq!(Source::find(apart.shipped(), "std::fs").count(), 1);
    }

    #[test]
    fn broken_code_is_an_error_that_names_the_line() {
        let error = Source::new("x.rs", "fn a() {\n".to_owned()).err().unwrap();
        assert!(error.to_string().starts_with("line "), "{error}");
    }
}
