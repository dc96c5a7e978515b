//! A statement without its literals: numbers and strings become `?`, comments go, everything else stays as it was sent.
//! The lexer is another one than PostgreSQL's; wherever the two could disagree about where a literal ends, nothing is given.

use sqlparser::ast::DollarQuotedString;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

/// `None` when it is not sure what in it is a literal.
pub(super) fn redacted(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    if may_hide_a_backslash(text) {
        return None;
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .with_unescape(false)
        .tokenize_with_location()
        .ok()?;
    let mut shown = String::with_capacity(text.len());
    let mut after_literal = false;
    let mut operators = Operators::default();
    let mut source = Source::new(text);
    for (at, located) in tokens.iter().enumerate() {
        let token = &located.token;
        let sent = source.until(tokens.get(at + 1).map(|next| next.span.start))?;
        let kept = kept(token)?;
        operators.take(token, sent)?;
        // `0b101` to one of the two lexers is a number and a name to the other.
        if after_literal && matches!(token, Token::Word(_) | Token::Number(..)) {
            return None;
        }
        after_literal = matches!(kept, Kept::Literal);
        match kept {
            Kept::Literal => shown.push('?'),
            Kept::Comment => shown.push(' '),
            Kept::AsItIs if is_of(sent, token) => shown.push_str(sent),
            Kept::AsItIs => return None,
        }
    }
    Some(shown)
}

enum Kept {
    Literal,
    Comment,
    AsItIs,
}

fn kept(token: &Token) -> Option<Kept> {
    let only =
        |text: &str, ok: fn(&char) -> bool| text.chars().all(|c| ok(&c)).then_some(Kept::Literal);
    match token {
        Token::Number(..) | Token::EscapedStringLiteral(_) | Token::UnicodeStringLiteral(_) => {
            Some(Kept::Literal)
        }
        Token::SingleQuotedString(inner) | Token::NationalStringLiteral(inner) => {
            ends_alike(inner).then_some(Kept::Literal)
        }
        Token::HexStringLiteral(inner) => only(inner, char::is_ascii_hexdigit),
        Token::SingleQuotedByteStringLiteral(inner) => only(inner, |c| matches!(c, '0' | '1')),
        Token::DollarQuotedString(DollarQuotedString { tag, .. }) => {
            let digit = |tag: &String| tag.starts_with(|c: char| c.is_ascii_digit());
            // PostgreSQL reads `$1$` as a parameter and a dollar.
            (!tag.as_ref().is_some_and(digit)).then_some(Kept::Literal)
        }
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Some(Kept::Comment),
        Token::Placeholder(name) => {
            let number = name.strip_prefix('$')?;
            let sound = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            sound.then_some(Kept::AsItIs)
        }
        Token::EOF | Token::Char(_) | Token::Backslash => None,
        Token::DoubleQuotedString(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_) => None,
        _ => Some(Kept::AsItIs),
    }
}

/// Whether the token was made of this: pieces are counted in characters, and so does the lexer.
fn is_of(sent: &str, token: &Token) -> bool {
    let blank = matches!(token, Token::Whitespace(_)) && sent.trim().is_empty();
    blank || sent.chars().all(|c| OPERATOR.contains(c)) || sent == token.to_string()
}

/// What PostgreSQL makes operators of.
const OPERATOR: &str = "~!@#^&|`?+-*/%<>=";

/// A text in the pieces of which tokens were made: what the lexer says of its tokens is not always what was sent.
struct Source<'a> {
    rest: &'a str,
    line: u64,
    column: u64,
}

impl<'a> Source<'a> {
    fn new(rest: &'a str) -> Self {
        let (line, column) = (1, 1);
        Self { rest, line, column }
    }

    /// Up to there, or all of it.
    fn until(&mut self, end: Option<Location>) -> Option<&'a str> {
        let Some(end) = end else {
            return Some(std::mem::take(&mut self.rest));
        };
        let (mut chars, mut length) = (self.rest.chars(), 0);
        while (self.line, self.column) != (end.line, end.column) {
            let c = chars.next()?;
            length += c.len_utf8();
            (self.line, self.column) = match c {
                '\n' => (self.line + 1, 1),
                _ => (self.line, self.column + 1),
            };
        }
        let (piece, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(piece)
    }
}

/// Operators that stand together: to PostgreSQL all of them are one, and it ends where a comment begins in it, even
/// where a name of an operator known to the other lexer ends later.
#[derive(Default)]
struct Operators(String);

impl Operators {
    fn take(&mut self, token: &Token, sent: &str) -> Option<()> {
        match token {
            // To PostgreSQL it begins with the end of what stands before it.
            Token::Whitespace(Whitespace::SingleLineComment { .. }) if self.0.ends_with('-') => {
                return None;
            }
            Token::Whitespace(_) => self.0.clear(),
            _ if sent.chars().all(|c| OPERATOR.contains(c)) => self.0.push_str(sent),
            _ => self.0.clear(),
        }
        let comment = self.0.contains("--") || self.0.contains("/*");
        (!comment).then_some(())
    }
}

/// Where the client's encoding is one of East Asia, a backslash after such a byte may be half of a character.
fn may_hide_a_backslash(text: &str) -> bool {
    let mut pairs = text.as_bytes().windows(2);
    pairs.any(|pair| pair[0] >= 0x80 && pair[1] == b'\\')
}

/// Whether a plain string ends where it does both with `standard_conforming_strings` and without, and as the going on of
/// an `E''`: not when a backslash stands before a quote.
fn ends_alike(inner: &str) -> bool {
    !inner.contains("\\'") && !inner.ends_with('\\')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form_of_a_literal_goes_and_the_rest_stays() {
        for (sent, kept) in [
            (
                "select * from t where id = 42 and name = 'O''Hara'",
                "select * from t where id = ? and name = ?",
            ),
            (
                "SELECT E'it\\'s', U&'d\\0061t', N'x', B'101', X'1F', $$body$$, $a$b$a$",
                "SELECT ?, ?, ?, ?, ?, ?, ?",
            ),
            (
                "select -1.5e10, .5, 1., $1, a.b, \"Strange 7\"\"\", t.c1::int[]",
                "select -?, ?, ?, $1, a.b, \"Strange 7\"\"\", t.c1::int[]",
            ),
            (
                "select 1 -- 'secret'\n, 2 /* and /* 'secret' */ too */ + 3",
                "select ?  \n, ?   + ?",
            ),
            (
                "alter role ana password 'secret'",
                "alter role ana password ?",
            ),
            (
                "copy t from '/secret' with (delimiter ',')",
                "copy t from ? with (delimiter ?)",
            ),
            ("do $x$ begin perform 'secret'; end $x$", "do ?"),
            (
                "select a->>'k', b @> '{1}', c ~ '^\\d+$'",
                "select a->>?, b @> ?, c ~ ?",
            ),
        ] {
            assert_eq!(redacted(sent.as_bytes()).as_deref(), Some(kept), "{sent}");
        }
    }

    /// What the two lexers, or PostgreSQL with other settings, read differently.
    const DOUBTFUL: &[&str] = &[
        "select 'a\\' , secret , '",
        "select 'a\\', 'b'",
        "select E'a'\n'b\\' , secret, '",
        "select 1 <--'\n, secret, '\n1",
        "select 1 -/*'*/ 'secret' /*'*/ 1",
        "select x'\\', secret, '1'",
        "select b'\\', secret, '1'",
        "select $1$secret$1$",
        "select 0b101",
        "select 0o17",
        "select 12secret",
        "select $secret",
        "select 'not ended",
        "select $$not ended",
        "select b\"secret\"",
        "select 1 \\ secret",
        // An operator to one lexer, and to the other an operator and a comment.
        "select j ?--'\n $$k$$ from t; delete from pay; --'",
        "select j &>--'\n ' 4111 1111 name ' --'",
        "select j ?--'\n ' 4111 1111 name ' --'",
        // In GBK two characters, and the end of the literal.
        "select E'\u{3042}\\'; delete from pay; --'",
    ];

    /// Every run of operator characters before a quote, as PostgreSQL cuts it: at the first comment in it.
    #[test]
    fn operators_that_stand_together_end_where_postgresql_ends_them() {
        let all: Vec<char> = OPERATOR.chars().collect();
        let some: Vec<char> = "?-/*<@#|".chars().collect();
        let (mut runs, mut others) = (vec![String::new()], Vec::new());
        for chars in [&all, &all, &all, &some] {
            let longer = runs
                .iter()
                .flat_map(|run| chars.iter().map(move |c| format!("{run}{c}")));
            runs = longer.collect();
            for run in &runs {
                let sent = format!("select j {run}'a' b");
                let Some(shown) = redacted(sent.as_bytes()) else {
                    continue;
                };
                let expected = match (run.find("--"), run.find("/*")) {
                    (None, None) => format!("select j {run}? b"),
                    (Some(at), _) => format!("select j {} ", &run[..at]),
                    (None, Some(at)) => format!("select j {} ? b", &run[..at]),
                };
                if shown != expected {
                    others.push((sent, shown));
                }
            }
        }
        assert!(others.is_empty(), "{others:?}");
    }

    #[test]
    fn what_is_not_sure_is_not_given() {
        for sent in DOUBTFUL {
            assert_eq!(redacted(sent.as_bytes()), None, "{sent}");
        }
        assert_eq!(redacted(b"select '\xff'"), None);
    }

    #[test]
    fn depth_and_length_cost_no_more_than_their_bytes() {
        let deep = format!("select {}1{}", "(".repeat(30_000), ")".repeat(30_000));
        let kept = redacted(deep.as_bytes()).unwrap();

        assert_eq!(kept, deep.replace('1', "?"));
    }
}
