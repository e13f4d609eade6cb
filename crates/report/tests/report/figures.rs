//! What figures show of known records.

use crate::common::{Bench, text};

/// The figure of the entropy audit.
fn audit(tasks: &[&str], methods: &[&str]) -> String {
    let bench = Bench::new(tasks, methods, 2).with_figures();
    bench.run_all();
    text(&bench.build(), "control/control-entropy.svg").to_owned()
}

/// How often a text stands in the drawing.
fn count(svg: &str, words: &str) -> usize {
    svg.lines().filter(|line| line.trim() == words).count()
}

#[test]
fn the_audit_has_a_panel_for_each_quantity_of_each_task() {
    let quantities = [
        "return",
        "mean entropy (nats)",
        "lowest entropy (nats)",
        "below target (%)",
        "σ at minimum (%)",
        "δ (nats)",
    ];
    for (tasks, width) in [
        (&["mini/reacher"][..], "width=\"241pt\""),
        (&["mini/reacher", "gym/half-cheetah"], "width=\"504pt\""),
    ] {
        let svg = audit(tasks, &["sac", "sac-era"]);
        assert!(svg.contains(width), "{svg}");
        for words in quantities.iter().chain(["target entropy"].iter()) {
            let expected = match *words {
                "target entropy" => 1,
                _ => tasks.len(),
            };
            assert_eq!(count(&svg, words), expected, "{words}: {svg}");
        }
        for words in tasks.iter().chain(&["sac, n = 2", "sac-era, n = 2"]) {
            assert_eq!(count(&svg, words), 1, "{words}: {svg}");
        }
    }
}

#[test]
fn the_audit_leaves_out_what_no_run_recorded() {
    let svg = audit(&["mini/reacher"], &["sac"]);
    for words in ["return", "mean entropy (nats)", "lowest entropy (nats)"] {
        assert_eq!(count(&svg, words), 1, "{words}: {svg}");
    }
    for words in [
        "below target (%)",
        "σ at minimum (%)",
        "δ (nats)",
        "target entropy",
    ] {
        assert_eq!(count(&svg, words), 0, "{words}: {svg}");
    }
}
