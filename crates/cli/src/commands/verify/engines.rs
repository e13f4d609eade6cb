//! `era verify --engines A,B`: the first updates of a method of each suite, from the same state on the same data, on several engines.

use std::io::Write;

use era_harness::TrainError;
use era_harness::agreement::{Differences, Largest, Trace, one_bit_off};
use era_harness::run::Checkpoint;
use era_nn::Device;

use crate::device::Devices;
use crate::exit::Exit;
use crate::fault::Fault;

/// Updates that are computed; the names of the measures say it.
const UPDATES: u64 = 10;

/// A kind of difference.
struct Measure {
    name: &'static str,
    of: fn(&Differences) -> &Largest,
}

const MEASURES: [Measure; 6] = [
    Measure {
        name: "weights",
        of: |differences| &differences.start,
    },
    Measure {
        name: "loss",
        of: |differences| &differences.first_loss,
    },
    Measure {
        name: "gradients",
        of: |differences| &differences.gradients,
    },
    Measure {
        name: "parameters",
        of: |differences| &differences.after_first,
    },
    Measure {
        name: "loss 10",
        of: |differences| &differences.last_loss,
    },
    Measure {
        name: "parameters 10",
        of: |differences| &differences.after_last,
    },
];

/// A method of a suite, by its first updates.
struct Subject {
    suite: &'static str,
    about: &'static str,
    start: fn(&Device) -> Result<Checkpoint, TrainError>,
    trace: fn(&Device, &Checkpoint, u64) -> Result<Trace, TrainError>,
    /// How large each measure may be, whatever the engines. `docs/ENGINES.md` has what was measured, and why so much is allowed.
    at_most: [f64; MEASURES.len()],
}

/// One a suite.
const SUBJECTS: [Subject; 3] = [
    Subject {
        suite: "control",
        about: era_control::agreement::ABOUT,
        start: era_control::agreement::start,
        trace: era_control::agreement::trace,
        at_most: [0.0, 1e-5, 1e-5, 1e-5, 1e-5, 1e-5],
    },
    Subject {
        suite: "vision",
        about: era_vision::agreement::ABOUT,
        start: era_vision::agreement::start,
        trace: era_vision::agreement::trace,
        at_most: [0.0, 1e-5, 5e-5, 5e-5, 1e-4, 5e-2],
    },
    Subject {
        suite: "llm",
        about: era_llm::agreement::ABOUT,
        start: era_llm::agreement::start,
        trace: era_llm::agreement::trace,
        at_most: [0.0, 1e-5, 5e-5, 1e-5, 1e-5, 1e-5],
    },
];

/// How far two computations are apart.
struct Row {
    /// Which they are.
    name: String,
    differences: Differences,
    /// Whether that is limited: both are engines.
    limited: bool,
}

/// Compares every engine with every other, prints how far they are apart, and then what is further than it may be.
pub(crate) fn run(engines: &[String], out: &mut dyn Write) -> Result<Exit, Fault> {
    era_nn::one_thread();
    let mut devices = Vec::new();
    for engine in engines {
        devices.extend(Devices::named(std::slice::from_ref(engine))?.open()?);
    }
    let named: Vec<(&str, Device)> = engines.iter().map(String::as_str).zip(devices).collect();
    let table = Table::of(engines);
    table.line("", "", MEASURES.map(|measure| measure.name.to_owned()), out)?;
    let mut complaints = Vec::new();
    for subject in &SUBJECTS {
        let rows = subject.rows(&named)?;
        table.rows(subject, &rows, out)?;
        complaints.extend(rows.iter().flat_map(|row| subject.complaints(row)));
    }
    writeln!(out)?;
    for Subject { suite, about, .. } in &SUBJECTS {
        writeln!(out, "{suite:7}  {about}")?;
    }
    for complaint in &complaints {
        writeln!(out, "{complaint}")?;
    }
    match complaints[..] {
        [] => Ok(Exit::Done),
        _ => Ok(Exit::Differs),
    }
}

impl Subject {
    /// Every engine beside every one after it; and the first beside itself one bit off, by which the others can be judged. The state that
    /// all begin with is drawn on the first.
    fn rows(&self, engines: &[(&str, Device)]) -> Result<Vec<Row>, Fault> {
        let Some((first, device)) = engines.first() else {
            return Ok(Vec::new());
        };
        let start = (self.start)(device).map_err(|error| self.fault(first, &error))?;
        let trace = |(engine, device): &(&str, Device), start| {
            let trace = (self.trace)(device, start, UPDATES);
            trace.map_err(|error| self.fault(engine, &error))
        };
        let traces = engines.iter().map(|engine| trace(engine, &start));
        let traces: Vec<Trace> = traces.collect::<Result<_, _>>()?;
        let mut rows = Vec::new();
        for (index, ((ours, _), a)) in engines.iter().zip(&traces).enumerate() {
            for ((theirs, _), b) in engines.iter().zip(&traces).skip(index + 1) {
                rows.push(self.row(format!("{ours}, {theirs}"), a, b)?);
            }
        }
        let off = trace(&engines[0], &one_bit_off(&start))?;
        rows.push(Row {
            limited: false,
            ..self.row(format!("{first}, {ONE_BIT_OFF}"), &traces[0], &off)?
        });
        Ok(rows)
    }

    fn row(&self, name: String, a: &Trace, b: &Trace) -> Result<Row, Fault> {
        let differences = a.compare(b);
        Ok(Row {
            differences: differences.map_err(|error| self.fault(&name, &error))?,
            name,
            limited: true,
        })
    }

    /// What is further apart than it may be, a line each.
    fn complaints(&self, row: &Row) -> Vec<String> {
        let measures = MEASURES.iter().zip(self.at_most);
        let above = measures.filter_map(|(measure, at_most)| {
            let Largest { difference, of } = (measure.of)(&row.differences);
            (row.limited && *difference > at_most).then(|| {
                format!(
                    "{}: {}: {}: {difference:.1e} apart in {of}, {} allowed",
                    self.suite,
                    row.name,
                    measure.name,
                    allowed(at_most)
                )
            })
        });
        above.collect()
    }

    fn fault(&self, engine: &str, error: &dyn std::error::Error) -> Fault {
        Fault::Updates {
            suite: self.suite,
            engine: engine.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// The first engine from another state, as it is called.
const ONE_BIT_OFF: &str = "itself one bit off";

fn allowed(at_most: f64) -> String {
    match at_most {
        0.0 => "0".to_owned(),
        at_most => format!("{at_most:.0e}"),
    }
}

/// A column a measure.
struct Table {
    /// Width of the column with the names of two engines.
    name: usize,
}

impl Table {
    fn of(engines: &[String]) -> Self {
        let longest = engines.iter().map(String::len).max().unwrap_or(0);
        Self {
            name: longest + ", ".len() + longest.max(ONE_BIT_OFF.len()),
        }
    }

    /// What a suite allows, and what was found.
    fn rows(&self, subject: &Subject, rows: &[Row], out: &mut dyn Write) -> Result<(), Fault> {
        self.line(subject.suite, "at most", subject.at_most.map(allowed), out)?;
        for row in rows {
            let found = MEASURES.map(|measure| match (measure.of)(&row.differences).difference {
                0.0 => "0".to_owned(),
                difference => format!("{difference:.1e}"),
            });
            self.line("", &row.name, found, out)?;
        }
        Ok(())
    }

    fn line(
        &self,
        suite: &str,
        name: &str,
        columns: [String; MEASURES.len()],
        out: &mut dyn Write,
    ) -> Result<(), Fault> {
        let Self { name: width } = *self;
        write!(out, "{suite:7}  {name:width$}")?;
        for (measure, column) in MEASURES.iter().zip(columns) {
            let width = measure.name.len().max("1.0e-5".len());
            write!(out, "  {column:>width$}")?;
        }
        Ok(writeln!(out)?)
    }
}

#[cfg(test)]
mod tests {
    use era_harness::run::Array;

    use super::*;

    fn flex() -> Device {
        era_nn::device("flex", 0).unwrap()
    }

    #[test]
    fn an_engine_agrees_with_itself_to_the_last_bit() {
        for subject in &SUBJECTS {
            let rows = subject.rows(&[("a", flex()), ("b", flex())]).unwrap();
            let [same, off] = &rows[..] else {
                panic!("{} rows", rows.len());
            };
            assert_eq!(same.name, "a, b");
            assert_eq!(same.differences, Differences::default());
            assert!(subject.complaints(same).is_empty());
            assert!(off.differences.start.difference > 0.0);
            // It shows what rounding does, and is no fault of an engine.
            assert!(subject.complaints(off).is_empty());
        }
    }

    /// One weight of one array is a hundredth larger on one side.
    #[test]
    fn a_planted_fault_is_found_and_named() {
        let arrays = [
            ["actor.0.weight", "actor.0.weight"],
            ["net.layer2.0.conv1.weight", "layer2.0.conv1.weight"],
            ["policy.layers.1.qkv", "layers.1.qkv"],
        ];
        for (subject, [stored, named]) in SUBJECTS.iter().zip(arrays) {
            let start = (subject.start)(&flex()).unwrap();
            let mut faulty = start.clone();
            let Some(Array::F32(_, weights)) = faulty.arrays.get_mut(stored) else {
                panic!("{stored} is no array");
            };
            let largest = |a: &&mut f32, b: &&mut f32| a.abs().total_cmp(&b.abs());
            *weights.iter_mut().max_by(largest).unwrap() *= 1.01;
            let trace = |start| (subject.trace)(&flex(), start, UPDATES).unwrap();
            let row = subject.row("a, b".into(), &trace(&start), &trace(&faulty));
            let complaints = subject.complaints(&row.unwrap());
            let begins = |measure: &str| {
                let begin = format!("{}: a, b: {measure}: ", subject.suite);
                complaints.iter().find(|line| line.starts_with(&begin))
            };
            let weights = begins("weights").expect("its weights are others");
            assert!(weights.contains(&format!(" apart in {named}, 0 allowed")));
            assert!(begins("gradients").is_some(), "{complaints:#?}");
            assert!(begins("parameters").is_some(), "{complaints:#?}");
        }
    }
}
