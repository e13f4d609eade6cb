//! The numbers in what benchmarks print, and the table of them.

/// A library's speed, in environment steps, images or tokens a second.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) mean: f64,
    pub(super) fastest: f64,
    /// The machine's load after the measurement, where the system says it.
    pub(super) load: Option<f64>,
}

/// Libraries beside our own.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What our benchmark says (see `peers`); `None` where it is not there.
    pub(super) ours: Option<f64>,
    pub(super) peers: Vec<Row>,
}

/// A section as text. The ratio is above 1 where ours is faster, and compares with the fastest stretch of theirs.
pub(super) fn render(section: &Section) -> String {
    let Section { title, ours, peers } = section;
    let mut text = format!("{title}\n");
    let mut line = |name: &str, mean: &str, fastest: &str, ratio: &str, load: &str| {
        let line = format!("  {name:<14}{mean:>10}{fastest:>10}{ratio:>10}{load:>8}");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line("", "mean", "fastest", "ours/it", "load");
    let own = ours.map_or_else(|| "-".to_owned(), speed);
    line("ours", "", &own, "", "");
    for Row {
        name,
        mean,
        fastest,
        load,
    } in peers
    {
        line(
            name,
            &speed(*mean),
            &speed(*fastest),
            &ours.map_or_else(|| "-".to_owned(), |ours| format!("{:.2}", ours / fastest)),
            &load.map_or_else(String::new, |load| format!("{load:.1}")),
        );
    }
    text
}

/// Whole numbers are too coarse for the images a second of a large network.
fn speed(speed: f64) -> String {
    let places = if speed < 99.95 { 1 } else { 0 };
    format!("{speed:.places$}")
}

/// The number of the field `name` in one line of JSON. Enough for what our scripts print: no string in it has a quote.
pub(super) fn number(json: &str, name: &str) -> Option<f64> {
    let (_, after) = json.split_once(&format!("\"{name}\":"))?;
    let end = after.find([',', '}', ']'])?;
    after[..end].trim().parse().ok()
}

/// What criterion found of a benchmark, in nanoseconds an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) median: f64,
    /// Standard deviation of its samples.
    pub(super) deviation: f64,
}

/// The benchmark `name` in criterion's format `bencher`: `test NAME ... bench:   5,412,345 ns/iter (+/- 12,345)`.
pub(super) fn measured(output: &str, name: &str) -> Option<Measured> {
    let start = format!("test {name} ... bench:");
    let rest = output
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(&start))?;
    let (median, rest) = rest.split_once("ns/iter (+/-")?;
    let (deviation, _) = rest.split_once(')')?;
    let number = |text: &str| text.trim().replace(',', "").parse().ok();
    let (median, deviation) = (number(median)?, number(deviation)?);
    (median > 0.0).then_some(Measured { median, deviation })
}

/// The nanoseconds of the benchmark `name` in the same format.
pub(super) fn nanoseconds(output: &str, name: &str) -> Option<f64> {
    Some(measured(output, name)?.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_json() {
        let line = r#"{"what": "sac_speed", "fastest": 167.4, "window": 300, "versions": {"jax": "0.10.2"}, "load_1m": 1e-1}"#;
        assert_eq!(number(line, "fastest"), Some(167.4));
        assert_eq!(number(line, "window"), Some(300.0));
        assert_eq!(number(line, "load_1m"), Some(0.1));
        assert_eq!(number(line, "jax"), None, "a string");
        assert_eq!(number(line, "fast"), None, "half a name");
        assert_eq!(number("", "fastest"), None);
        assert_eq!(number(r#"{"fastest": 16"#, "fastest"), None, "cut off");
    }

    #[test]
    fn nanoseconds_are_found_in_what_criterion_prints() {
        let output = "\
test product/256x256x256 ... bench:     197,012 ns/iter (+/- 1,204)

test step/gym/half-cheetah/2x256/sac ... bench:   5,412,345 ns/iter (+/- 90,001)
test step/gym/half-cheetah/2x256/sac-era ... bench:           0 ns/iter (+/- 0)
";
        let of = |name: &str| nanoseconds(output, name);
        assert_eq!(of("product/256x256x256"), Some(197_012.0));
        let measured = measured(output, "product/256x256x256").unwrap();
        assert_eq!(measured.deviation, 1_204.0);
        assert_eq!(of("step/gym/half-cheetah/2x256/sac"), Some(5_412_345.0));
        assert_eq!(of("step/gym/half-cheetah/2x256/sac-era"), None);
        assert_eq!(of("step/gym/half-cheetah/2x64/ppo"), None);
    }

    #[test]
    fn ratios_compare_fastest_stretches() {
        let mut section = Section {
            title: "SAC",
            ours: Some(180.0),
            peers: vec![Row {
                name: "sb3".to_owned(),
                mean: 99.94,
                fastest: 120.0,
                load: Some(1.04),
            }],
        };
        let expected = "\
SAC
                      mean   fastest   ours/it    load
  ours                           180
  sb3                 99.9       120      1.50     1.0
";
        assert_eq!(render(&section), expected);
        section.ours = None;
        section.peers[0].load = None;
        let text = render(&section);
        assert!(!text.contains("1.50") && text.contains('-'), "{text}");
    }
}
