//! The sampler and the policy that is trained are two programs for one function: what the one says of the tokens it drew, the other says too.

use burn::tensor::Device;
use era_llm::model::{Config, Packed, Policy, Segment, Weights};
use era_llm::sample::{Generator, Request, Sampling};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Weights large enough that distributions are far from even.
fn weights(qkv_bias: bool, tied: bool) -> Weights {
    let config = Config {
        vocabulary: 50,
        width: 48,
        feed_forward: 80,
        layers: 3,
        heads: 6,
        kv_heads: 2,
        head_width: 8,
        norm_epsilon: 1e-6,
        rope_base: 1e4,
        qkv_bias,
        tied,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut weights = Weights::init(config, &mut rng).expect("the sizes fit together");
    for array in weights.arrays_mut() {
        array.values.iter_mut().for_each(|value| *value *= 6.0);
        if array.name.ends_with("bias") {
            era_nn::standard_normal(&mut rng, &mut array.values);
        }
    }
    weights
}

#[test]
fn log_probabilities_of_sampling_are_those_of_training() {
    for (qkv_bias, tied, temperature) in [(false, true, 1.0), (true, false, 0.7)] {
        let weights = weights(qkv_bias, tied);
        let prompts: [&[u32]; 2] = [&[1, 7, 3], &[4; 40]];
        let requests = prompts.map(|prompt| Request { prompt, samples: 5 });
        let sampling = Sampling {
            temperature,
            top_p: 1.0,
            top_k: None,
            max_tokens: 45,
            stop: vec![2, 9],
        };
        let rng = |request, sample| ChaCha8Rng::seed_from_u64((request * 100 + sample) as u64);
        let answers = Generator::default()
            .generate(&weights, &requests, &sampling, rng)
            .expect("finite logits");

        // Each prompt once, its answers behind it.
        let (mut tokens, mut segments, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let (mut taken, mut said, mut entropies) = (Vec::new(), Vec::new(), Vec::new());
        for (prompt, answers) in prompts.iter().zip(&answers) {
            let prefix = segments.len();
            let mut add = |part: &[u32], prefix: Option<usize>| {
                let start = tokens.len();
                segments.push(Segment {
                    start,
                    len: part.len(),
                    prefix,
                });
                tokens.extend_from_slice(part);
                start
            };
            let last = add(prompt, None) + prompt.len() - 1;
            for answer in answers {
                let start = add(&answer.tokens[..answer.tokens.len() - 1], Some(prefix));
                rows.push(last);
                rows.extend((start..).take(answer.tokens.len() - 1));
                taken.extend_from_slice(&answer.tokens);
                said.extend_from_slice(&answer.log_probs);
                entropies.extend_from_slice(&answer.entropies);
            }
        }
        assert!(taken.len() > 100, "{} tokens say little", taken.len());
        let packed = Packed::new(weights.config(), &tokens, segments, &rows).expect("tokens");
        let policy = Policy::from_weights(&weights, &Device::flex());
        let factors = vec![(1.0 / temperature) as f32; rows.len()];
        let found = policy.evaluate(&packed, &taken, &factors, None);
        let furthest = |ours: &[f32], theirs: &[f32]| {
            let pairs = ours.iter().zip(theirs);
            pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
        };
        assert!(furthest(&found.log_probs, &said) < 1e-4);
        assert!(furthest(&found.entropies, &entropies) < 1e-4);
        // Distributions that are all even, or all certain, would agree by themselves.
        let (low, high) = entropies
            .iter()
            .fold((f32::MAX, 0.0_f32), |(low, high), e| {
                (low.min(*e), high.max(*e))
            });
        assert!(low < 0.5 && high > 1.5, "entropies from {low} to {high}");
    }
}
