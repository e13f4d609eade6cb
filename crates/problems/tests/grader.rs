//! The grader against tables of answers that it has to accept and to reject, and against anything.

use std::fmt::Write;

use era_problems::grader::{Grade, equivalent, extract, grade};
use proptest::prelude::*;

/// The rows of a table: number of the line, whether to accept, reference, answer.
fn rows(table: &'static str) -> impl Iterator<Item = (usize, bool, &'static str, &'static str)> {
    let lines = table.lines().enumerate();
    lines
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(at, line)| {
            let fields: Vec<_> = line.split('\t').collect();
            let [verdict @ ("accept" | "reject"), reference, answer] = fields[..] else {
                panic!("line {}: {line:?}", at + 1);
            };
            (at + 1, verdict == "accept", reference, answer)
        })
}

#[test]
fn answers() {
    let (mut count, mut wrong) = (0, String::new());
    for (line, accept, reference, answer) in rows(include_str!("grader/answers.tsv")) {
        count += 1;
        if equivalent(reference, answer) != accept {
            writeln!(wrong, "line {line}: {reference} and {answer}: not {accept}").unwrap();
        }
        // A reference is its own answer, and what is different stays so in a box.
        if !equivalent(reference, reference) {
            writeln!(wrong, "line {line}: {reference} is not itself").unwrap();
        }
        let response = format!("Step 3: so it is $\\boxed{{{answer}}}$.");
        let whole = extract(&response).is_some_and(|found| found.text == answer);
        if whole && grade(reference, &response).is_correct() != accept {
            writeln!(
                wrong,
                "line {line}: {reference} and {answer}: not {accept} in a box"
            )
            .unwrap();
        }
    }
    assert!(count >= 200, "{count}");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn responses() {
    let mut wrong = String::new();
    for (line, accept, reference, response) in rows(include_str!("grader/responses.tsv")) {
        let response = response.replace("\\n", "\n");
        if grade(reference, &response).is_correct() != accept {
            let found = extract(&response);
            writeln!(wrong, "line {line}: {reference}: {found:?}: not {accept}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Each of these made some grader slow or deep: nesting, brackets that never close, markers without an answer.
#[test]
fn long_inputs_end() {
    let units = [
        "\\boxed{",
        "{",
        "}",
        "(",
        "[",
        "\\frac",
        "\\frac{",
        "\\sqrt{",
        "x^{",
        "-",
        "-(",
        "1+",
        "1,",
        "1 ",
        "answer is ",
        "answer is . ",
        "#### ",
        "#### a ",
        "answer:**",
        "\\pm ",
        "=",
        "x=(",
        "!",
        "^2",
        "sin ",
        "\\text{",
        "2\\frac{",
        "1/",
        "_",
        "\\cup ",
        "{,}",
        "$",
        "9",
        ".",
        "e5",
        "é",
        "\\",
        "\u{200b}",
    ];
    for unit in units {
        let long = unit.repeat(100_000 / unit.len());
        assert_ne!(grade("5", &long), Grade::Correct, "{unit}");
        assert!(!equivalent("5", &format!("{long}7")), "{unit}");
        let short = unit.repeat(4000 / unit.len());
        assert!(!equivalent("5", &format!("{short}7")), "{unit}");
        equivalent(&short, &short);
        grade(&short, &format!("{long} \\boxed{{{short}}}"));
    }
}

/// Pieces that mean something to the grader, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\\frac",
        "{",
        "}",
        "\\{",
        "\\}",
        "(",
        ")",
        "[",
        "]",
        "1",
        "23",
        "0",
        ".",
        ",",
        " ",
        "\\sqrt",
        "^",
        "_",
        "x",
        "ab",
        "\\pm",
        "\\cup",
        "=",
        "<",
        "\\le",
        "-",
        "+",
        "*",
        "/",
        "!",
        "%",
        "\\text{",
        "cm",
        "pi",
        "e",
        "10",
        "A",
        "\\overline{",
        "\\boxed{",
        "answer is",
        "####",
        "million",
        "sin",
        "\\circ",
        "$",
        "é",
        "and",
        "\\",
        "1e9",
        "é",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics(reference in ".{0,40}", response in "(?s).{0,80}") {
        grade(&reference, &response);
        equivalent(&reference, &response);
    }

    #[test]
    fn no_formula_panics_and_each_is_itself(text in pieces(), other in pieces()) {
        grade(&other, &text);
        // Space at either end means nothing.
        prop_assert_eq!(equivalent(&text, &text), equivalent(&text, &format!(" {text} ")));
    }

    #[test]
    fn no_answer_is_two_numbers(before in pieces(), after in pieces()) {
        let text = format!("{before}7{after}");
        let numbers = ["7", "8", "-7", "1/7", "77", "7, 8", "x", "7\\pi"];
        let accepted: Vec<_> = numbers.iter().filter(|number| equivalent(number, &text)).collect();
        prop_assert!(accepted.len() <= 1, "{}: {:?}", text, accepted);
    }

    #[test]
    fn fractions_are_equal_when_cross_products_are(a in -30i64..30, b in 1i64..30, c in -30i64..30, d in 1i64..30) {
        let same = a * d == c * b;
        prop_assert_eq!(equivalent(&format!("{a}/{b}"), &format!("\\frac{{{c}}}{{{d}}}")), same);
        let decimal = format!("{}.{:02}", a / 4, a.unsigned_abs() % 4 * 25);
        if a >= 0 {
            prop_assert!(equivalent(&format!("{a}/4"), &decimal), "{}", decimal);
        }
    }

    #[test]
    fn integers_equal_only_themselves(a in any::<i64>(), b in any::<i64>()) {
        prop_assert_eq!(equivalent(&a.to_string(), &b.to_string()), a == b);
        let response = format!("The answer is {a}.");
        prop_assert_eq!(grade(&a.to_string(), &response), Grade::Correct);
        let response = format!("It comes to {a}");
        prop_assert_eq!(grade(&a.to_string(), &response), Grade::Correct);
    }
}
