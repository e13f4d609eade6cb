//! Units behind a number.

use super::lex::{Symbol, Token};

/// Short units that are taken as such without `\text`. Single letters are not: they are variables.
const SHORT: [&str; 36] = [
    "mm", "cm", "dm", "km", "in", "ft", "yd", "mi", "mg", "kg", "lb", "oz", "ml", "mL", "cl", "dl",
    "hr", "hrs", "min", "sec", "ms", "am", "pm", "mph", "kph", "sq", "cu", "Hz", "kW", "st", "nd",
    "rd", "th", "lbs", "gal", "USD",
];

/// Names of one unit, each in the singular.
const ALIASES: [(&str, &str); 36] = [
    ("millimeter", "mm"),
    ("millimetre", "mm"),
    ("centimeter", "cm"),
    ("centimetre", "cm"),
    ("meter", "m"),
    ("metre", "m"),
    ("kilometer", "km"),
    ("kilometre", "km"),
    ("inch", "in"),
    ("inche", "in"),
    ("foot", "ft"),
    ("feet", "ft"),
    ("yard", "yd"),
    ("mile", "mi"),
    ("milligram", "mg"),
    ("gram", "g"),
    ("kilogram", "kg"),
    ("pound", "lb"),
    ("ounce", "oz"),
    ("liter", "l"),
    ("litre", "l"),
    ("milliliter", "ml"),
    ("millilitre", "ml"),
    ("gallon", "gal"),
    ("hour", "h"),
    ("hr", "h"),
    ("minute", "min"),
    ("second", "s"),
    ("sec", "s"),
    ("square", "sq"),
    ("cubic", "cu"),
    ("degree", ""),
    ("deg", ""),
    ("usd", "dollar"),
    ("buck", "dollar"),
    ("people", "person"),
];

/// Words that multiply the number before them, with the power of ten.
const SCALES: [(&str, i128); 5] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
];

/// What is behind a number or an expression.
#[derive(Debug, Default)]
pub(super) struct Suffix {
    /// How many tokens it takes from the end.
    pub(super) tokens: usize,
    /// The power of ten of a word like "million".
    pub(super) power: i128,
    /// The unit in a normal form; empty if there is none.
    pub(super) unit: String,
}

/// The unit at the end of the tokens: words with powers, `/` and "per" between them. At least one token is left before it.
pub(super) fn suffix(tokens: &[Token]) -> Suffix {
    let mut start = tokens.len();
    if let [.., unit, slash, last] = tokens
        && slash.is_op('/')
        && word(unit).is_some()
        && matches!(last.symbol, Symbol::Word(_))
    {
        start -= 2; // km/h: behind a unit a letter is a unit
    }
    while start > 1 {
        if word(&tokens[start - 1]).is_some() {
            start -= 1;
        } else if is_power(tokens, start) {
            start -= 3;
        } else if (tokens[start - 1].is_op('/') || tokens[start - 1].is_op('.'))
            && start < tokens.len()
            && start > 2
            && word(&tokens[start - 2]).is_some()
        {
            start -= 2;
        } else {
            break;
        }
    }
    let tail = &tokens[start..];
    if tail.is_empty() || !takes_unit(&tokens[start - 1]) {
        return Suffix::default();
    }
    let power = word(&tail[0]).and_then(|first| {
        let first = first.to_lowercase();
        SCALES.iter().find(|(name, _)| *name == first)
    });
    let skipped = usize::from(power.is_some());
    Suffix {
        tokens: tail.len(),
        power: power.map_or(0, |(_, power)| *power),
        unit: normal(&tail[skipped..]),
    }
}

/// Whether a token can end what a unit belongs to.
fn takes_unit(token: &Token) -> bool {
    match &token.symbol {
        Symbol::Num(_) | Symbol::Close(_) | Symbol::Word(_) => true,
        Symbol::Cmd(name) => name == "pi",
        _ => false,
    }
}

/// The word of a token that may be part of a unit.
fn word(token: &Token) -> Option<&str> {
    match &token.symbol {
        Symbol::Text(word) => Some(word),
        Symbol::Word(word) if word.len() > 2 || SHORT.contains(&word.as_str()) => Some(word),
        _ => None,
    }
}

/// Whether a unit's `^2` or `^3` ends before `end`.
fn is_power(tokens: &[Token], end: usize) -> bool {
    let small = |token: &Token| match &token.symbol {
        Symbol::Num(digits) => matches!(digits.as_str(), "2" | "3"),
        _ => false,
    };
    end > 3
        && small(&tokens[end - 1])
        && tokens[end - 2].is_op('^')
        && word(&tokens[end - 3]).is_some()
}

/// A unit in words of one spelling: singular, `cm^2` for "square centimetres", `/` for "per".
fn normal(tokens: &[Token]) -> String {
    let mut unit = String::new();
    let mut power = "";
    for token in tokens {
        match &token.symbol {
            Symbol::Num(digits) => unit.push_str(digits),
            Symbol::Op(op) if *op != '.' => unit.push(*op),
            Symbol::Word(word) | Symbol::Text(word) => match singular(word).as_str() {
                "per" | "an" if !unit.is_empty() => unit.push('/'),
                "sq" => power = "^2",
                "cu" => power = "^3",
                name => {
                    unit.push_str(name);
                    unit.push_str(std::mem::take(&mut power));
                }
            },
            _ => {}
        }
    }
    unit
}

/// A word of a unit in lower case, in the singular, with its usual short name.
fn singular(word: &str) -> String {
    let lower = word.to_lowercase();
    let stem = match lower.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with('s') => stem,
        _ => &lower,
    };
    let alias = ALIASES.iter().find(|(name, _)| *name == stem);
    alias.map_or(stem, |(_, short)| short).to_owned()
}
