//! When two values are the same answer.

use super::expression::Expr;
use super::rational::Rational;
use super::value::{Fence, Value};

/// Whether an answer has the reference's value.
pub(super) fn same(reference: &Value, answer: &Value) -> bool {
    match (reference, answer) {
        (Value::Relation { .. }, Value::Relation { .. }) => same_relation(reference, answer),
        (
            Value::Relation {
                sides,
                signs,
                name: true,
            },
            other,
        ) if is_equation(signs) => same(&sides[1], other),
        (other, Value::Relation { sides, signs, name }) if is_equation(signs) => {
            // The answer of "x + y = 5" is 5; "5 = x" is "x = 5" turned round.
            let number = |side: &Value| {
                matches!(
                    side,
                    Value::Expr {
                        expr: Expr::Num(_),
                        ..
                    }
                )
            };
            if *name || !number(&sides[0]) {
                same(other, &sides[1])
            } else {
                is_letter(&sides[1]) && same(other, &sides[0])
            }
        }
        (Value::List(fence, items), Value::List(other, others)) => {
            same_list((*fence, items), (*other, others))
        }
        (Value::Expr { .. }, Value::Expr { .. }) => same_expr(reference, answer),
        (Value::Text(text), Value::Text(other)) => text == other && !text.is_empty(),
        _ => false,
    }
}

fn is_equation(signs: &[String]) -> bool {
    matches!(signs, [sign] if sign == "=")
}

fn is_letter(value: &Value) -> bool {
    matches!(
        value,
        Value::Expr {
            expr: Expr::Sym(_),
            ..
        }
    )
}

/// Relations with the same signs and sides, from left to right or from right to left.
fn same_relation(reference: &Value, answer: &Value) -> bool {
    let (
        Value::Relation { sides, signs, .. },
        Value::Relation {
            sides: others,
            signs: other_signs,
            ..
        },
    ) = (reference, answer)
    else {
        return false;
    };
    if sides.len() != others.len() {
        return false;
    }
    let turned = |sign: &str| match sign {
        "<" => ">",
        ">" => "<",
        "le" => "ge",
        "ge" => "le",
        _ => "=",
    };
    let forward = signs == other_signs;
    let backward = signs
        .iter()
        .zip(other_signs.iter().rev())
        .all(|(sign, other)| {
            sign == other && sign == "ne" || sign == turned(other) && other != "ne"
        });
    let pairs = || sides.iter().zip(others);
    forward && pairs().all(|(side, other)| same(side, other))
        || backward
            && sides
                .iter()
                .zip(others.iter().rev())
                .all(|(side, other)| same(side, other))
}

fn same_list((fence, items): (Fence, &[Value]), (other, others): (Fence, &[Value])) -> bool {
    let unordered = |fence| matches!(fence, Fence::Bare | Fence::Set);
    let fits = fence == other || unordered(fence) && unordered(other);
    if !fits || items.len() != others.len() {
        return false;
    }
    if matches!(fence, Fence::Pair(..)) {
        return items
            .iter()
            .zip(others)
            .all(|(item, other)| same(item, other));
    }
    let mut left: Vec<&Value> = others.iter().collect();
    items.iter().all(|item| {
        let found = left.iter().position(|other| same(item, other));
        found.map(|at| left.swap_remove(at)).is_some()
    })
}

/// Expressions are the same if their normal forms are and their units do not contradict. A percentage is the same as its
/// fraction, and as its number, since "how many percent" is answered with either.
fn same_expr(reference: &Value, answer: &Value) -> bool {
    let (
        Value::Expr {
            expr,
            percent,
            unit,
        },
        Value::Expr {
            expr: other,
            percent: other_percent,
            unit: other_unit,
        },
    ) = (reference, answer)
    else {
        return false;
    };
    if !unit.is_empty() && !other_unit.is_empty() && unit != other_unit {
        return false;
    }
    if expr == other {
        return true;
    }
    let (part, whole) = match (percent, other_percent) {
        (true, false) => (expr, other),
        (false, true) => (other, expr),
        _ => return false,
    };
    let hundredth = Rational::new(1, 100);
    let fraction = part
        .as_number()
        .zip(hundredth)
        .and_then(|(part, hundredth)| part.mul(hundredth));
    fraction.is_some() && fraction == whole.as_number()
}
