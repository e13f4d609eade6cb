//! What `cargo xtask bench --peers` compares: our benchmarks, and the scripts and numbers beside them.

use crate::paths;

/// The files of our own benchmarks, `crates/CRATE/benches/FILE.rs`.
const BENCHES: [(&str, &str); 3] = [("control", "update"), ("vision", "train"), ("llm", "llm")];

/// What cargo gets to build and run those of them that are there: it refuses a name that no benchmark has.
pub(super) fn benches() -> Vec<&'static str> {
    let there = BENCHES.into_iter().filter(|(krate, file)| {
        let benches = paths::root().join("crates").join(krate).join("benches");
        benches.join(format!("{file}.rs")).is_file()
    });
    there.flat_map(|(_, file)| ["--bench", file]).collect()
}

/// What is counted each second, and how a script is asked for it.
#[derive(Debug)]
pub(super) struct Unit {
    /// Over the sections.
    pub(super) title: &'static str,
    /// Under them.
    pub(super) note: &'static str,
    /// The field of the mean in what the script prints; the other one is `fastest`.
    pub(super) field: &'static str,
    /// The script's option that takes the names of the rows.
    pub(super) option: &'static str,
}

const STEPS: Unit = Unit {
    title: "environment steps a second, HalfCheetah-v5, one thread",
    note: "fastest: the fastest stretch (100 steps of SAC, one iteration of PPO); ours/it compares those",
    field: "steps_per_second",
    option: "--library",
};

const IMAGES: Unit = Unit {
    title: "images per second, training residual networks, one thread; PyTorch in both memory formats",
    note: "fastest: of theirs the best repetition (2 s or one update), of ours the median update; ours/it compares those",
    field: "images_per_second",
    option: "--format",
};

const TOKENS: Unit = Unit {
    title: "tokens a second, language models with random weights, one thread; transformers and TRL in 32-bit floats",
    note: "rows: PyTorch's precision of products, where medium lets it round their factors to 16 bits\n\
           fastest: of theirs the best repetition, of ours the median iteration; ours/it compares those",
    field: "tokens_per_second",
    option: "--precision",
};

/// The tables, in their order.
pub(super) const TABLES: [(&Unit, &[Comparison]); 3] =
    [(&STEPS, &CONTROL), (&IMAGES, &VISION), (&TOKENS, &LANGUAGE)];

/// What is compared in all of them.
pub(super) fn comparisons() -> impl Iterator<Item = &'static Comparison> {
    TABLES.into_iter().flat_map(|(_, comparisons)| comparisons)
}

/// What is compared: one of our benchmarks, and a script beside it with the rows that it is run for.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) title: &'static str,
    pub(super) ours: &'static str,
    /// What one iteration of our benchmark is: steps, images or tokens.
    pub(super) count: f64,
    pub(super) script: &'static str,
    pub(super) args: &'static [&'static str],
    pub(super) rows: &'static [&'static str],
}

const CONTROL: [Comparison; 2] = [
    Comparison {
        title: "SAC, 2x256, batch 256, one update a step",
        ours: "step/gym/half-cheetah/2x256/plain/sac",
        count: 1.0,
        script: "sac_speed.py",
        args: &[],
        rows: &["sb3", "sbx"],
    },
    Comparison {
        title: "PPO, 2x64, 8 x 2,048 steps, batch 64, 10 epochs (cleanrl: 1 x 2,048 steps)",
        ours: "step/gym/half-cheetah/2x64/ppo",
        count: 1.0,
        script: "ppo_speed.py",
        args: &[],
        rows: &["sb3", "sbx", "cleanrl"],
    },
];

const VISION: [Comparison; 5] = [
    Comparison {
        title: "ResNet-20, 32x32 in colour, batch 128",
        ours: "train/resnet-20/32x32/128",
        args: &["--case", "resnet-20/32x32/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-20, 32x32 in colour, batch 64",
        ours: "train/resnet-20/32x32/64",
        count: 64.0,
        args: &["--case", "resnet-20/32x32/64"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-20, 28x28 in grey, batch 128",
        ours: "train/resnet-20/28x28/128",
        args: &["--case", "resnet-20/28x28/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-18, 32x32 in colour, batch 128",
        ours: "train/resnet-18/32x32/128",
        args: &["--case", "resnet-18/32x32/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-18, 32x32 in colour, batch 64",
        ours: "train/resnet-18/32x32/64",
        count: 64.0,
        args: &["--case", "resnet-18/32x32/64"],
        ..RESNET
    },
];

/// What the residual networks have in common.
const RESNET: Comparison = Comparison {
    title: "",
    ours: "",
    count: 128.0,
    script: "pytorch_resnet.py",
    args: &[],
    rows: &["contiguous", "channels_last"],
};

const LANGUAGE: [Comparison; 5] = [
    Comparison {
        title: "sampling, 0.8 M parameters: 256 answers of 32 tokens to prompts of 16; new tokens",
        ours: "llm/sample/small",
        count: 8192.0,
        args: &["--case", "small", "--what", "sample"],
        ..LLAMA
    },
    Comparison {
        title: "an update, 0.8 M parameters: 256 x 48 tokens; all tokens",
        ours: "llm/train/small",
        count: 12288.0,
        args: &["--case", "small", "--what", "train"],
        ..LLAMA
    },
    Comparison {
        title: "a step of GRPO (TRL), 0.8 M parameters: 64 answers of 24 tokens to prompts of 16; all tokens",
        ours: "llm/step/small",
        count: 2560.0,
        args: &["--case", "small", "--what", "step"],
        ..LLAMA
    },
    Comparison {
        title: "sampling, SmolLM2-135M: 64 answers of 40 tokens to prompts of 40; new tokens",
        ours: "llm/sample/smollm2",
        count: 2560.0,
        args: &["--case", "smollm2", "--what", "sample"],
        ..LLAMA
    },
    Comparison {
        title: "an update, SmolLM2-135M: 16 x 80 tokens; all tokens",
        ours: "llm/train/smollm2",
        count: 1280.0,
        args: &["--case", "smollm2", "--what", "train"],
        ..LLAMA
    },
];

/// What the language models have in common.
const LLAMA: Comparison = Comparison {
    title: "",
    ours: "",
    count: 0.0,
    script: "transformers_llm.py",
    args: &[],
    rows: &["highest", "medium"],
};

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_script_is_there() {
        for script in comparisons().map(|comparison| comparison.script) {
            assert!(super::super::python::folder().join(script).is_file());
        }
    }

    #[test]
    fn a_case_of_the_networks_is_one_thing_everywhere() {
        let script = super::super::python::folder().join(RESNET.script);
        let script = fs::read_to_string(script).unwrap();
        for comparison in &VISION {
            let [option, case] = *comparison.args else {
                panic!("{:?}", comparison.args);
            };
            assert_eq!(option, "--case");
            assert_eq!(comparison.ours, format!("train/{case}"));
            // The script's line of the case ends with the batch, which is what one iteration of ours counts.
            let start = format!("\"{case}\": (");
            let mut lines = script.lines().map(str::trim);
            let line = lines.find_map(|line| line.strip_prefix(&start)).unwrap();
            let batch = format!(", {})", comparison.count);
            assert!(line.trim_end_matches(',').ends_with(&batch), "{line}");
        }
        for row in RESNET.rows {
            assert!(script.contains(&format!("\"{row}\"")), "no format {row}");
        }
    }

    #[test]
    fn a_case_of_the_language_models_is_one_thing_everywhere() {
        let script = super::super::python::folder().join(LLAMA.script);
        let script = fs::read_to_string(script).unwrap();
        for comparison in &LANGUAGE {
            let ["--case", case, "--what", what] = *comparison.args else {
                panic!("{:?}", comparison.args);
            };
            assert_eq!(comparison.ours, format!("llm/{what}/{case}"));
            // The script's line of the case: prompts, answers to each, tokens of a prompt, tokens of an answer.
            let start = format!("\"{what}/{case}\": (");
            let mut lines = script.lines().map(str::trim);
            let line = lines.find_map(|line| line.strip_prefix(&start)).unwrap();
            let numbers = line.trim_end_matches("),").split(", ");
            let numbers: Vec<f64> = numbers.map(|number| number.parse().unwrap()).collect();
            let [prompts, answers, asked, new] = numbers[..] else {
                panic!("{line}");
            };
            let tokens = if what == "sample" { new } else { asked + new };
            assert_eq!(comparison.count, prompts * answers * tokens, "{line}");
        }
        for row in LLAMA.rows {
            assert!(script.contains(&format!("\"{row}\"")), "no precision {row}");
        }
    }

    #[test]
    fn benchmarks_that_are_there_are_asked_for() {
        let benches = benches();
        assert!(
            benches.starts_with(&["--bench", "update", "--bench", "train"]),
            "{benches:?}"
        );
    }
}
