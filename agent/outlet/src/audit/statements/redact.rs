//! A statement without its literals: numbers and strings become `?`, comments go, everything else stays as it was sent.
//! The lexer is another one than PostgreSQL's; wherever the two could disagree about where a literal ends, nothing is given.

use sqlparser::ast::DollarQuotedString;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

/// `None` when it is not sure what in it is a literal.
pub(super) fn redacted(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .with_unescape(false)
        .tokenize()
        .ok()?;
    let mut shown = String::with_capacity(text.len());
    let mut after_literal = false;
    for token in &tokens {
        let kept = kept(token)?;
        // `0b101` to one of the two lexers is a number and a name to the other.
        if after_literal && matches!(token, Token::Word(_) | Token::Number(..)) {
            return None;
        }
        after_literal = matches!(kept, Kept::Literal);
        match kept {
            Kept::Literal => shown.push('?'),
            Kept::Comment => shown.push(' '),
            Kept::AsItIs => shown.push_str(&token.to_string()),
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
        Token::Word(_) | Token::Whitespace(_) => Some(Kept::AsItIs),
        operator => {
            // To PostgreSQL an operator ends where a comment begins in it.
            let text = operator.to_string();
            (!text.contains("--") && !text.contains("/*")).then_some(Kept::AsItIs)
        }
    }
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
    ];

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
