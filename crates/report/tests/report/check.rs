//! Generated files follow records and templates to the last digit; records that are not whole are left out and said.

use crate::common::{Bench, cell, of_control, text};
use era_harness::Params;
use era_report::Stale;

fn finished() -> Bench {
    let bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2).with_figures();
    bench.run_all();
    bench
}

fn names(stale: &[Stale]) -> Vec<String> {
    stale.iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_records_make_the_same_bytes() {
    let bench = finished();
    let (first, second) = (bench.build(), bench.build());
    assert_eq!(
        first.files.keys().collect::<Vec<_>>(),
        second.files.keys().collect::<Vec<_>>()
    );
    for (file, content) in &first.files {
        assert!(*content == second.files[file], "{file}");
    }
    let folder = bench.paper.join("generated/cpu");
    assert_eq!(first.write(&folder).unwrap().len(), first.files.len());
    assert!(second.check(&folder).unwrap().is_empty());
}

#[test]
fn a_changed_digit_in_a_generated_file_is_named() {
    let bench = finished();
    let folder = bench.paper.join("generated/cpu");
    let report = bench.build();
    report.write(&folder).unwrap();
    Bench::edit(
        &folder.join("control/numbers.tex"),
        "SacReturnRuns}{2}",
        "SacReturnRuns}{3}",
    );
    std::fs::remove_file(folder.join("control/control-curves.pdf")).unwrap();
    std::fs::write(folder.join("control/left-over.tex"), "").unwrap();
    let told = names(&report.check(&folder).unwrap());
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0], "control/control-curves.pdf is missing");
    assert_eq!(told[1], "control/left-over.tex is not made from any record");
    assert!(
        told[2].starts_with("control/numbers.tex differs from line "),
        "{told:?}"
    );
}

#[test]
fn a_changed_digit_in_a_template_is_named() {
    let bench = finished();
    let folder = bench.paper.join("generated/cpu");
    bench.build().write(&folder).unwrap();
    let template = bench.paper.join("templates/control-returns.tex.j2");
    Bench::edit(&template, "multicolumn{4}", "multicolumn{5}");
    let told = names(&bench.build().check(&folder).unwrap());
    assert!(
        told.len() == 1 && told[0].starts_with("control/control-returns.tex differs"),
        "{told:?}"
    );
}

#[test]
fn a_template_that_is_missing_or_wrong_is_named() {
    let bench = finished();
    let template = bench.paper.join("templates/control-returns.tex.j2");
    std::fs::write(&template, "((( tabel )))").unwrap();
    assert!(
        bench
            .try_build()
            .unwrap_err()
            .to_string()
            .contains("control-returns.tex.j2")
    );
    std::fs::remove_file(&template).unwrap();
    assert!(
        bench
            .try_build()
            .unwrap_err()
            .to_string()
            .contains("control-returns.tex.j2")
    );
}

#[test]
fn a_changed_record_changes_what_rests_on_it() {
    let bench = finished();
    let folder = bench.paper.join("generated/cpu");
    bench.build().write(&folder).unwrap();
    // The run of another seed in place of this one, as if somebody had copied a file.
    let cells = &bench.study.cells;
    std::fs::copy(bench.metrics(&cells[1]), bench.metrics(&cells[0])).unwrap();
    let report = bench.build();
    assert_eq!(report.left_out.len(), 1);
    assert!(
        report.left_out[0].fault && report.left_out[0].reason.starts_with("damaged: "),
        "{:?}",
        report.left_out
    );
    let told = names(&report.check(&folder).unwrap());
    assert!(
        told.iter()
            .any(|line| line.starts_with("control/control-returns.tex differs")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|line| line.starts_with("control/provenance.json differs")),
        "{told:?}"
    );
}

#[test]
fn a_truncated_record_is_left_out_and_said() {
    let bench = finished();
    let metrics = bench.metrics(&bench.study.cells[0]);
    let whole = std::fs::read(&metrics).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&metrics, &whole[..length]).unwrap();
        let report = bench.build();
        assert_eq!(report.left_out.len(), 1, "cut to {length} bytes");
        let summary = report.summary(80);
        assert!(
            summary.contains("1 of 4 cells is left out") && summary.contains("damaged"),
            "{summary}"
        );
        assert!(text(&report, "control/provenance.json").contains(&bench.study.cells[0].id().0));
    }
    std::fs::write(&metrics, &whole).unwrap();
    assert!(bench.build().left_out.is_empty());
}

#[test]
fn a_flipped_bit_anywhere_never_changes_a_number_unseen() {
    let bench = finished();
    let sound = bench.build();
    let metrics = bench.metrics(&bench.study.cells[0]);
    let whole = std::fs::read(&metrics).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&metrics, &bytes).unwrap();
        let report = bench.build();
        let same = report.files["control/numbers.tex"] == sound.files["control/numbers.tex"];
        assert!(same || report.left_out.len() == 1, "byte {at}");
    }
}

#[test]
fn a_failed_run_is_left_out_with_its_reason() {
    let mut bench = finished();
    let failing = cell(
        "mini/reacher",
        "sac",
        2,
        Params::from([("fail".into(), true.into())]),
    );
    bench.run(&failing);
    bench.study.cells.push(failing);
    let report = bench.build();
    let [left_out] = report.left_out.as_slice() else {
        panic!("{:?}", report.left_out)
    };
    assert!(
        left_out.fault && left_out.reason.contains("asked to fail"),
        "{left_out:?}"
    );
}

#[test]
fn figures_say_where_they_come_from() {
    let report = finished().build();
    for figure in of_control(era_report::FIGURES) {
        let svg = text(&report, &format!("control/{figure}.svg"));
        for part in [
            "command: cargo xtask reproduce --suite control --scale cpu",
            "commits: 0123abc",
            "records: blake3:",
        ] {
            assert!(svg.contains(part), "{figure}: {part}");
        }
        let pdf = &report.files[&format!("control/{figure}.pdf")];
        assert!(pdf.starts_with(b"%PDF-"), "{figure}");
        for part in [
            &b"/Command (cargo xtask reproduce"[..],
            b"/Commits (0123abc)",
            b"/Records (blake3:",
        ] {
            assert!(
                pdf.windows(part.len()).any(|window| window == part),
                "{figure}"
            );
        }
    }
}
