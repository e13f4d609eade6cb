//! Symbols of an answer: LaTeX, or text as people type it.
//!
//! Sizes, fonts, spacing, delimiters of formulas and currencies are gone afterwards; commands of one meaning have one name.

/// A kind of bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// `( )`.
    Round,
    /// `[ ]`.
    Square,
    /// `{ }`, the group of LaTeX.
    Group,
    /// `\{ \}`.
    Set,
}

/// The operator that stands for `{,}`, which is no comma of a list.
pub(super) const GROUPING: char = '\u{1f}';

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// Digits with at most one point.
    Num(String),
    /// Letters.
    Word(String),
    /// Letters inside `\text{…}`.
    Text(String),
    /// A command without its backslash.
    Cmd(String),
    Open(Bracket),
    Close(Bracket),
    /// Anything else. `*` is every multiplication, `%` every percent sign.
    Op(char),
}

/// A symbol, and whether there was space before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) symbol: Symbol,
    pub(super) spaced: bool,
}

impl Token {
    pub(super) fn is_op(&self, op: char) -> bool {
        self.symbol == Symbol::Op(op)
    }

    pub(super) fn is_cmd(&self, name: &str) -> bool {
        matches!(&self.symbol, Symbol::Cmd(cmd) if cmd == name)
    }

    /// +1 for an opening bracket, -1 for a closing one.
    pub(super) fn nesting(&self) -> i32 {
        match self.symbol {
            Symbol::Open(_) => 1,
            Symbol::Close(_) => -1,
            _ => 0,
        }
    }
}

/// The symbols of a text. Never fails: what has no meaning is a symbol of its own.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        spaced: false,
        single: 0,
        fonts: 0,
        groups: Vec::new(),
        tokens: Vec::new(),
    };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.tokens
}

/// What an open `{` belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// A group that stays.
    Plain,
    /// The argument of a command for text.
    Font,
    /// The argument of a command that only draws something around it.
    Wrapper,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether space was passed since the last token.
    spaced: bool,
    /// How many arguments of one digit each a command still takes: `\frac12`.
    single: u8,
    /// How many groups around are arguments of commands for text.
    fonts: usize,
    /// Open groups, each with what `single` is behind it.
    groups: Vec<(Group, u8)>,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn push(&mut self, symbol: Symbol) {
        self.single = self.single.saturating_sub(1);
        let spaced = std::mem::take(&mut self.spaced);
        self.tokens.push(Token { symbol, spaced });
    }

    fn cmd(&mut self, name: &str) {
        self.push(Symbol::Cmd(name.to_owned()));
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let Some(c) = self.rest().chars().next() else {
            return;
        };
        let point = c == '.' && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit());
        if c.is_ascii_digit() || point {
            self.number();
        } else if c == '\\' {
            self.command();
        } else if is_letter(c) {
            let rest = self.rest();
            let word = rest[..rest.find(|c| !is_letter(c)).unwrap_or(rest.len())].to_owned();
            self.at += word.len();
            self.word(word);
        } else {
            self.at += c.len_utf8();
            self.sign(c);
        }
    }

    /// Digits, a point, digits; an exponent becomes a product with a power of ten.
    fn number(&mut self) {
        if self.single > 0 && !self.rest().starts_with('.') {
            let digit = self.rest()[..1].to_owned();
            self.at += 1;
            self.push(Symbol::Num(digit));
            return;
        }
        let bytes = self.text.as_bytes();
        let run = |from: usize| {
            let from = from.min(bytes.len());
            from + bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut end = run(self.at);
        if bytes.get(end) == Some(&b'.') && run(end + 1) > end + 1 {
            end = run(end + 1);
        } else if self.text[end..].starts_with(".\\overline") {
            end += 1;
        }
        let digits = self.text[self.at..end].to_owned();
        self.at = end;
        self.push(Symbol::Num(digits));
        let negative = bytes.get(end + 1) == Some(&b'-');
        let start = end + 1 + usize::from(negative || bytes.get(end + 1) == Some(&b'+'));
        let stop = run(start);
        let letter = bytes.get(stop).is_some_and(u8::is_ascii_alphabetic);
        if matches!(bytes.get(end), Some(b'e' | b'E')) && stop > start && !letter {
            let exponent = self.text[start..stop].to_owned();
            self.at = stop;
            self.push(Symbol::Op('*'));
            self.push(Symbol::Num("10".to_owned()));
            self.push(Symbol::Op('^'));
            self.push(Symbol::Open(Bracket::Group));
            if negative {
                self.push(Symbol::Op('-'));
            }
            self.push(Symbol::Num(exponent));
            self.push(Symbol::Close(Bracket::Group));
        }
    }

    fn word(&mut self, word: String) {
        if self.fonts > 0 {
            self.push(Symbol::Text(word));
            return;
        }
        match word.as_str() {
            "sqrt" | "pi" => self.cmd(&word),
            "infinity" | "Infinity" | "inf" => self.cmd("infty"),
            "percent" => self.push(Symbol::Op('%')),
            _ => self.push(Symbol::Word(word)),
        }
    }

    /// A character that is no digit, letter or backslash.
    fn sign(&mut self, c: char) {
        match c {
            '{' => self.open_group(Group::Plain),
            '}' => self.close_group(),
            '(' => self.push(Symbol::Open(Bracket::Round)),
            ')' => self.push(Symbol::Close(Bracket::Round)),
            '[' => self.push(Symbol::Open(Bracket::Square)),
            ']' => self.push(Symbol::Close(Bracket::Square)),
            '*' if self.rest().starts_with('*') => {
                self.at += 1;
                self.push(Symbol::Op('^'));
            }
            '<' | '>' if self.rest().starts_with('=') => {
                self.at += 1;
                self.cmd(if c == '<' { "le" } else { "ge" });
            }
            '×' | '·' | '⋅' => self.push(Symbol::Op('*')),
            '÷' => self.push(Symbol::Op('/')),
            '−' | '–' => self.push(Symbol::Op('-')),
            '≤' => self.cmd("le"),
            '≥' => self.cmd("ge"),
            '≠' => self.cmd("ne"),
            '≈' => self.cmd("approx"),
            '±' => self.cmd("pm"),
            'π' => self.cmd("pi"),
            'θ' => self.cmd("theta"),
            '∞' => self.cmd("infty"),
            '√' => self.cmd("sqrt"),
            '∪' => self.cmd("cup"),
            '∈' => self.cmd("in"),
            '∅' => self.cmd("emptyset"),
            '½' => self.vulgar("1", "2"),
            '¼' => self.vulgar("1", "4"),
            '¾' => self.vulgar("3", "4"),
            '²' | '³' => {
                self.push(Symbol::Op('^'));
                let power = if c == '²' { "2" } else { "3" };
                self.push(Symbol::Num(power.to_owned()));
            }
            // Formulas, currencies, degrees, byte order marks and what has no width.
            '$' | '€' | '£' | '¥' | '°' | '\u{200b}' | '\u{feff}' => {}
            '~' => self.spaced = true,
            _ if c.is_whitespace() => self.spaced = true,
            _ => self.push(Symbol::Op(c)),
        }
    }

    /// A fraction of one character, as `\frac{num}{den}`.
    fn vulgar(&mut self, num: &str, den: &str) {
        self.cmd("frac");
        self.push(Symbol::Num(num.to_owned()));
        self.push(Symbol::Num(den.to_owned()));
    }

    fn open_group(&mut self, group: Group) {
        // 1{,}234 is one number.
        if group == Group::Plain && self.rest().starts_with(",}") {
            self.at += 2;
            self.push(Symbol::Op(GROUPING));
            return;
        }
        match group {
            Group::Plain => self.push(Symbol::Open(Bracket::Group)),
            Group::Font => self.fonts += 1,
            Group::Wrapper => {}
        }
        self.groups.push((group, std::mem::take(&mut self.single)));
    }

    fn close_group(&mut self) {
        match self.groups.pop() {
            Some((Group::Font, _)) => self.fonts -= 1,
            Some((Group::Wrapper, _)) => {}
            Some((Group::Plain, single)) => {
                self.push(Symbol::Close(Bracket::Group));
                self.single = single;
            }
            None => self.push(Symbol::Close(Bracket::Group)),
        }
    }

    /// A backslash and what it makes of what follows.
    fn command(&mut self) {
        self.at += 1;
        let rest = self.rest();
        let name = &rest[..rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len())];
        if !name.is_empty() {
            let name = name.to_owned();
            self.at += name.len();
            self.named(&name);
            return;
        }
        let Some(c) = rest.chars().next() else {
            return;
        };
        self.at += c.len_utf8();
        match c {
            '{' => self.push(Symbol::Open(Bracket::Set)),
            '}' => self.push(Symbol::Close(Bracket::Set)),
            '%' => self.push(Symbol::Op('%')),
            // `,\!` of a number with separators.
            '!' => self.spaced = false,
            '$' | '(' | ')' | '[' | ']' => {}
            _ => self.spaced = true,
        }
    }

    fn named(&mut self, name: &str) {
        match name {
            "left" | "right" | "big" | "Big" | "bigg" | "Bigg" | "bigl" | "bigr" | "Bigl"
            | "Bigr" | "displaystyle" | "textstyle" | "limits" => {}
            "quad" | "qquad" | "thinspace" | "enspace" | "space" => self.spaced = true,
            "circ" | "degree" | "degrees" => self.degrees(),
            "text" | "textbf" | "textit" | "textrm" | "textsf" | "texttt" | "mathrm" | "mathbf"
            | "mathit" | "mathsf" | "mbox" | "emph" | "operatorname" | "bf" | "rm" => {
                self.argument(Group::Font);
            }
            "boxed" | "fbox" | "ensuremath" | "mathop" | "underline" | "bm" | "boldsymbol" => {
                self.argument(Group::Wrapper);
            }
            "frac" | "dfrac" | "tfrac" | "cfrac" => {
                self.cmd("frac");
                self.single = 2;
            }
            "sqrt" => {
                self.cmd("sqrt");
                self.single = 1;
            }
            "cdot" | "times" | "ast" => self.push(Symbol::Op('*')),
            "div" => self.push(Symbol::Op('/')),
            "lbrace" => self.push(Symbol::Open(Bracket::Set)),
            "rbrace" => self.push(Symbol::Close(Bracket::Set)),
            "lbrack" => self.push(Symbol::Open(Bracket::Square)),
            "rbrack" => self.push(Symbol::Close(Bracket::Square)),
            "leq" | "leqslant" => self.cmd("le"),
            "geq" | "geqslant" => self.cmd("ge"),
            "neq" => self.cmd("ne"),
            "lt" => self.push(Symbol::Op('<')),
            "gt" => self.push(Symbol::Op('>')),
            "varnothing" => self.cmd("emptyset"),
            "varepsilon" => self.cmd("epsilon"),
            "varphi" => self.cmd("phi"),
            "dots" | "cdots" => self.cmd("ldots"),
            "pounds" | "euro" => {}
            _ => self.cmd(name),
        }
    }

    /// The `{` that follows opens the argument of a command, which goes itself.
    fn argument(&mut self, group: Group) {
        let rest = self.rest();
        let start = rest.trim_start();
        if start.starts_with('{') {
            self.at += rest.len() - start.len() + 1;
            self.open_group(group);
        }
    }

    /// A degree sign, with the `^` or `^{` before it, leaves nothing.
    fn degrees(&mut self) {
        if self.tokens.last().is_some_and(|token| token.is_op('^')) {
            self.tokens.pop();
            return;
        }
        let len = self.tokens.len();
        let braced = len >= 2
            && self.tokens[len - 1].symbol == Symbol::Open(Bracket::Group)
            && self.tokens[len - 2].is_op('^');
        if braced && self.rest().trim_start().starts_with('}') {
            self.tokens.truncate(len - 2);
            self.groups.pop();
            self.at += self.rest().len() - self.rest().trim_start().len() + 1;
        }
    }
}

/// A letter of a word; Greek letters that are typed in formulas are symbols.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !matches!(c, 'π' | 'θ')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The symbols in short, with `_` for space before them.
    fn shown(text: &str) -> String {
        let shown = |token: Token| {
            let symbol = match token.symbol {
                Symbol::Num(text) | Symbol::Word(text) => text,
                Symbol::Text(text) => format!("'{text}'"),
                Symbol::Cmd(text) => format!("\\{text}"),
                Symbol::Open(bracket) => format!("<{bracket:?}"),
                Symbol::Close(bracket) => format!("{bracket:?}>"),
                Symbol::Op(op) => op.to_string(),
            };
            format!("{}{symbol}", if token.spaced { "_" } else { "" })
        };
        lex(text)
            .into_iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn commands_of_one_meaning_are_one_symbol() {
        assert_eq!(shown(r"\dfrac12"), r"\frac 1 2");
        assert_eq!(shown(r"\frac{12}3"), r"\frac <Group 12 Group> 3");
        assert_eq!(shown(r"\left( 1,\; 2\right)"), "<Round _1 , _2 Round>");
        assert_eq!(shown(r"5\text{ cm}^2"), "5 _'cm' ^ 2");
        assert_eq!(shown(r"90^\circ, 45^{\circ}, 3°"), "90 , _45 , _3");
        assert_eq!(shown(r"\$1,\!234"), "1 , 234");
        assert_eq!(shown(r"\boxed{\{7\}}"), "<Set 7 Set>");
        assert_eq!(shown("1.5e-3"), "1.5 * 10 ^ <Group - 3 Group>");
        assert_eq!(shown(r"\sqrt12 √12 x²"), r"\sqrt 1 2 _\sqrt 12 _x ^ 2");
    }
}
