//! Engines held to each other.

use crate::support::Folder;

/// An experiment that nothing here looks at.
const NONE: &str = "suite: mock\nabout: none\nmatrix: {task: mock, method: [mock], seed: 1}\nscales: {smoke: {}}\n";

#[test]
fn the_engines_of_this_build_agree() {
    if !cfg!(feature = "libtorch") {
        println!(
            "this build has one engine, so nothing was compared (--features era-cli/libtorch)"
        );
        return;
    }
    let ended = Folder::with(NONE).era("verify --engines flex,libtorch");
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for suite in ["control", "vision", "llm"] {
        let lines = ended.out.lines().filter(|line| line.starts_with(suite));
        assert_eq!(lines.count(), 2, "{}", ended.out);
    }
    let pairs = ended.out.matches("flex, libtorch ").count();
    assert_eq!(pairs, 3, "{}", ended.out);
    // Two engines that agree to the last bit are one that was computed twice.
    assert!(
        !ended.out.contains("NaN") && ended.out.contains("e-7"),
        "{}",
        ended.out
    );
}

#[test]
fn engines_that_cannot_be_compared_are_told() {
    let folder = Folder::with(NONE);
    for (given, code, said) in [
        ("flex", 2, "two engines or more"),
        ("flex,", 2, "two engines or more"),
        ("flex,abacus", 5, "there is no such engine"),
        ("flex,flex:1", 5, "there are 1"),
    ] {
        let ended = folder.era(&format!("verify --engines {given}"));
        assert_eq!(ended.code, Some(code), "{given}: {}", ended.err);
        assert!(ended.err.contains(said), "{given}: {}", ended.err);
        assert!(ended.out.is_empty(), "{given}: {}", ended.out);
    }
}
