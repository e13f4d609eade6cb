//! What an answer is: a number, an expression, a list, an equation, or text.

use super::expression::Expr;
use super::lex::{Bracket, GROUPING, Symbol, Token};
use super::parser;
use super::rational::Rational;
use super::units::suffix;

/// How deep lists may be nested.
const DEEPEST: usize = 16;

/// What stands around the items of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    /// Nothing: `1, 2`. The order does not count.
    Bare,
    /// Braces: a set. The order does not count.
    Set,
    /// Brackets, which count, as the order does: a tuple or an interval.
    Pair(Bracket, Bracket),
    /// A union of what is between `\cup`. The order does not count.
    Union,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number or expression with its unit, which may be empty.
    Expr {
        expr: Expr,
        percent: bool,
        unit: String,
    },
    List(Fence, Vec<Value>),
    /// Sides and what stands between them: `=`, `<`, `>`, `le`, `ge`, `ne`. `name` says that the first side is a name
    /// (`x`, `f(x)`, "area"), so that the second alone says the same.
    Relation {
        sides: Vec<Value>,
        signs: Vec<String>,
        name: bool,
    },
    Text(String),
}

impl Value {
    /// The value that tokens have. What has no other meaning is text.
    pub(super) fn of(tokens: &[Token]) -> Self {
        parse(tokens, 0)
    }
}

/// The tokens without punctuation at their end.
pub(super) fn trim(mut tokens: &[Token]) -> &[Token] {
    while let [head @ .., last] = tokens
        && ['.', ',', ';', ':', '?', '"', '`']
            .iter()
            .any(|&op| last.is_op(op))
    {
        tokens = head;
    }
    tokens
}

fn parse(tokens: &[Token], depth: usize) -> Value {
    let tokens = trim(tokens);
    if depth > DEEPEST || tokens.is_empty() {
        return Value::Text(text(tokens));
    }
    let joined = join_groups(tokens, true);
    let tokens = joined.as_slice();
    let items = split(tokens, is_separator);
    if items.len() > 1 {
        return list(Fence::Bare, &items, depth);
    }
    if let Some(both) = plus_minus(tokens) {
        let both = both.map(|tokens| parse(&tokens, depth + 1));
        return Value::List(Fence::Bare, both.into());
    }
    let items = split(tokens, |token| token.is_cmd("cup"));
    if items.len() > 1 {
        return list(Fence::Union, &items, depth);
    }
    if let Some(relation) = relation(tokens, depth) {
        return relation;
    }
    if let Some((open, inner, close)) = enclosed(tokens)
        && let Some(value) = bracketed(open, inner, close, depth)
    {
        return value;
    }
    single(tokens).unwrap_or_else(|| Value::Text(text(tokens)))
}

fn list(fence: Fence, items: &[&[Token]], depth: usize) -> Value {
    let items = items.iter().map(|item| parse(item, depth + 1));
    Value::List(fence, items.collect())
}

/// A list in brackets, or what is in brackets that only group; `None` for a part of an expression.
fn bracketed(open: Bracket, inner: &[Token], close: Bracket, depth: usize) -> Option<Value> {
    // Inside brackets `1,234` is two numbers, unless other commas are set apart by space.
    let loose = inner
        .windows(2)
        .any(|pair| pair[0].is_op(',') && pair[1].spaced);
    let joined = join_groups(inner, loose);
    let inner = joined.as_slice();
    let items = split(inner, is_comma);
    let braces = (open, close) == (Bracket::Set, Bracket::Set);
    let group = (open, close) == (Bracket::Group, Bracket::Group);
    if braces && inner.is_empty() {
        return Some(Value::Text("\\emptyset".to_owned()));
    }
    if braces || (group && items.len() > 1) {
        return Some(list(Fence::Set, &items, depth));
    }
    if group {
        return Some(parse(inner, depth + 1));
    }
    (items.len() > 1).then(|| list(Fence::Pair(open, close), &items, depth))
}

/// A number or an expression, with percent sign and unit.
fn single(tokens: &[Token]) -> Option<Value> {
    let words = |token: &Token| matches!(token.symbol, Symbol::Word(_) | Symbol::Text(_));
    let letter =
        matches!(tokens, [Token { symbol: Symbol::Word(word), .. }] if word.chars().count() == 1);
    if !letter && tokens.iter().all(words) {
        return None;
    }
    let behind = suffix(tokens);
    let mut rest = &tokens[..tokens.len() - behind.tokens];
    let mut percent = false;
    if let [head @ .., last] = rest
        && last.is_op('%')
    {
        (rest, percent) = (head, true);
    }
    let mut expr = parser::parse(rest)?;
    if behind.power > 0 {
        let number = expr.as_number()?;
        expr = Expr::Num(number.mul(Rational::power_of_ten(behind.power)?)?);
    }
    if percent {
        expr.as_number()?;
    }
    if expr == Expr::Sym("\\emptyset".to_owned()) {
        return None;
    }
    Some(Value::Expr {
        expr,
        percent,
        unit: behind.unit,
    })
}

fn is_comma(token: &Token) -> bool {
    token.is_op(',') || token.is_op(';')
}

/// A comma, or the words "and" and "or", which separate the items of a list without brackets.
fn is_separator(token: &Token) -> bool {
    match &token.symbol {
        Symbol::Word(word) | Symbol::Text(word) => matches!(word.as_str(), "and" | "or"),
        _ => is_comma(token),
    }
}

/// The parts between separators outside of all brackets. "1, and 2" has no empty part.
fn split(tokens: &[Token], separates: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut start, mut nesting) = (0, 0);
    for (at, token) in tokens.iter().enumerate() {
        nesting += token.nesting();
        if nesting == 0 && separates(token) {
            if at > start {
                parts.push(&tokens[start..at]);
            }
            start = at + 1;
        }
    }
    if start < tokens.len() {
        parts.push(&tokens[start..]);
    }
    parts
}

/// The two readings of `\pm`.
fn plus_minus(tokens: &[Token]) -> Option<[Vec<Token>; 2]> {
    if !tokens.iter().any(|token| token.is_cmd("pm")) {
        return None;
    }
    let reading = |pm, mp| {
        let sign = |token: &Token| {
            let symbol = if token.is_cmd("pm") {
                Symbol::Op(pm)
            } else if token.is_cmd("mp") {
                Symbol::Op(mp)
            } else {
                token.symbol.clone()
            };
            let spaced = token.spaced;
            Token { symbol, spaced }
        };
        tokens.iter().map(sign).collect()
    };
    Some([reading('+', '-'), reading('-', '+')])
}

/// The sign of a relation, in one spelling. What is about equal, or an element, counts as equal.
fn relation_sign(token: &Token) -> Option<&str> {
    match &token.symbol {
        Symbol::Op('=') => Some("="),
        Symbol::Op('<') => Some("<"),
        Symbol::Op('>') => Some(">"),
        Symbol::Cmd(name) => match name.as_str() {
            "in" | "approx" => Some("="),
            "le" | "ge" | "ne" => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// An equation or inequality, or several in a row.
fn relation(tokens: &[Token], depth: usize) -> Option<Value> {
    let mut nesting = 0;
    let mut signs = Vec::new();
    let mut sides = Vec::new();
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        nesting += token.nesting();
        let sign = relation_sign(token).filter(|_| nesting == 0);
        if let Some(sign) = sign {
            signs.push(sign.to_owned());
            sides.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    sides.push(&tokens[start..]);
    if signs.is_empty() || sides[1..].iter().any(|side| side.is_empty()) {
        return None;
    }
    // `= 5` is 5.
    if sides[0].is_empty() {
        return (signs.len() == 1 && signs[0] == "=").then(|| parse(sides[1], depth + 1));
    }
    Some(Value::Relation {
        name: is_name(sides[0]),
        sides: sides.iter().map(|side| parse(side, depth + 1)).collect(),
        signs,
    })
}

/// Whether tokens name what is asked for: a letter with index, a function of letters, words.
fn is_name(tokens: &[Token]) -> bool {
    let words = |token: &Token| matches!(token.symbol, Symbol::Word(_) | Symbol::Text(_));
    let letter = |token: &Token| match &token.symbol {
        Symbol::Word(word) | Symbol::Text(word) => word.chars().count() == 1,
        Symbol::Cmd(_) => true,
        _ => false,
    };
    let Some((first, rest)) = tokens.split_first() else {
        return false;
    };
    if tokens.iter().all(words) {
        return true;
    }
    if !letter(first) {
        return false;
    }
    match rest {
        [] => !matches!(first.symbol, Symbol::Cmd(_)) || !first.is_cmd("infty"),
        [
            Token {
                symbol: Symbol::Op('_'),
                ..
            },
            ..,
        ] => true,
        [open, .., close] => {
            open.symbol == Symbol::Open(Bracket::Round)
                && close.symbol == Symbol::Close(Bracket::Round)
                && !rest
                    .iter()
                    .any(|token| matches!(token.symbol, Symbol::Op('+' | '-' | '*' | '/')))
        }
        [_] => false,
    }
}

/// The brackets around all of the tokens, and what is in them.
fn enclosed(tokens: &[Token]) -> Option<(Bracket, &[Token], Bracket)> {
    let [first, inner @ .., last] = tokens else {
        return None;
    };
    let (Symbol::Open(open), Symbol::Close(close)) = (&first.symbol, &last.symbol) else {
        return None;
    };
    let mut nesting = 0;
    for token in inner {
        nesting += token.nesting();
        if nesting < 0 {
            return None;
        }
    }
    (nesting == 0).then_some((*open, inner, *close))
}

/// Makes one number of digits in groups of three: `1,234,567`, `1{,}234`, `1 234`. With `commas` false a plain comma is left
/// alone.
fn join_groups(tokens: &[Token], commas: bool) -> Vec<Token> {
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    let mut nesting = 0;
    while at < tokens.len() {
        nesting += tokens[at].nesting();
        let mut token = tokens[at].clone();
        at += 1;
        if nesting == 0
            && let Symbol::Num(digits) = &mut token.symbol
            && (1..=3).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            while let Some((group, used)) = group(&tokens[at..], commas) {
                digits.push_str(group);
                at += used;
                if group.len() > 3 {
                    break;
                }
            }
        }
        joined.push(token);
    }
    joined
}

/// The three digits (with decimals behind the last) that go on with a number, and the tokens that they take.
fn group(tokens: &[Token], commas: bool) -> Option<(&str, usize)> {
    let digits = |token: Option<&Token>, spaced| match token {
        Some(Token {
            symbol: Symbol::Num(digits),
            spaced: found,
        }) if *found == spaced => {
            let whole = digits.split('.').next().unwrap_or("");
            (whole.len() == 3).then_some(())
        }
        _ => None,
    };
    let text = |at: usize| match &tokens[at].symbol {
        Symbol::Num(digits) => digits.as_str(),
        _ => "",
    };
    let first = tokens.first()?;
    if first.is_op(GROUPING) || (commas && first.is_op(',') && !first.spaced) {
        digits(tokens.get(1), false)?;
        return Some((text(1), 2));
    }
    digits(Some(first), true)?;
    // `1 234/567` is a mixed number.
    let fraction = tokens.get(1).is_some_and(|next| next.is_op('/'));
    (!fraction).then(|| (text(0), 1))
}

/// The symbols one after the other, without space; words in lower case, `x^{2}` as `x^2`. What reads the same has the same
/// text.
pub(super) fn text(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < tokens.len() {
        let group = tokens.get(at..at + 3).filter(|group| {
            group[0].symbol == Symbol::Open(Bracket::Group)
                && group[2].symbol == Symbol::Close(Bracket::Group)
                && is_short(&group[1].symbol)
        });
        let token = group.map_or(&tokens[at], |group| &group[1]);
        at += if group.is_some() { 3 } else { 1 };
        match &token.symbol {
            Symbol::Num(digits) => {
                // 4 2 is not 42.
                if text.ends_with(|c: char| c.is_ascii_digit()) {
                    text.push(' ');
                }
                text.push_str(digits);
            }
            Symbol::Word(word) | Symbol::Text(word) => {
                let alone = tokens.len() == 1 || word.len() > 1;
                let lower = alone || matches!(token.symbol, Symbol::Text(_));
                text.push_str(&if lower {
                    word.to_lowercase()
                } else {
                    word.clone()
                });
            }
            Symbol::Cmd(name) => {
                text.push('\\');
                text.push_str(name);
            }
            Symbol::Open(bracket) => text.push_str(["(", "[", "{", "\\{"][*bracket as usize]),
            Symbol::Close(bracket) => text.push_str([")", "]", "}", "\\}"][*bracket as usize]),
            // A full stop of an abbreviation says nothing.
            Symbol::Op('.' | GROUPING) => {}
            Symbol::Op(op) => text.push(*op),
        }
    }
    text
}

/// A symbol that means the same with and without braces.
fn is_short(symbol: &Symbol) -> bool {
    match symbol {
        Symbol::Num(text) | Symbol::Word(text) => text.len() == 1,
        _ => false,
    }
}
