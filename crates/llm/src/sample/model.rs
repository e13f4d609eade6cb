//! The transformer, forward only, on rows of tokens whose earlier positions are in a pool of keys and values.

use era_nn::panels::{Attend, AttendRow, Begin, Cell, Panels, Pool};
use era_nn::transformer::rows::{RopeTable, rms_norm_rows, swiglu_rows};
use era_nn::{NullaryFnOnce, vectorised};

use crate::model::{Config, Weights};

/// The matrices of a block, laid out for products.
#[derive(Debug, Default)]
struct Block {
    qkv: Panels,
    out: Panels,
    gate_up: Panels,
    down: Panels,
}

/// All matrices, laid out for products: as much memory as the weights.
#[derive(Debug, Default)]
pub(super) struct Matrices {
    blocks: Vec<Block>,
    head: Panels,
}

impl Matrices {
    /// Takes the weights over; memory is kept.
    pub(super) fn set(&mut self, weights: &Weights) {
        self.blocks
            .resize_with(weights.config().layers, Block::default);
        for array in weights.arrays() {
            let (layer, name) = place(&array.name);
            let block = layer.and_then(|layer| self.blocks.get_mut(layer));
            let panels = match (block, name) {
                (Some(block), "qkv") => &mut block.qkv,
                (Some(block), "out") => &mut block.out,
                (Some(block), "gate_up") => &mut block.gate_up,
                (Some(block), "down") => &mut block.down,
                (None, "embed") if weights.config().tied => {
                    self.head.set_transposed(&array.values, array.shape);
                    continue;
                }
                (None, "head") => {
                    self.head.set_transposed(&array.values, array.shape);
                    continue;
                }
                _ => continue,
            };
            panels.set(&array.values, array.shape);
        }
    }
}

/// Layer and name of a parameter, from `layers.3.qkv`.
fn place(name: &str) -> (Option<usize>, &str) {
    let parts = name
        .strip_prefix("layers.")
        .and_then(|rest| rest.split_once('.'));
    match parts.map(|(layer, name)| (layer.parse().ok(), name)) {
        Some((Some(layer), name)) => (Some(layer), name),
        _ => (None, name),
    }
}

/// The vectors of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Vectors<'a> {
    attention_norm: &'a [f32],
    qkv_bias: Option<&'a [f32]>,
    mlp_norm: &'a [f32],
}

/// A model that is ready for use.
#[derive(Debug)]
pub(super) struct Network<'a> {
    pub(super) config: &'a Config,
    matrices: &'a Matrices,
    vectors: Vec<Vectors<'a>>,
    embed: &'a [f32],
    norm: &'a [f32],
}

impl<'a> Network<'a> {
    /// `matrices` are those of `weights`.
    pub(super) fn new(weights: &'a Weights, matrices: &'a Matrices) -> Self {
        let config = weights.config();
        let mut network = Self {
            config,
            matrices,
            vectors: vec![Vectors::default(); config.layers],
            embed: &[],
            norm: &[],
        };
        for array in weights.arrays() {
            let (layer, name) = place(&array.name);
            let vectors = layer.and_then(|layer| network.vectors.get_mut(layer));
            match (vectors, name) {
                (Some(vectors), "attention_norm") => vectors.attention_norm = &array.values,
                (Some(vectors), "qkv_bias") => vectors.qkv_bias = Some(&array.values),
                (Some(vectors), "mlp_norm") => vectors.mlp_norm = &array.values,
                (None, "embed") => network.embed = &array.values,
                (None, "norm") => network.norm = &array.values,
                _ => {}
            }
        }
        network
    }
}

/// A token that is computed: where it stands, and where its key and value go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) token: u32,
    /// In the whole sequence, prompt included.
    pub(super) position: usize,
    pub(super) page: u32,
    /// In the page.
    pub(super) at: usize,
}

/// Rows that follow one another and share a sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Whose sequence it is.
    pub(super) request: usize,
    pub(super) rows: usize,
    /// Pages of the shared sequence that it takes.
    pub(super) pages: usize,
}

/// Tokens that are computed together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) inputs: Vec<Input>,
    /// What each of them sees.
    pub(super) rows: Vec<AttendRow>,
    pub(super) groups: Vec<Group>,
    /// Pages of the groups' sequences, one group after another.
    pub(super) shared: Vec<u32>,
    /// Pages of the rows' own sequences, one row after another.
    pub(super) own: Vec<u32>,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.inputs.clear();
        self.rows.clear();
        self.groups.clear();
        self.shared.clear();
        self.own.clear();
    }
}

/// Memory of a forward pass, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// The residual stream, `[rows, D]`.
    pub(super) stream: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    turned: Vec<f32>,
    /// `[kv heads, rows, heads of a kv head, width]`, with the softmax's scale.
    queries: Vec<f32>,
    attended: Vec<f32>,
    mixed: Vec<f32>,
    gate_up: Vec<f32>,
    gated: Vec<f32>,
    scores: Vec<f32>,
    pub(super) logits: Vec<f32>,
    rope: Option<(f64, RopeTable)>,
}

impl Buffers {
    /// Makes room for positions below this.
    pub(super) fn prepare(&mut self, config: &Config, positions: usize) {
        let (base, width) = (config.rope_base, config.head_width);
        let enough = |(of, table): &(f64, RopeTable)| {
            *of == base && table.head_width() == width && table.positions() >= positions
        };
        if !self.rope.as_ref().is_some_and(enough) {
            self.rope = Some((base, RopeTable::new(base, width, positions)));
        }
    }

    /// Computes a batch: writes keys and values to the pool, and leaves the residual stream after the last block in `stream`.
    pub(super) fn forward(&mut self, network: &Network, pool: &mut Pool, batch: &Batch) {
        let Config {
            width,
            feed_forward,
            ..
        } = *network.config;
        let rows = batch.inputs.len();
        self.stream.clear();
        for input in &batch.inputs {
            let start = input.token as usize * width;
            self.stream
                .extend_from_slice(&network.embed[start..start + width]);
        }
        let config = network.config;
        self.normed.resize(rows * width, 0.0);
        self.qkv.resize(rows * config.qkv_width(), 0.0);
        for buffer in [&mut self.queries, &mut self.attended, &mut self.mixed] {
            buffer.resize(rows * config.attention_width(), 0.0);
        }
        self.gate_up.resize(rows * 2 * feed_forward, 0.0);
        self.gated.resize(rows * feed_forward, 0.0);
        let epsilon = config.norm_epsilon as f32;
        for (layer, block) in network.matrices.blocks.iter().enumerate() {
            let vectors = network.vectors[layer];
            rms_norm_rows(
                &self.stream,
                vectors.attention_norm,
                epsilon,
                &mut self.normed,
            );
            let begin = vectors.qkv_bias.map_or(Begin::Zero, Begin::Row);
            block.qkv.product(&self.normed, begin, &mut self.qkv);
            self.attend(config, pool, batch, layer);
            block
                .out
                .product(&self.mixed, Begin::Result, &mut self.stream);
            rms_norm_rows(&self.stream, vectors.mlp_norm, epsilon, &mut self.normed);
            block
                .gate_up
                .product(&self.normed, Begin::Zero, &mut self.gate_up);
            swiglu_rows(&self.gate_up, feed_forward, &mut self.gated);
            block
                .down
                .product(&self.gated, Begin::Result, &mut self.stream);
        }
    }

    /// From `qkv` to `mixed`.
    fn attend(&mut self, config: &Config, pool: &mut Pool, batch: &Batch, layer: usize) {
        let rows = batch.inputs.len();
        let per = config.heads / config.kv_heads * config.head_width;
        self.rotate(config, pool, batch, layer);
        for head in 0..config.kv_heads {
            let (mut row, mut page) = (0, 0);
            for group in &batch.groups {
                let part = (head * rows + row) * per..(head * rows + row + group.rows) * per;
                Attend {
                    pool,
                    cell: Cell { layer, head },
                    shared: &batch.shared[page..page + group.pages],
                    own: &batch.own,
                    rows: &batch.rows[row..row + group.rows],
                    queries: &self.queries[part.clone()],
                    out: &mut self.attended[part],
                    scratch: &mut self.scores,
                }
                .compute();
                row += group.rows;
                page += group.pages;
            }
        }
        let mixed = self.mixed.chunks_exact_mut(config.attention_width());
        for (row, mixed) in mixed.enumerate() {
            for (head, mixed) in mixed.chunks_exact_mut(per).enumerate() {
                mixed.copy_from_slice(&self.attended[(head * rows + row) * per..][..per]);
            }
        }
    }

    /// Rotates queries, to `queries`, and keys, to the pool, where values go with them.
    fn rotate(&mut self, config: &Config, pool: &mut Pool, batch: &Batch, layer: usize) {
        if let Some((_, rope)) = &self.rope {
            vectorised(Rotate {
                config,
                rope,
                inputs: &batch.inputs,
                layer,
                qkv: &self.qkv,
                turned: &mut self.turned,
                queries: &mut self.queries,
                pool,
            });
        }
    }

    /// Computes the logits, `[rows, V]`, of `stream`, or of the residual stream that [`Buffers::forward`] left.
    pub(super) fn compute_logits(&mut self, network: &Network, stream: Option<&[f32]>) {
        let stream = stream.unwrap_or(&self.stream);
        let rows = stream.len() / network.config.width;
        self.normed.resize(stream.len(), 0.0);
        let epsilon = network.config.norm_epsilon as f32;
        rms_norm_rows(stream, network.norm, epsilon, &mut self.normed);
        self.logits.resize(rows * network.config.vocabulary, 0.0);
        let head = &network.matrices.head;
        head.product(&self.normed, Begin::Zero, &mut self.logits);
    }
}

/// See [`Buffers::rotate`].
struct Rotate<'a> {
    config: &'a Config,
    rope: &'a RopeTable,
    inputs: &'a [Input],
    layer: usize,
    qkv: &'a [f32],
    /// One key.
    turned: &'a mut Vec<f32>,
    queries: &'a mut [f32],
    pool: &'a mut Pool,
}

impl NullaryFnOnce for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (config, layer) = (self.config, self.layer);
        let (width, rows) = (config.head_width, self.inputs.len());
        let per = config.heads / config.kv_heads;
        let scale = 1.0 / (width as f32).sqrt();
        let qkv = self.qkv.chunks_exact(config.qkv_width());
        self.turned.resize(width, 0.0);
        for (row, (input, qkv)) in self.inputs.iter().zip(qkv).enumerate() {
            let (heads, others) = qkv.split_at(config.attention_width());
            let (keys, values) = others.split_at(config.kv_heads * width);
            let (cos, sin) = self.rope.at(input.position);
            for (head, query) in heads.chunks_exact(width).enumerate() {
                let to = ((head / per * rows + row) * per + head % per) * width;
                rotate(query, cos, sin, scale, &mut self.queries[to..to + width]);
            }
            let heads = keys.chunks_exact(width).zip(values.chunks_exact(width));
            for (head, (key, value)) in heads.enumerate() {
                rotate(key, cos, sin, 1.0, self.turned);
                let cell = Cell { layer, head };
                self.pool
                    .write(input.page, cell, input.at, self.turned, value);
            }
        }
    }
}

/// Turns the pairs (i, i + width / 2) of a head by their angles, times `scale`. Eight pairs at a time, as arrays: a loop over slices of so few
/// numbers would not become vector code.
#[inline(always)]
fn rotate(head: &[f32], cos: &[f32], sin: &[f32], scale: f32, out: &mut [f32]) {
    let half = cos.len();
    let (a, b) = head.split_at(half);
    let (x, y) = out.split_at_mut(half);
    let whole = half - half % PAIRS;
    let (cos_chunks, cos_rest) = cos.as_chunks::<PAIRS>();
    let (sin_chunks, sin_rest) = sin.as_chunks::<PAIRS>();
    let parts = a.as_chunks::<PAIRS>().0.iter().zip(b.as_chunks().0);
    let results = x.as_chunks_mut().0.iter_mut().zip(y.as_chunks_mut().0);
    for (((a, b), (x, y)), (cos, sin)) in parts.zip(results).zip(cos_chunks.iter().zip(sin_chunks))
    {
        (*x, *y) = turn(a, b, cos, sin, scale);
    }
    for (i, (cos, sin)) in (whole..half).zip(cos_rest.iter().zip(sin_rest)) {
        ([x[i]], [y[i]]) = turn(&[a[i]], &[b[i]], &[*cos], &[*sin], scale);
    }
}

/// Pairs that are turned side by side.
const PAIRS: usize = 8;

#[inline(always)]
fn turn<const N: usize>(
    a: &[f32; N],
    b: &[f32; N],
    cos: &[f32; N],
    sin: &[f32; N],
    scale: f32,
) -> ([f32; N], [f32; N]) {
    let (mut x, mut y) = ([0.0; N], [0.0; N]);
    for i in 0..N {
        x[i] = scale * (a[i] * cos[i] - b[i] * sin[i]);
        y[i] = scale * (b[i] * cos[i] + a[i] * sin[i]);
    }
    (x, y)
}
