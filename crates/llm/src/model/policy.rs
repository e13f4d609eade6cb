//! A policy that is trained: forward, log-probabilities and entropies, backward.
//!
//! The tape is the model's own and not burn's: one pass forward may look at the entropies first and decide the factors on the logits
//! after that, the gradient of the logits takes their memory, that of the embeddings is added to that of a tied output matrix, and a pass
//! that is dropped leaves nothing behind.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use era_nn::transformer::{Targets, linear_transposed, tape};

use super::block::{Block, BlockTape, parameter_count};
use super::config::Config;
use super::packed::Packed;
use super::weights::{Array, Weights};

/// A decoder-only transformer on a device.
#[derive(Clone, Debug)]
pub struct Policy {
    config: Config,
    /// In the order of [`Config::parameters`], each `[1, rows, columns]`, outside autodiff. Shapes are not to be changed.
    pub parameters: Vec<Tensor<3>>,
    /// Whether a pass keeps only what goes into each block and computes the block again on the way back: a third more arithmetic for a
    /// small part of the memory. The gradients are the same.
    pub checkpointing: bool,
}

/// Numbers of a pass that goes no way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Of each row, the log-probability of the taken token under the scaled logits.
    pub log_probs: Vec<f32>,
    /// Of each row, the entropy in nats under the logits as they are.
    pub entropies: Vec<f32>,
}

/// What is kept of a block.
#[derive(Debug)]
enum Kept {
    Input(Box<Tensor<3>>),
    Tape(Box<BlockTape>),
}

/// What is kept of the way from the last block to the logits.
#[derive(Debug)]
struct Top {
    rows: Tensor<3>,
    normed: Tensor<3>,
    inverse: Tensor<3>,
    logits: Tensor<3>,
}

/// A pass forward that waits for its way back.
#[derive(Debug)]
pub struct Pass<'a> {
    policy: &'a Policy,
    packed: Packed,
    kept: Vec<Kept>,
    top: Top,
    /// The targets that were given last, and the sums over their logits.
    last: Option<(Targets, Tensor<3>)>,
    entropies: Option<Vec<f32>>,
}

fn values(tensor: Tensor<3>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec()
        .expect("parameters and results are 32-bit floats")
}

/// Log-probabilities and entropies, which lie in pairs.
fn pairs(output: Tensor<3>) -> Evaluation {
    let (log_probs, entropies) = values(output)
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[log_prob, entropy]| (*log_prob, *entropy))
        .unzip();
    Evaluation {
        log_probs,
        entropies,
    }
}

impl Policy {
    /// Copies the weights to a device; without checkpointing.
    pub fn from_weights(weights: &Weights, device: &Device) -> Self {
        let parameters = weights.arrays().iter().map(|array| {
            let [rows, columns] = array.shape;
            Tensor::from_data(
                TensorData::new(array.values.clone(), [1, rows, columns]),
                device,
            )
        });
        Self {
            config: weights.config().clone(),
            parameters: parameters.collect(),
            checkpointing: false,
        }
    }

    /// Copies the parameters to the host.
    ///
    /// # Panics
    /// When a parameter has been replaced by one of another shape or type.
    pub fn weights(&self) -> Weights {
        let named = self.config.parameters().into_iter().zip(&self.parameters);
        let arrays = named.map(|((name, shape), tensor)| Array {
            name,
            shape,
            values: values(tensor.clone()),
        });
        Weights::new(self.config.clone(), arrays.collect()).expect("shapes are not to be changed")
    }

    /// What the model is built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = Block<'_>> + ExactSizeIterator {
        let size = parameter_count(&self.config);
        self.parameters[1..=size * self.config.layers]
            .chunks_exact(size)
            .map(|parameters| Block::new(&self.config, parameters))
    }

    fn norm(&self) -> &Tensor<3> {
        &self.parameters[1 + parameter_count(&self.config) * self.config.layers]
    }

    /// The matrix `[V, D]` of the logits.
    fn head(&self) -> &Tensor<3> {
        if self.config.tied {
            &self.parameters[0]
        } else {
            &self.parameters[self.parameters.len() - 1]
        }
    }

    /// Final norm and output matrix, of the wanted rows only.
    fn top(&self, hidden: &Tensor<3>, packed: &Packed) -> Top {
        let rows = tape::gather(hidden, &packed.rows);
        let (normed, inverse) = tape::rms_norm(&rows, self.norm(), self.config.norm_epsilon as f32);
        let logits = linear_transposed(normed.clone(), self.head().clone());
        Top {
            rows,
            normed,
            inverse,
            logits,
        }
    }

    /// A pass that keeps what the way back needs.
    pub fn forward(&self, packed: &Packed) -> Pass<'_> {
        let mut hidden = tape::gather(&self.parameters[0], &packed.tokens);
        let mut kept = Vec::with_capacity(self.config.layers);
        for block in self.blocks() {
            if self.checkpointing {
                kept.push(Kept::Input(Box::new(hidden.clone())));
                hidden = block.forward(hidden, &packed.layout);
            } else {
                let (output, tape) = block.record(hidden, &packed.layout, true);
                hidden = output.expect("the output was wanted");
                kept.push(Kept::Tape(Box::new(tape)));
            }
        }
        let top = self.top(&hidden, packed);
        Pass {
            policy: self,
            packed: packed.clone(),
            kept,
            top,
            last: None,
            entropies: None,
        }
    }

    /// Log-probabilities and entropies of a pass that keeps nothing; arguments as those of [`Pass::log_probs`].
    ///
    /// # Panics
    /// As [`Pass::log_probs`].
    pub fn evaluate(
        &self,
        packed: &Packed,
        taken: &[u32],
        factors: &[f32],
        top: Option<usize>,
    ) -> Evaluation {
        let targets = self.targets(packed.rows(), taken, factors, top);
        let mut hidden = tape::gather(&self.parameters[0], &packed.tokens);
        for block in self.blocks() {
            hidden = block.forward(hidden, &packed.layout);
        }
        let logits = self.top(&hidden, packed).logits;
        pairs(tape::token_log_prob(&logits, &targets).0)
    }

    fn targets(&self, rows: usize, taken: &[u32], factors: &[f32], top: Option<usize>) -> Targets {
        assert!(
            taken.len() == rows && factors.len() == rows,
            "each of {rows} rows has a taken token and a factor, not {} and {}",
            taken.len(),
            factors.len()
        );
        let vocabulary = self.config.vocabulary;
        assert!(
            taken.iter().all(|token| (*token as usize) < vocabulary),
            "a taken token is not in a vocabulary of {vocabulary}"
        );
        assert!(
            factors
                .iter()
                .all(|factor| *factor > 0.0 && factor.is_finite()),
            "factors on the logits must be positive and finite"
        );
        assert!(top != Some(0), "some logit has to take part");
        Targets {
            taken: taken.into(),
            factors: factors.into(),
            top,
        }
    }
}

impl Pass<'_> {
    /// The logits of the wanted rows, `[1, rows, V]`. Where the tensor still lives at [`Pass::backward`], that one copies it.
    pub fn logits(&self) -> Tensor<3> {
        self.top.logits.clone()
    }

    /// Of each row, the entropy in nats under the logits as they are.
    pub fn entropies(&mut self) -> Vec<f32> {
        if let Some(entropies) = &self.entropies {
            return entropies.clone();
        }
        let rows = self.packed.rows();
        self.log_probs(&vec![0; rows], &vec![1.0; rows], None);
        self.last = None;
        self.entropies.clone().unwrap_or_default()
    }

    /// Of each row, the log-probability of the token `taken` under the logits times `factors`; with `top` over that many largest logits
    /// only, renormalised, where a token outside has -1e4 and no gradient. The way back is that of the last call.
    ///
    /// # Panics
    /// Lengths are not the number of rows, a token is not of the vocabulary, a factor is not positive and finite, or `top` is 0.
    pub fn log_probs(&mut self, taken: &[u32], factors: &[f32], top: Option<usize>) -> Vec<f32> {
        let rows = self.packed.rows();
        let targets = self.policy.targets(rows, taken, factors, top);
        let (output, sums) = tape::token_log_prob(&self.top.logits, &targets);
        let evaluation = pairs(output);
        self.last = Some((targets, sums));
        self.entropies = Some(evaluation.entropies);
        evaluation.log_probs
    }

    /// The gradients of sum(of_log_probs * log_probs + of_entropies * entropies) with respect to all parameters, in their order.
    ///
    /// # Panics
    /// [`Pass::log_probs`] was not called, or lengths are not the number of rows.
    pub fn backward(self, of_log_probs: &[f32], of_entropies: &[f32]) -> Vec<Tensor<3>> {
        let Self {
            policy,
            packed,
            kept,
            top,
            last,
            ..
        } = self;
        let rows = packed.rows();
        assert!(
            of_log_probs.len() == rows && of_entropies.len() == rows,
            "each of {rows} rows has two gradients"
        );
        let (targets, sums) = last.expect("log-probabilities come before their gradients");
        let device = top.logits.device();
        let upstream: Vec<f32> = of_log_probs
            .iter()
            .zip(of_entropies)
            .flat_map(|(log_prob, entropy)| [*log_prob, *entropy])
            .collect();
        let upstream = Tensor::from_data(TensorData::new(upstream, [1, rows, 2]), &device);
        let of_logits = tape::token_log_prob_backward(upstream, top.logits, sums, targets);
        let of_head = tape::linear_backward_weight(&of_logits, &top.normed, true);
        let of_normed = tape::linear_backward_input(&of_logits, policy.head(), true);
        drop(of_logits);
        let (of_rows, of_norm) =
            tape::rms_norm_backward(of_normed, &top.rows, &top.inverse, policy.norm(), None);
        let grad = tape::scatter(of_rows, &packed.rows, packed.tokens());
        let (grad, of_blocks) = policy.backward_blocks(grad, kept, &packed);
        let (of_embeddings, untied) = if policy.config.tied {
            (tape::scatter_add(of_head, grad, &packed.tokens), None)
        } else {
            let vocabulary = policy.config.vocabulary;
            let of_embeddings = tape::scatter(grad, &packed.tokens, vocabulary);
            (of_embeddings, Some(of_head))
        };
        let mut gradients = vec![of_embeddings];
        gradients.extend(of_blocks);
        gradients.push(of_norm);
        gradients.extend(untied);
        gradients
    }
}

impl Policy {
    /// From the gradient behind the last block to that of the embeddings, and those of the blocks' parameters.
    fn backward_blocks(
        &self,
        mut grad: Tensor<3>,
        kept: Vec<Kept>,
        packed: &Packed,
    ) -> (Tensor<3>, Vec<Tensor<3>>) {
        let layout: &Arc<_> = &packed.layout;
        let mut of_blocks = Vec::with_capacity(kept.len());
        for (block, kept) in self.blocks().zip(kept).rev() {
            let tape = match kept {
                Kept::Input(input) => block.record(*input, layout, false).1,
                Kept::Tape(tape) => *tape,
            };
            let (of_input, gradients) = block.backward(grad, tape, layout);
            grad = of_input;
            of_blocks.push(gradients);
        }
        of_blocks.reverse();
        (grad, of_blocks.into_iter().flatten().collect())
    }
}
