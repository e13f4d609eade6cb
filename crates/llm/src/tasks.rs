//! What is learnt: problems with verifiable answers, and the policy that begins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use era_harness::Task;
use era_problems::files::Files;
use era_problems::sets::{Generated, Set};
use era_problems::{Problem, Problems, Split};

use crate::methods::sft;
use crate::start;

/// A task.
#[derive(Clone, Copy, Debug)]
pub struct TaskInfo {
    /// Name, as in experiment files.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    kind: Kind,
}

/// Where problems come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made in digits, for a policy that is trained here.
    Symbols,
    /// Made in words, for a policy that knows English.
    Words,
    /// Files.
    Files,
}

const TASKS: [TaskInfo; 5] = [
    TaskInfo {
        name: "chain-sum",
        about: "sums in digits: `3+14+7=`, for a policy trained here",
        kind: Kind::Symbols,
    },
    TaskInfo {
        name: "modular",
        about: "expressions modulo a prime, for a policy trained here",
        kind: Kind::Symbols,
    },
    TaskInfo {
        name: "countdown",
        about: "reach a target from given numbers, for a policy trained here",
        kind: Kind::Symbols,
    },
    TaskInfo {
        name: "chain-sum-words",
        about: "sums in words, asked of SmolLM2-135M-Instruct in a chat",
        kind: Kind::Words,
    },
    TaskInfo {
        name: "jsonl",
        about: "problems with answers from your own files, asked of SmolLM2-135M-Instruct in a chat",
        kind: Kind::Files,
    },
];

/// The part that the user brings for the task of this name.
const JSONL: &str = "jsonl";

/// All tasks.
pub fn all() -> &'static [TaskInfo] {
    &TASKS
}

/// The task of this name.
pub fn find(name: &str) -> Option<&'static TaskInfo> {
    TASKS.iter().find(|task| task.name == name)
}

/// How hard generated problems are; 0 stands for the set's own number. See `era_problems::sets`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difficulty {
    /// How many numbers an expression has.
    pub terms: u32,
    /// The most digits of a number, of `chain-sum`.
    pub digits: u32,
    /// The modulus, of `modular`.
    pub modulus: u32,
    /// How many numbers are given, of `countdown`.
    pub numbers: u32,
    /// The largest number, of `countdown` and `chain-sum-words`.
    pub largest: u32,
    /// The largest target, of `countdown`.
    pub target: u32,
}

/// Problems of both splits.
pub(crate) enum Source {
    /// Without end.
    Made(Generated),
    /// A part of the files' problems: those at `first`, `first` + 1 and so on.
    Read {
        files: Files,
        first: u64,
        count: u64,
    },
}

impl Source {
    /// Problem `index`; one of files comes again after the last.
    pub(crate) fn problem(&self, index: u64) -> Problem {
        match self {
            Self::Made(set) => set.problem(index),
            Self::Read {
                files,
                first,
                count,
            } => files.problem(first + index % count),
        }
    }
}

/// One of this many problems of a file is held out.
const FILE_TEST_SHARE: u64 = 8;

impl TaskInfo {
    /// As the harness has it.
    pub(crate) fn task(&self) -> Task {
        let needs = match self.kind {
            Kind::Symbols => None,
            // One part is named at a time: the model first.
            Kind::Files if start::smollm2().is_file() => Some(JSONL),
            Kind::Words | Kind::Files => Some(start::SMOLLM2),
        };
        let available = match needs {
            None => true,
            Some(JSONL) => problems_folder().is_dir(),
            Some(_) => start::smollm2().is_file(),
        };
        Task {
            name: self.name,
            about: self.about,
            needs,
            available,
            inputs: match self.kind {
                Kind::Symbols => symbols_inputs,
                Kind::Words => words_inputs,
                Kind::Files => files_inputs,
            },
        }
    }

    /// Whether the policy is trained here, on the 30 symbols, and not SmolLM2.
    pub(crate) fn symbols(&self) -> bool {
        self.kind == Kind::Symbols
    }

    /// The set that the task draws from; none for files.
    ///
    /// # Errors
    /// `difficulty` names a number that the set does not have, or one that it cannot have.
    pub(crate) fn set(&self, difficulty: Difficulty) -> Result<Option<Set>, String> {
        let given = difficulty.given();
        if self.kind == Kind::Files {
            return match given.first() {
                Some((name, _)) => Err(format!("problems from files have no `{name}`")),
                None => Ok(None),
            };
        }
        // The set's own fields say which names it knows.
        let mut fields = serde_json::Map::from_iter([("set".to_owned(), self.name.into())]);
        fields.extend(
            given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into())),
        );
        let set: Set = serde_json::from_value(fields.into()).map_err(|error| error.to_string())?;
        set.check().map_err(|error| error.to_string())?;
        Ok(Some(set))
    }

    /// The problems of a split. Those of generated sets depend on `seed`, so that every run learns from others; all runs are tested on
    /// those of seed 0.
    ///
    /// # Errors
    /// A number that the set cannot have, or files that cannot be read.
    pub(crate) fn open(
        &self,
        difficulty: Difficulty,
        split: Split,
        seed: u64,
    ) -> Result<Source, String> {
        if let Some(set) = self.set(difficulty)? {
            let made = Generated::new(set, split, seed);
            return made.map(Source::Made).map_err(|error| error.to_string());
        }
        let files = Files::open(&problems_folder()).map_err(|error| error.to_string())?;
        let all = files.len().unwrap_or(0);
        let held_out = (all / FILE_TEST_SHARE).max(1);
        let (first, count) = match split {
            Split::Test => (0, held_out),
            Split::Train => (held_out, all - held_out),
        };
        if count == 0 {
            return Err(format!("{all} problems are too few to hold some out"));
        }
        Ok(Source::Read {
            files,
            first,
            count,
        })
    }
}

impl Difficulty {
    /// The numbers that are not left to the set, by name.
    fn given(self) -> Vec<(&'static str, u32)> {
        let all = [
            ("terms", self.terms),
            ("digits", self.digits),
            ("modulus", self.modulus),
            ("numbers", self.numbers),
            ("largest", self.largest),
            ("target", self.target),
        ];
        all.into_iter().filter(|(_, value)| *value != 0).collect()
    }
}

/// The folder of the task `jsonl`.
fn problems_folder() -> PathBuf {
    start::data_folder().join(JSONL)
}

/// The policy that begins is a cell of its own, whose parameters are among those of the cells that require it.
fn symbols_inputs() -> BTreeMap<String, String> {
    BTreeMap::from([("start".to_owned(), format!("sft:{}", sft::REVISION))])
}

fn words_inputs() -> BTreeMap<String, String> {
    let digest = format!("sha256:{}", start::SMOLLM2_SHA256);
    BTreeMap::from([("start".to_owned(), digest)])
}

/// What the files hold now: others make other cells.
fn files_inputs() -> BTreeMap<String, String> {
    let files = Files::open(&problems_folder());
    let content = files.map_or_else(
        |_| "absent".to_owned(),
        |files| format!("blake3:{}", files.digest()),
    );
    let mut inputs = words_inputs();
    inputs.insert("jsonl".to_owned(), content);
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_is_the_sets_own() {
        let task = |name| find(name).unwrap();
        let easy = Difficulty {
            terms: 2,
            ..Difficulty::default()
        };
        let set = task("chain-sum").set(easy).unwrap().unwrap();
        assert_eq!(set.to_string(), "terms=2 digits=2");
        let wrong = Difficulty { modulus: 7, ..easy };
        let said = task("chain-sum").set(wrong).unwrap_err();
        assert!(said.contains("modulus"), "{said}");
        assert!(task("modular").set(wrong).is_ok());
        assert!(task("jsonl").set(easy).is_err());
        let said = task("chain-sum").set(Difficulty { terms: 1, ..easy });
        assert!(said.unwrap_err().contains("terms"));
    }
}
