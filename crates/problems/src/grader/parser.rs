//! A parser of expressions.

use super::expression::{Expr, divide, multiply, power, product, scientific, sum};
use super::lex::{Bracket, Symbol, Token};
use super::rational::Rational;

/// How deep brackets may be nested. What is deeper is compared as text.
const DEEPEST: usize = 48;

/// How many subscripts, factorials and powers a base may have: each is a level of the expression.
const MOST_POSTFIXES: usize = 8;

/// Functions that take what follows as their argument.
const FUNCTIONS: [&str; 24] = [
    "sin", "cos", "tan", "sec", "csc", "cot", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "log", "ln", "lg", "exp", "gcd", "lcm", "min", "max", "det", "deg", "Re", "Im",
];

/// Commands that are symbols.
const SYMBOLS: [&str; 34] = [
    "pi", "infty", "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota",
    "kappa", "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega", "emptyset", "ell",
    "ldots",
];

/// The expression that all of the tokens make; `None` if they make none, or its numbers do not fit.
pub(super) fn parse(tokens: &[Token]) -> Option<Expr> {
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let expr = parser.sum()?;
    (parser.at == tokens.len()).then_some(expr)
}

/// A parser over tokens. Every method returns `None` where the tokens make no expression.
struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes_op(&mut self, op: char) -> bool {
        let found = self.peek().is_some_and(|token| token.is_op(op));
        self.at += usize::from(found);
        found
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut terms = Vec::new();
        loop {
            let negative = if self.takes_op('-') {
                true
            } else if self.takes_op('+') || terms.is_empty() {
                false
            } else {
                break;
            };
            let term = tidy(self.term()?);
            terms.push(if negative { term.negate()? } else { term });
        }
        self.depth -= 1;
        sum(terms)
    }

    fn term(&mut self) -> Option<Expr> {
        let mut left = self.factor()?;
        loop {
            if self.takes_op('*') {
                left = multiply(left, self.signed()?)?;
            } else if self.takes_op('/') {
                left = divide(left, self.signed()?)?;
            } else if self.starts_factor() {
                if let Some(mixed) = self.mixed(&left) {
                    left = mixed;
                    continue;
                }
                // Two numbers side by side are no product.
                if matches!(self.peek()?.symbol, Symbol::Num(_)) {
                    return None;
                }
                left = multiply(left, self.factor()?)?;
            } else {
                return Some(left);
            }
        }
    }

    /// A factor behind an explicit sign of multiplication, which may be negative.
    fn signed(&mut self) -> Option<Expr> {
        if self.takes_op('-') {
            return self.factor()?.negate();
        }
        self.factor()
    }

    /// An integer and a proper fraction, `3\frac{1}{2}` or `3 1/2`, are their sum.
    fn mixed(&mut self, left: &Expr) -> Option<Expr> {
        let whole = left.as_number()?;
        whole.as_integer()?;
        if !matches!(
            self.tokens.get(self.at.checked_sub(1)?)?.symbol,
            Symbol::Num(_)
        ) {
            return None;
        }
        let start = self.at;
        let fraction = self.simple_fraction();
        let sum = fraction
            .filter(|fraction| fraction.is_proper())
            .and_then(|fraction| whole.add(fraction));
        if sum.is_none() {
            self.at = start;
        }
        sum.map(Expr::Num)
    }

    /// `\frac{a}{b}` or `a/b` of plain numbers. It looks at few tokens only, since they are read again where it fails.
    fn simple_fraction(&mut self) -> Option<Rational> {
        if self.peek()?.is_cmd("frac") {
            self.at += 1;
            let num = self.number_in_braces()?;
            return num.div(self.number_in_braces()?);
        }
        let num = self.number()?;
        if !self.takes_op('/') {
            return None;
        }
        num.div(self.number()?)
    }

    fn number_in_braces(&mut self) -> Option<Rational> {
        let braced = self.peek()?.symbol == Symbol::Open(Bracket::Group);
        self.at += usize::from(braced);
        let number = self.number()?;
        if braced {
            let closed = self.peek()?.symbol == Symbol::Close(Bracket::Group);
            self.at += 1;
            return closed.then_some(number);
        }
        Some(number)
    }

    fn number(&mut self) -> Option<Rational> {
        let Symbol::Num(digits) = &self.peek()?.symbol else {
            return None;
        };
        let number = Rational::decimal(digits)?;
        self.at += 1;
        Some(number)
    }

    /// Whether what follows can be multiplied without a sign.
    fn starts_factor(&self) -> bool {
        match self.peek().map(|token| &token.symbol) {
            Some(Symbol::Num(_) | Symbol::Word(_) | Symbol::Text(_) | Symbol::Cmd(_)) => true,
            Some(Symbol::Open(bracket)) => matches!(bracket, Bracket::Round | Bracket::Group),
            _ => false,
        }
    }

    /// A base with what is behind it: subscript, factorial, power.
    fn factor(&mut self) -> Option<Expr> {
        let mut base = self.base()?;
        for _ in 0..MOST_POSTFIXES {
            if self.takes_op('_') {
                let index = self.argument()?;
                base = Expr::Apply("_".to_owned(), vec![base, index]);
            } else if self.takes_op('!') {
                base = Expr::Apply("!".to_owned(), vec![base]);
            } else if self.takes_op('^') {
                let exponent = self.argument()?;
                base = power(base, exponent);
            } else {
                return Some(base);
            }
        }
        None
    }

    /// What a command, `^` or `_` takes: a group, or one symbol with a sign.
    fn argument(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let negative = self.takes_op('-');
        let base = self.base()?;
        self.depth -= 1;
        if negative { base.negate() } else { Some(base) }
    }

    fn base(&mut self) -> Option<Expr> {
        let token = self.peek()?;
        match &token.symbol {
            Symbol::Num(_) => {
                let number = self.number()?;
                self.repeating(number).map(Expr::Num)
            }
            Symbol::Word(word) | Symbol::Text(word) => {
                let word = word.clone();
                self.at += 1;
                self.named(&word)
            }
            Symbol::Cmd(name) => {
                let name = name.clone();
                self.at += 1;
                self.command(&name)
            }
            Symbol::Open(bracket @ (Bracket::Round | Bracket::Group)) => {
                let bracket = *bracket;
                self.at += 1;
                let inner = self.sum()?;
                let closed = self.peek()?.symbol == Symbol::Close(bracket);
                self.at += 1;
                closed.then_some(inner)
            }
            _ => None,
        }
    }

    /// The decimal in front with its period: `0.1\overline{6}`.
    fn repeating(&mut self, number: Rational) -> Option<Rational> {
        if !self.peek().is_some_and(|token| token.is_cmd("overline")) {
            return Some(number);
        }
        let digits = |at: usize| match &self.tokens.get(at)?.symbol {
            Symbol::Num(digits) => Some(digits.as_str()),
            _ => None,
        };
        let before = digits(self.at.checked_sub(1)?)?;
        let places = before.len() - before.find('.')? - 1;
        let period = digits(self.at + 2)?;
        let group = [1, 3].map(|offset| Some(&self.tokens.get(self.at + offset)?.symbol));
        let braces = [Symbol::Open(Bracket::Group), Symbol::Close(Bracket::Group)];
        if group != [Some(&braces[0]), Some(&braces[1])] || period.contains('.') {
            return None;
        }
        let nines = Rational::power_of_ten(i128::try_from(period.len()).ok()?)?;
        let nines = nines.add(Rational::MINUS_ONE)?;
        let shift = Rational::power_of_ten(i128::try_from(places).ok()?)?;
        let rest = Rational::decimal(period)?.div(nines)?.div(shift)?;
        self.at += 4;
        number.add(rest)
    }

    /// A letter, two letters side by side, or a function; longer words are no expressions.
    fn named(&mut self, word: &str) -> Option<Expr> {
        if FUNCTIONS.contains(&word) {
            return self.function(word);
        }
        let letters = word.chars().map(|c| Expr::Sym(c.to_string()));
        let letters: Vec<Expr> = letters.take(3).collect();
        match letters.len() {
            1 => letters.into_iter().next(),
            2 => {
                // A power or an index belongs to the second letter alone.
                let next = self.peek();
                let bound =
                    next.is_some_and(|next| ['^', '_', '!'].iter().any(|&op| next.is_op(op)));
                if bound {
                    None
                } else {
                    product(Rational::ONE, letters)
                }
            }
            _ => None,
        }
    }

    fn command(&mut self, name: &str) -> Option<Expr> {
        match name {
            "frac" => {
                let num = self.argument()?;
                divide(num, self.argument()?)
            }
            "sqrt" => {
                let degree = self.degree()?;
                let radicand = self.argument()?;
                Some(power(radicand, Expr::Num(degree.recip()?)))
            }
            "infty" => Some(Expr::Sym("infty".to_owned())),
            "mathbb" | "mathcal" => {
                let inner = self.argument()?;
                Some(Expr::Apply(name.to_owned(), vec![inner]))
            }
            _ if FUNCTIONS.contains(&name) => self.function(name),
            _ if SYMBOLS.contains(&name) => Some(Expr::Sym(format!("\\{name}"))),
            _ => None,
        }
    }

    /// The degree of a root, `[3]` behind `\sqrt`, or 2.
    fn degree(&mut self) -> Option<Rational> {
        if self.peek()?.symbol != Symbol::Open(Bracket::Square) {
            return Some(Rational::integer(2));
        }
        self.at += 1;
        let degree = self.number()?;
        let closed = self.peek()?.symbol == Symbol::Close(Bracket::Square);
        self.at += 1;
        closed.then_some(degree)
    }

    /// A function's index, power and argument. Without brackets the argument goes up to the next sign or function.
    fn function(&mut self, name: &str) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut parts = Vec::new();
        while let Some(op) = ['_', '^'].into_iter().find(|&op| self.takes_op(op)) {
            parts.push(Expr::Apply(op.to_string(), vec![self.argument()?]));
        }
        let bracketed = matches!(self.peek()?.symbol, Symbol::Open(_));
        let mut argument = self.factor()?;
        while !bracketed && self.starts_factor() && !self.starts_function() {
            argument = multiply(argument, self.factor()?)?;
        }
        parts.push(argument);
        self.depth -= 1;
        Some(Expr::Apply(name.to_owned(), parts))
    }

    fn starts_function(&self) -> bool {
        match self.peek().map(|token| &token.symbol) {
            Some(Symbol::Word(name) | Symbol::Text(name) | Symbol::Cmd(name)) => {
                FUNCTIONS.contains(&name.as_str())
            }
            _ => false,
        }
    }
}

/// A power of ten alone is scientific notation without a coefficient.
fn tidy(term: Expr) -> Expr {
    scientific(&Expr::Num(Rational::ONE), &term).map_or(term, Expr::Num)
}
