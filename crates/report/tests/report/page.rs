//! The page to look at: what is in it, and what nobody may put into it.

use std::collections::BTreeSet;

use era_harness::Params;
use era_report::PAGE;

use crate::common::{Bench, ODD, cell};
use crate::{llm, vision};

/// Two tasks, three methods, three seeds, every table and figure of control.
pub(crate) fn control() -> Bench {
    let tasks = ["mini/reacher", "gym/half-cheetah"];
    let bench = Bench::new(&tasks, &["sac", "sac-era", "sac-no-entropy"], 3).with_figures();
    bench.run_all();
    bench
}

/// Some regularisers on two data sets, beside published numbers.
pub(crate) fn classification() -> Bench {
    let configurations = [
        ("cross-entropy", None),
        ("label-smoothing", Some(("smoothing", 0.1))),
        ("dropout", Some(("dropout", 0.1))),
        ("dropout", Some(("dropout", 0.2))),
        ("era", Some(("target_entropy", 1.2))),
    ];
    let bench = vision::study(&["cifar10", "fashion-mnist"], &configurations, 2);
    bench.run_all();
    bench
}

pub(crate) fn language_models() -> Bench {
    let bench = llm::study(&["chain-sum"], &["grpo", "grpo-era"], &Params::new(), 2);
    bench.run_all();
    bench
}

/// The page as XML: HTML that is written so strictly is both. Style and script are not; they are left out.
fn parsed<T>(page: &str, look: impl FnOnce(&roxmltree::Document<'_>) -> T) -> T {
    let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let mut text = body.to_owned();
    for name in ["style", "script"] {
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        let (before, rest) = text.split_once(&start).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        text = format!("{before}{after}");
    }
    look(&roxmltree::Document::parse(&text).unwrap())
}

fn pages() -> [(&'static str, Bench); 3] {
    [
        ("control", control()),
        ("vision", classification()),
        ("llm", language_models()),
    ]
}

#[test]
fn every_page_is_well_formed_and_its_links_lead_somewhere() {
    for (name, bench) in pages() {
        parsed(&bench.build().page, |page| {
            let attributes = |name: &'static str| {
                let elements = page.descendants();
                elements.filter_map(move |element| element.attribute(name).map(str::to_owned))
            };
            let mut ids = BTreeSet::new();
            for id in attributes("id") {
                assert!(ids.insert(id.clone()), "{name}: {id} is there twice");
            }
            let mut links = 0;
            for (attribute, list) in [
                ("href", false),
                ("aria-labelledby", true),
                ("popovertarget", true),
            ] {
                for target in attributes(attribute) {
                    let id = match list {
                        true => target.as_str(),
                        false => target.strip_prefix('#').unwrap(),
                    };
                    assert!(ids.contains(id), "{name}: {attribute} {target}");
                    links += 1;
                }
            }
            assert!(links > 40, "{name}: {links}");
        });
    }
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    for (name, bench) in pages() {
        let page = bench.build().page;
        for loads in [
            "http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "<img", "fetch(",
        ] {
            assert!(!page.contains(loads), "{name}: {loads}");
        }
        assert!(page.contains("default-src 'none'"), "{name}");
        assert!(page.len() < 400_000, "{name}: {} bytes", page.len());
    }
}

#[test]
fn the_same_records_make_the_same_page_and_it_is_not_checked() {
    let bench = control();
    let report = bench.build();
    assert!(report.page == bench.build().page);
    assert!(report.files.keys().all(|file| !file.ends_with(PAGE)));
    let folder = bench.paper.join("generated/cpu");
    report.write(&folder).unwrap();
    let page = report.write_page(&folder).unwrap();
    assert_eq!(std::fs::read_to_string(&page).unwrap(), report.page);
    std::fs::write(&page, "another time on another machine").unwrap();
    assert!(report.check(&folder).unwrap().is_empty());
    report.write_page(&folder).unwrap();
    assert_eq!(std::fs::read_to_string(&page).unwrap(), report.page);
}

/// The text of an element and all in it.
fn words(element: roxmltree::Node<'_, '_>) -> String {
    let texts = element
        .descendants()
        .filter_map(|inner| inner.text().filter(|_| inner.is_text()));
    texts
        .collect::<String>()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_number_of_the_paper_is_there_with_exactly_its_cells() {
    for (name, bench) in pages() {
        let report = bench.build();
        let provenance = &report.files[&format!("{name}/provenance.json")];
        let provenance: serde_json::Value = serde_json::from_slice(provenance).unwrap();
        parsed(&report.page, |page| {
            let find = |attribute: &str, value: &str| {
                let mut all = page.descendants();
                all.find(|element| element.attribute(attribute) == Some(value))
            };
            for number in provenance["numbers"].as_array().unwrap() {
                let about = number["about"].as_str().unwrap();
                // Every k of pass@k is a macro; the table has the first and the last, the figure all.
                if ["pass@2 ", "pass@4 ", "pass@8 ", "pass@16 "]
                    .iter()
                    .any(|some| about.contains(some))
                {
                    continue;
                }
                let shown = find("data-macro", number["macro"].as_str().unwrap());
                let shown = shown.unwrap_or_else(|| panic!("{about} is not there"));
                let printed = number["printed"].as_str().unwrap().replace('-', "\u{2212}");
                assert_eq!(words(shown), printed, "{about}");
                assert_eq!(shown.attribute("title"), Some(about));
                let list = find("id", shown.attribute("popovertarget").unwrap()).unwrap();
                let listed = words(list);
                let cells = number["cells"].as_array().unwrap();
                for cell in cells {
                    assert!(listed.contains(cell.as_str().unwrap()), "{about}: {listed}");
                }
                let rows = list
                    .descendants()
                    .filter(|element| element.has_tag_name("tr"))
                    .count();
                assert_eq!(rows, 1 + cells.len(), "{about}");
                assert!(listed.contains("0123abc"), "no commit: {listed}");
            }
            let all = words(page.root_element());
            for cell in &bench.study.cells {
                assert!(
                    all.contains(&format!("cpu/{}/{}", cell.suite, cell.id())),
                    "{}",
                    cell.id()
                );
            }
        });
    }
}

#[test]
fn published_numbers_have_their_source() {
    for bench in [classification(), language_models()] {
        let report = bench.build();
        let name = &bench.study.experiment;
        let provenance = &report.files[&format!("{name}/provenance.json")];
        let provenance: serde_json::Value = serde_json::from_slice(provenance).unwrap();
        parsed(&report.page, |page| {
            let all = words(page.root_element());
            for quoted in provenance["published"].as_array().unwrap() {
                for part in ["printed", "id", "what", "source", "where"] {
                    let part = quoted[part].as_str().unwrap();
                    let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(
                        all.contains(&part) || all.contains(&part.replace('-', "\u{2212}")),
                        "{part}"
                    );
                }
            }
        });
    }
}

#[test]
fn odd_names_stay_names() {
    const TASK: &str = "<script>alert('1')</script>&amp;\"x\"";
    let mut bench = Bench::new(&[TASK, "mini/reacher"], &["sac", ODD], 2).with_figures();
    bench.study.experiment = "<b>bold</b> & \"more\"".into();
    bench.study.about = "</style></script><img src=x onerror='alert(1)'>{{ 7 * 7 }}".into();
    bench.run_all();
    let page = bench.build().page;
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(
        !page.contains("<img") && !page.contains("<b>bold"),
        "{page}"
    );
    parsed(&page, |page| {
        let all = words(page.root_element());
        for name in [TASK, ODD, &bench.study.experiment, &bench.study.about] {
            assert!(all.contains(name), "{name}");
        }
    });
}

#[test]
fn what_is_missing_or_failed_is_said() {
    let mut bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2).with_figures();
    let failing = Params::from([("fail".into(), true.into())]);
    bench.study.cells[1] = cell("mini/reacher", "sac", 1, failing);
    for at in [0, 1, 2] {
        bench.run(&bench.study.cells[at].clone());
    }
    parsed(&bench.build().page, |page| {
        let all = words(page.root_element());
        assert!(
            all.contains("2 of 4 cells done, 1 failed, 1 missing"),
            "{all}"
        );
        assert!(
            all.contains("asked to fail") && all.contains("not run"),
            "{all}"
        );
    });
    // Nothing at all is a page too.
    let empty = Bench::new(&["mini/reacher"], &["sac"], 2).with_figures();
    parsed(&empty.build().page, |page| {
        let all = words(page.root_element());
        assert!(
            all.contains("no cell is finished") && all.contains("0 of 2 cells done"),
            "{all}"
        );
    });
}

#[test]
fn the_smoke_scale_is_said() {
    let mut bench = Bench::new(&["mini/reacher"], &["sac"], 1);
    assert!(!bench.build().page.contains("not a result"));
    bench.scale = "smoke";
    bench.run_all();
    assert!(bench.build().page.contains("not a result"));
}

/// Headings, tables and figures as an outline.
fn outline(page: &roxmltree::Document<'_>) -> String {
    let mut lines = Vec::new();
    for element in page.descendants() {
        let line = match element.tag_name().name() {
            "h1" | "h2" | "h3" | "h4" => words(element),
            "thead" => {
                let heads = element.descendants().filter(|cell| cell.has_tag_name("th"));
                let heads: Vec<String> = heads.map(words).collect();
                format!("  {}", heads.join(" | "))
            }
            "tbody" => format!(
                "  {} rows",
                element
                    .children()
                    .filter(|row| row.has_tag_name("tr"))
                    .count()
            ),
            "label" => format!("  [x] {}", words(element)),
            "svg" if element.attribute("class") == Some("plot") => {
                format!("  {}", element.attribute("aria-label").unwrap())
            }
            _ => continue,
        };
        let hidden = element
            .ancestors()
            .any(|above| above.attribute("popover").is_some());
        if !hidden {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn a_small_page_has_this_structure() {
    let bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2).with_figures();
    bench.run_all();
    let outline = parsed(&bench.build().page, outline);
    insta::assert_snapshot!("page-outline", outline);
}
