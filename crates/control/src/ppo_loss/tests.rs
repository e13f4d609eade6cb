//! Against `tests/fixtures/ppo_losses.json`, which says where its numbers come from.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::golden::row;
use crate::normal;

fn file() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/ppo_losses.json")).expect("JSON")
}

fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().expect("a number")
}

fn flags(array: &Value) -> Vec<bool> {
    let flag = |x: &Value| x.as_bool().or(x.as_u64().map(|x| x == 1)).expect("a flag");
    array["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(flag)
        .collect()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            "{what}: {found} instead of {expected}"
        );
    }
}

/// `gae`: time-outs bootstrap, as in SB3's `RolloutBuffer.compute_returns_and_advantage` with its handling of
/// `TimeLimit.truncated`.
#[test]
fn advantages_are_sb3s() {
    for case in file()["gae"].as_array().expect("a list") {
        let values = row(&case["values"]);
        let rollout = Rollout {
            rewards: &row(&case["rewards"]),
            values: &values,
            terminated: &flags(&case["terminated"]),
            truncated: &flags(&case["truncated"]),
            final_values: &row(&case["final_values"]),
            last_values: &row(&case["last_values"]),
        };
        let mut found = vec![0.0; values.len()];
        advantages(
            rollout,
            number(case, "gamma"),
            number(case, "lambda"),
            &mut found,
        );
        assert_close("advantages", &found, &row(&case["advantages"]));
        let returns: Vec<f64> = found.iter().zip(&values).map(|(a, v)| a + v).collect();
        assert_close("returns", &returns, &row(&case["returns"]));
    }
}

/// CleanRL's `ppo_continuous_action.py` on the same numbers: a truncation that counts as a termination is told apart by
/// `terminated` alone.
#[test]
fn a_time_limit_taken_for_an_end_gives_cleanrls_advantages() {
    for case in file()["gae"].as_array().expect("a list") {
        let values = row(&case["values"]);
        let (terminated, truncated) = (flags(&case["terminated"]), flags(&case["truncated"]));
        let ended: Vec<bool> = terminated
            .iter()
            .zip(truncated)
            .map(|(a, b)| *a || b)
            .collect();
        let rollout = Rollout {
            rewards: &row(&case["rewards"]),
            values: &values,
            terminated: &ended,
            truncated: &vec![false; ended.len()],
            final_values: &vec![f64::NAN; ended.len()],
            last_values: &row(&case["last_values"]),
        };
        let mut found = vec![0.0; values.len()];
        advantages(
            rollout,
            number(case, "gamma"),
            number(case, "lambda"),
            &mut found,
        );
        assert_close("advantages", &found, &row(&case["advantages_cleanrl"]));
    }
}

/// `ppo`, losses and gradients: `total_loss_cleanrl` (ppo_continuous_action.py: `clip_vloss`, factor 1/2).
#[test]
fn losses_and_gradients_are_cleanrls() {
    for case in file()["ppo"].as_array().expect("a list") {
        let dims = case["D"].as_u64().expect("a count") as usize;
        let (mean, action) = (row(&case["mean"]), row(&case["action"]));
        let log_std = row(&case["log_std"]);
        let mut advantage = row(&case["advantage"]);
        if case["normalize_advantage"] == true {
            normalise(&mut advantage);
        }
        assert_close("advantage", &advantage, &row(&case["advantage_used"]));

        let rows = mean.chunks_exact(dims).zip(action.chunks_exact(dims));
        let densities: Vec<Vec<era::WithGradient>> = rows
            .map(|(mean, action)| {
                let each = mean.iter().zip(&log_std).zip(action);
                each.map(|((mean, log_std), action)| normal::log_prob(*mean, *log_std, *action))
                    .collect()
            })
            .collect();
        let log_prob: Vec<f64> = densities
            .iter()
            .map(|row| row.iter().map(|density| density.value).sum())
            .collect();
        assert_close("log-density", &log_prob, &row(&case["log_prob"]));
        let entropy = vec![era::gaussian_entropy(&log_std); log_prob.len()];
        assert_close("entropy", &entropy, &row(&case["entropy_per_sample"]));

        let loss = PpoLoss {
            clip: number(case, "clip"),
            value_clip: case["value_clip"].as_f64(),
            value_coef: number(case, "vf_coef"),
            entropy_coef: number(case, "ent_coef"),
        };
        let mut gradients = LossGradients::default();
        let report = loss.evaluate(
            Taken {
                log_prob: &row(&case["old_log_prob"]),
                advantage: &advantage,
                returns: &row(&case["returns"]),
                value: &row(&case["old_value"]),
            },
            Now {
                log_prob: &log_prob,
                entropy: &entropy,
                value: &row(&case["value"]),
            },
            &mut gradients,
        );
        assert_close(
            "report",
            &[
                report.policy,
                report.value,
                report.total,
                report.approx_kl,
                report.clip_fraction,
            ],
            &[
                "policy_loss",
                "value_loss_cleanrl",
                "total_loss_cleanrl",
                "approx_kl",
                "clip_fraction",
            ]
            .map(|name| number(case, name)),
        );
        assert_close(
            "entropy loss",
            &[-report.entropy],
            &[number(case, "entropy_loss")],
        );

        let expected = &case["grad_cleanrl"];
        assert_close("value", &gradients.value, &row(&expected["value"]));
        let mut of_mean = Vec::new();
        let mut of_log_std = vec![gradients.entropy * log_prob.len() as f64; dims];
        for (row, slope) in densities.iter().zip(&gradients.log_prob) {
            of_mean.extend(row.iter().map(|density| slope * density.d_mean));
            for (sum, density) in of_log_std.iter_mut().zip(row) {
                *sum += slope * density.d_log_std;
            }
        }
        assert_close("mean", &of_mean, &row(&expected["mean"]));
        assert_close("log std", &of_log_std, &row(&expected["log_std"]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Central differences of the whole loss.
    #[test]
    fn gradients_are_the_losses_slopes(
        log_prob in -2.0_f64..2.0, old in -2.0_f64..2.0, advantage in -3.0..3.0,
        value in -2.0_f64..2.0, old_value in -2.0_f64..2.0, returns in -2.0_f64..2.0,
    ) {
        let loss = PpoLoss { clip: 0.2, value_clip: Some(0.3), value_coef: 0.5, entropy_coef: 0.01 };
        let at = |log_prob: f64, value: f64| {
            let mut gradients = LossGradients::default();
            let taken = Taken { log_prob: &[old], advantage: &[advantage], returns: &[returns], value: &[old_value] };
            let now = Now { log_prob: &[log_prob], entropy: &[1.0], value: &[value] };
            (loss.evaluate(taken, now, &mut gradients).total, gradients)
        };
        // Not at a corner, where a difference sees both sides.
        let ratio = (log_prob - old).exp();
        let (moved, error, held) = (
            (value - old_value).abs(),
            (value - returns).abs(),
            (old_value + (value - old_value).clamp(-0.3, 0.3) - returns).abs(),
        );
        prop_assume!((ratio - 0.8).abs() > 1e-3 && (ratio - 1.2).abs() > 1e-3);
        prop_assume!((moved - 0.3).abs() > 1e-3 && (moved < 0.3 || (error - held).abs() > 1e-3));
        let (_, gradients) = at(log_prob, value);
        let step = 1e-6;
        let slope = (at(log_prob + step, value).0 - at(log_prob - step, value).0) / (2.0 * step);
        prop_assert!((slope - gradients.log_prob[0]).abs() < 1e-6 * slope.abs().max(1.0));
        let slope = (at(log_prob, value + step).0 - at(log_prob, value - step).0) / (2.0 * step);
        prop_assert!((slope - gradients.value[0]).abs() < 1e-6 * slope.abs().max(1.0));
    }
}
