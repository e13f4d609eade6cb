//! Reading problems from files: the published layouts, and files that are wrong.

use std::path::Path;

use era_problems::Problems;
use era_problems::files::{FileError, Files};
use proptest::prelude::*;

fn write(folder: &Path, name: &str, contents: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), contents).expect("a temporary folder can be written");
}

#[test]
fn the_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    write(
        place,
        "b.jsonl",
        concat!(
            "\u{feff}",
            r#"{"question": "How many?", "answer": "2 * 21 = <<2*21=42>>42\n#### 1,042", "extra": [1]}"#,
            "\r\n\n",
            r#"{"problem": "Half?", "level": 3, "solution": "So $\\boxed{\\frac{1}{2}}$.", "answer": null}"#,
        ),
    );
    write(
        place,
        "a.jsonl",
        concat!(
            r#"{"problem": "AIME", "answer": 204}"#,
            "\n",
            r#"{"question": "AMC", "answer": "A", "solution": "none"}"#,
            "\n",
        ),
    );
    write(place, "notes.txt", "not read");
    let files = Files::open(place).unwrap();
    assert_eq!(files.len(), Some(4));
    assert!(!files.is_empty());
    let expected = [
        ("a.jsonl:1", "AIME", "The answer is 204."),
        ("a.jsonl:2", "AMC", "The answer is (A)."),
        ("b.jsonl:1", "How many?", "#### 1042"),
        ("b.jsonl:3", "Half?", r"\boxed{0.5}"),
    ];
    for (index, (id, prompt, response)) in expected.into_iter().enumerate() {
        let problem = files.problem(index as u64);
        assert_eq!((problem.id.as_str(), problem.prompt.as_str()), (id, prompt));
        assert!(problem.grade(response).is_correct(), "{problem:?}");
        assert!(problem.grade(&problem.solution).is_correct(), "{problem:?}");
        assert!(!problem.grade("The answer is 7.").is_correct());
        assert_eq!(problem, files.problems()[index]);
    }
    assert_eq!(Files::open(&place.join("a.jsonl")).unwrap().len(), Some(2));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let cases = [
        ("{", "not JSON at column"),
        ("[1]", "expected an object"),
        (r#"{"answer": "1"}"#, "neither `problem` nor `question`"),
        (
            r#"{"problem": "a", "question": "b", "answer": "1"}"#,
            "both `problem` and `question`",
        ),
        (r#"{"problem": "a"}"#, "neither `answer` nor `solution`"),
        (
            r#"{"problem": 3, "answer": "1"}"#,
            "`problem` is not a text",
        ),
        (r#"{"problem": " ", "answer": "1"}"#, "`problem` is empty"),
        (r#"{"problem": "a", "answer": ""}"#, "`answer` is empty"),
        (
            r#"{"problem": "a", "answer": [1]}"#,
            "`answer` is not a text",
        ),
        (r#"{"problem": "a", "answer": 0.1}"#, "decimal number"),
        (
            r#"{"question": "a", "answer": "1 ####"}"#,
            "nothing behind its last ####",
        ),
        (r#"{"problem": "a", "solution": "it is 5"}"#, "no \\boxed{}"),
        (
            r#"{"problem": "a", "solution": "\\boxed{}"}"#,
            "no \\boxed{}",
        ),
    ];
    for (line, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let good = r#"{"problem": "a", "answer": "1"}"#;
        write(
            folder.path(),
            "x.jsonl",
            format!("{good}\n\n{line}\n{good}\n"),
        );
        let error = Files::open(folder.path()).unwrap_err();
        assert!(matches!(error, FileError::Line { line: 3, .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("x.jsonl, line 3: ") && text.contains(expected),
            "{text}"
        );
    }
}

#[test]
fn files_that_are_not_there_or_hold_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let error = Files::open(&place.join("none")).unwrap_err();
    assert!(matches!(error, FileError::Io { .. }), "{error}");
    let error = Files::open(place).unwrap_err();
    assert!(matches!(error, FileError::NoFiles { .. }), "{error}");
    write(place, "x.jsonl", "\n  \n");
    let error = Files::open(place).unwrap_err();
    assert!(matches!(error, FileError::Empty { .. }), "{error}");
    write(place, "x.jsonl", b"{\"problem\": \"\xff\"}");
    let text = Files::open(place).unwrap_err().to_string();
    assert!(text.ends_with("line 1: byte 14 is not UTF-8"), "{text}");
}

#[test]
fn the_digest_is_of_names_and_contents() {
    let digest = |name: &str, contents: &str| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), name, contents);
        Files::open(folder.path()).unwrap().digest().to_owned()
    };
    let line = r#"{"problem": "a", "answer": "1"}"#;
    let first = digest("x.jsonl", line);
    assert_eq!(first.len(), 64);
    assert_eq!(first, digest("x.jsonl", line));
    assert_ne!(first, digest("y.jsonl", line));
    assert_ne!(first, digest("x.jsonl", &format!("{line}\n")));
}

proptest! {
    #[test]
    fn no_contents_panic(contents in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x.jsonl", contents);
        let _ = Files::open(folder.path());
    }
}
