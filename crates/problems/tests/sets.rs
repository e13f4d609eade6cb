//! The generated sets: what they ask, that they are what they were, and that their splits share nothing.

use std::collections::BTreeSet;

use era_problems::grader::Grade;
use era_problems::sets::{
    ChainSum, ChainSumWords, Countdown, Generated, Modular, Set, SetError, evaluate,
};
use era_problems::{Answer, Problem, Problems, Split, Tokenizer};

/// Sets of several sizes.
fn sets() -> Vec<Set> {
    vec![
        ChainSum::default().into(),
        ChainSum {
            terms: 2,
            digits: 1,
        }
        .into(),
        ChainSum {
            terms: 16,
            digits: 9,
        }
        .into(),
        Modular::default().into(),
        Modular {
            terms: 2,
            modulus: 2,
        }
        .into(),
        Modular {
            terms: 8,
            modulus: 97,
        }
        .into(),
        Countdown::default().into(),
        Countdown {
            numbers: 2,
            largest: 5,
            target: 10,
        }
        .into(),
        Countdown {
            numbers: 6,
            largest: 100,
            target: 9999,
        }
        .into(),
        Countdown {
            numbers: 6,
            largest: 100,
            target: 10,
        }
        .into(),
        ChainSumWords::default().into(),
        ChainSumWords {
            terms: 8,
            largest: 999,
        }
        .into(),
    ]
}

fn made(set: &Set, split: Split, seed: u64) -> Generated {
    Generated::new(set.clone(), split, seed).unwrap_or_else(|error| panic!("{set:?}: {error}"))
}

/// What a problem says whatever the order: the sorted pieces of its prompt.
fn meaning(problem: &Problem) -> Vec<String> {
    if let Answer::Countdown { numbers, target } = &problem.answer {
        let mut numbers = numbers.clone();
        numbers.sort_unstable();
        return vec![format!("{numbers:?} {target}")];
    }
    if problem.prompt.contains('%') {
        return vec![problem.prompt.clone()];
    }
    let sum = problem
        .prompt
        .replace(" plus ", "+")
        .replace("What is ", "");
    let sum = sum.split(['=', '?']).next().unwrap_or("");
    let mut terms: Vec<String> = sum.split('+').map(str::to_owned).collect();
    terms.sort_unstable();
    terms
}

#[test]
fn train_and_test_share_nothing() {
    for set in sets() {
        let seen = |split, seed| -> BTreeSet<_> {
            let made = made(&set, split, seed);
            (0..2000)
                .map(|index| meaning(&made.problem(index)))
                .collect()
        };
        let train = seen(Split::Train, 0);
        let test = seen(Split::Test, 1);
        assert!(!train.is_empty() && !test.is_empty());
        assert!(train.is_disjoint(&test), "{set:?}");
    }
}

#[test]
fn sums_of_other_sizes_are_apart_too() {
    let problems = |terms, split| -> BTreeSet<_> {
        let made = made(&ChainSum { terms, digits: 1 }.into(), split, 0);
        (0..3000).map(|index| made.problem(index).prompt).collect()
    };
    for terms in 2..5 {
        assert!(problems(terms, Split::Train).is_disjoint(&problems(terms, Split::Test)));
    }
}

#[test]
fn every_problem_is_solved_by_its_solution_alone() {
    for set in sets() {
        for split in [Split::Train, Split::Test] {
            let made = made(&set, split, 3);
            for index in 0..500 {
                let problem = made.problem(index);
                assert_eq!(
                    problem.grade(&problem.solution),
                    Grade::Correct,
                    "{problem:?}"
                );
                assert_eq!(problem.grade(""), Grade::Unanswered, "{problem:?}");
                assert_ne!(
                    problem.grade("\\boxed{1000001}"),
                    Grade::Correct,
                    "{problem:?}"
                );
                // The question itself is no answer.
                assert_ne!(
                    problem.grade(problem.prompt.trim_end_matches('=')),
                    Grade::Correct,
                    "{problem:?}"
                );
                if !matches!(set, Set::ChainSumWords(_)) {
                    let whole = format!("{}{}", problem.prompt, problem.solution);
                    let tokens = Tokenizer.encode(&whole).unwrap();
                    assert_eq!(Tokenizer.decode(&tokens).unwrap(), whole);
                }
            }
        }
    }
}

#[test]
fn answers_are_what_the_prompts_say() {
    for set in sets() {
        let made = made(&set, Split::Train, 5);
        for problem in (0..500).map(|index| made.problem(index)) {
            let Answer::Integer(answer) = problem.answer else {
                continue;
            };
            let text = problem.prompt.trim_end_matches('=');
            let (text, modulus) = text.split_once('%').unwrap_or((text, ""));
            let value = evaluate(text).unwrap().value;
            let expected = modulus
                .parse()
                .map_or(value, |modulus| value.rem_euclid(modulus));
            assert_eq!(answer, expected, "{problem:?}");
        }
    }
}

#[test]
fn countdown_targets_lie_in_range() {
    let set = Countdown {
        numbers: 4,
        largest: 25,
        target: 300,
    };
    let made = made(&set.into(), Split::Train, 0);
    for problem in (0..2000).map(|index| made.problem(index)) {
        let Answer::Countdown { numbers, target } = &problem.answer else {
            panic!("{problem:?}");
        };
        assert_eq!(numbers.len(), 4);
        assert!(numbers.iter().all(|number| (1..=25).contains(number)));
        assert!(
            (1..=300).contains(target) && !numbers.contains(target),
            "{problem:?}"
        );
        assert_ne!(problem.grade(&target.to_string()), Grade::Correct);
    }
}

#[test]
fn a_problem_depends_on_its_numbers_alone() {
    for set in sets() {
        let first = made(&set, Split::Train, 7);
        let again = made(&set, Split::Train, 7);
        let backwards: Vec<_> = (0..50).rev().map(|index| again.problem(index)).collect();
        let forwards: Vec<_> = (0..50).map(|index| first.problem(index)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        let other = made(&set, Split::Train, 8);
        assert!(
            (0..50).any(|index| other.problem(index).prompt != forwards[index as usize].prompt)
        );
    }
}

#[test]
fn about_an_eighth_is_tested() {
    let set = ChainSum {
        terms: 2,
        digits: 1,
    };
    let count = |split| -> usize {
        let made = made(&set.into(), split, 0);
        let all: BTreeSet<_> = (0..5000)
            .map(|index| meaning(&made.problem(index)))
            .collect();
        all.len()
    };
    let (train, test) = (count(Split::Train), count(Split::Test));
    // All 55 sums of two digits, each in one split.
    assert_eq!(train + test, 55);
    assert!((2..=14).contains(&test), "{test}");
}

#[test]
fn parameters_out_of_range_are_named() {
    let check = |set: Set| {
        Generated::new(set, Split::Train, 0)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        check(
            ChainSum {
                terms: 1,
                digits: 2
            }
            .into()
        ),
        "make set chain-sum: terms is 1, expected 2 to 16"
    );
    assert!(
        check(
            ChainSum {
                terms: 2,
                digits: 10
            }
            .into()
        )
        .contains("digits is 10")
    );
    for modulus in [0, 1, 4, 91, 98] {
        let text = check(Modular { terms: 2, modulus }.into());
        assert!(text.contains("expected a prime"), "{text}");
    }
    assert!(
        check(
            Countdown {
                numbers: 7,
                largest: 9,
                target: 99
            }
            .into()
        )
        .contains("numbers is 7")
    );
    assert!(
        check(
            ChainSumWords {
                terms: 2,
                largest: 1000
            }
            .into()
        )
        .contains("largest is 1000")
    );
    let error = SetError::TooSmall {
        set: "x",
        parameters: "terms=2".to_owned(),
        split: Split::Test,
    };
    assert_eq!(
        error.to_string(),
        "make set x: terms=2 leaves no problem for split test"
    );
}

#[test]
fn sets_are_written_with_their_name() {
    let set: Set = serde_json::from_str(r#"{"set": "chain-sum", "terms": 4}"#).unwrap();
    assert_eq!(
        set,
        ChainSum {
            terms: 4,
            digits: 2
        }
        .into()
    );
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(text, r#"{"set":"chain-sum","terms":4,"digits":2}"#);
    assert!(serde_json::from_str::<Set>(r#"{"set": "chain-sum", "term": 4}"#).is_err());
    assert!(serde_json::from_str::<Set>(r#"{"set": "sums"}"#).is_err());
}

/// The problems themselves, as this crate made them first: stored results belong to these.
#[test]
fn the_first_problems_stay() {
    let first = |set: Set, split| {
        let made = made(&set, split, 0);
        [0, 1].map(|index| {
            let problem = made.problem(index);
            format!("{}{}", problem.prompt, problem.solution)
        })
    };
    let sets: [Set; 4] = [
        ChainSum::default().into(),
        Modular::default().into(),
        Countdown::default().into(),
        ChainSumWords::default().into(),
    ];
    let found: Vec<_> = sets
        .iter()
        .flat_map(|set| [Split::Train, Split::Test].map(|split| first(set.clone(), split)))
        .collect();
    let boxed = |sum: &str, value: u32| {
        format!(
            "What is {sum}? Put the final answer, in digits, within \\boxed{{}}.\\boxed{{{value}}}"
        )
    };
    let expected = [
        ["65+80+90=235", "83+3+2=88"].map(str::to_owned),
        ["14+4+53=71", "67+53+0=120"].map(str::to_owned),
        ["(4-7*1)%11=8", "(4+1*4)%11=8"].map(str::to_owned),
        ["(3+7+8)%11=7", "(4-4*3)%11=3"].map(str::to_owned),
        ["5 1 1:4=5-1", "10 15 5:20=10+15-5"].map(str::to_owned),
        ["15 7 19:12=19-7", "12 20 16:4=20-16"].map(str::to_owned),
        [
            boxed("fifty-nine plus seventy", 129),
            boxed("forty-three plus sixty-seven", 110),
        ],
        [
            boxed("seventy-eight plus fifty-six", 134),
            boxed("thirty-three plus fifty-seven", 90),
        ],
    ];
    assert_eq!(found, expected, "{found:#?}");
}
