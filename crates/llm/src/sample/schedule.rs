//! Which rows are computed when.

use std::collections::VecDeque;

use era_nn::panels::{AttendRow, PANEL, Pool, PoolShape};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::draw::{Drawer, Token};
use super::model::{Batch, Buffers, Group, Input, Matrices, Network};
use super::{Error, Request, Response, Sampling};
use crate::model::{Config, Weights};

/// Samples responses, and keeps its memory from call to call: the matrices (as much as the weights), keys and values of the rows that were
/// computed at once, and what a step needs. A step allocates nothing but room for responses that grow and, as long as there are fewer than
/// were ever needed at once, pages of keys and values.
#[derive(Debug)]
pub struct Generator {
    rows: usize,
    matrices: Matrices,
    pool: Pool,
    buffers: Buffers,
    batch: Batch,
    drawer: Drawer,
}

impl Default for Generator {
    fn default() -> Self {
        Self::new(256)
    }
}

/// A prompt whose samples are being made.
#[derive(Debug, Default)]
struct Prompt {
    pages: Vec<u32>,
    /// The residual stream after its last token; empty until it is computed.
    last: Vec<f32>,
    /// Samples that have not ended.
    left: usize,
}

/// A sample that is being made.
#[derive(Debug)]
struct Row {
    request: usize,
    sample: usize,
    rng: ChaCha8Rng,
    /// The last token that was drawn.
    token: u32,
    /// Keys and values of its own tokens.
    pages: Vec<u32>,
}

impl Generator {
    /// Decodes up to `rows` samples at once (at least one). More are faster, up to a few hundred, and take more memory.
    pub fn new(rows: usize) -> Self {
        let shape = PoolShape {
            layers: 0,
            heads: 0,
            width: 0,
        };
        Self {
            rows: rows.max(1),
            matrices: Matrices::default(),
            pool: Pool::new(shape),
            buffers: Buffers::default(),
            batch: Batch::default(),
            drawer: Drawer::default(),
        }
    }

    /// Samples responses to all requests: `[request][sample]`.
    ///
    /// `rng` makes the generator of a sample, from the index of its request and its own.
    ///
    /// # Errors
    /// As [`Sampling::check`]; a prompt that is empty or has a token that the model does not know; logits that are not finite.
    pub fn generate(
        &mut self,
        weights: &Weights,
        requests: &[Request],
        sampling: &Sampling,
        rng: impl Fn(usize, usize) -> ChaCha8Rng,
    ) -> Result<Vec<Vec<Response>>, Error> {
        sampling.check()?;
        check_prompts(weights.config(), requests)?;
        self.prepare(weights.config(), requests, sampling);
        self.matrices.set(weights);
        let mut run = Run {
            network: Network::new(weights, &self.matrices),
            rows: self.rows,
            pool: &mut self.pool,
            buffers: &mut self.buffers,
            batch: &mut self.batch,
            drawer: &mut self.drawer,
            requests,
            sampling,
            prompts: Vec::new(),
            waiting: VecDeque::new(),
            active: Vec::new(),
            responses: Vec::new(),
        };
        for (request, Request { samples, .. }) in requests.iter().enumerate() {
            run.prompts.push(Prompt {
                left: *samples,
                ..Prompt::default()
            });
            run.responses.push(vec![Response::default(); *samples]);
            run.waiting
                .extend((0..*samples).map(|sample| (request, sample)));
        }
        loop {
            run.admit(&rng)?;
            if run.active.is_empty() {
                return Ok(run.responses);
            }
            run.step()?;
        }
    }

    fn prepare(&mut self, config: &Config, requests: &[Request], sampling: &Sampling) {
        let shape = PoolShape {
            layers: config.layers,
            heads: config.kv_heads,
            width: config.head_width,
        };
        if self.pool.shape() == shape {
            self.pool.clear();
        } else {
            self.pool = Pool::new(shape);
        }
        let prompts = requests.iter().filter(|request| request.samples > 0);
        let longest = prompts.map(|request| request.prompt.len()).max();
        if let Some(longest) = longest {
            self.buffers.prepare(config, longest + sampling.max_tokens);
        }
    }
}

fn check_prompts(config: &Config, requests: &[Request]) -> Result<(), Error> {
    let vocabulary = config.vocabulary;
    for (request, Request { prompt, .. }) in requests.iter().enumerate() {
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt { request });
        }
        if let Some(&token) = prompt.iter().find(|token| **token as usize >= vocabulary) {
            return Err(Error::Token {
                request,
                token,
                vocabulary,
            });
        }
    }
    Ok(())
}

/// One call.
struct Run<'a> {
    network: Network<'a>,
    rows: usize,
    pool: &'a mut Pool,
    buffers: &'a mut Buffers,
    batch: &'a mut Batch,
    drawer: &'a mut Drawer,
    requests: &'a [Request<'a>],
    sampling: &'a Sampling,
    prompts: Vec<Prompt>,
    /// Request and sample, in order.
    waiting: VecDeque<(usize, usize)>,
    /// In order of request and sample, so that rows that share a prompt lie side by side.
    active: Vec<Row>,
    responses: Vec<Vec<Response>>,
}

impl Run<'_> {
    /// Begins samples that wait, as far as there is room: computes their prompts and draws their first tokens.
    fn admit(&mut self, rng: impl Fn(usize, usize) -> ChaCha8Rng) -> Result<(), Error> {
        while self.active.len() < self.rows && !self.waiting.is_empty() {
            let room = (self.rows - self.active.len()).min(self.waiting.len());
            let begun: Vec<(usize, usize)> = self.waiting.drain(..room).collect();
            let mut requests: Vec<usize> = begun.iter().map(|(request, _)| *request).collect();
            requests.dedup();
            self.compute_prompts(&requests);
            let mut last = Vec::new();
            for request in &requests {
                last.extend_from_slice(&self.prompts[*request].last);
            }
            self.buffers.compute_logits(&self.network, Some(&last));
            let mut at = 0;
            for (request, sample) in begun {
                at += usize::from(requests[at] != request);
                let mut row = Row {
                    request,
                    sample,
                    rng: rng(request, sample),
                    token: 0,
                    pages: Vec::new(),
                };
                if self.draw(at, &mut row)? {
                    self.release(&row);
                } else {
                    self.active.push(row);
                }
            }
        }
        Ok(())
    }

    /// Computes the prompts of those requests that have not been, as many tokens at once as there are rows, or 256.
    fn compute_prompts(&mut self, requests: &[usize]) {
        let limit = self.rows.max(256);
        self.batch.clear();
        for &request in requests {
            if !self.prompts[request].last.is_empty() {
                continue;
            }
            let prompt = self.requests[request].prompt;
            let pages = (0..prompt.len().div_ceil(PANEL)).map(|_| self.pool.take());
            self.prompts[request].pages.extend(pages);
            let mut done = 0;
            while done < prompt.len() {
                let room = limit - self.batch.inputs.len();
                let end = prompt.len().min(done + room);
                self.add_prompt(request, done..end);
                done = end;
                if self.batch.inputs.len() == limit {
                    self.flush_prompts();
                }
            }
        }
        self.flush_prompts();
    }

    /// Adds tokens of a prompt to the batch.
    fn add_prompt(&mut self, request: usize, part: std::ops::Range<usize>) {
        let pages = &self.prompts[request].pages;
        for position in part.clone() {
            self.batch.inputs.push(Input {
                token: self.requests[request].prompt[position],
                position,
                page: pages[position / PANEL],
                at: position % PANEL,
            });
            self.batch.rows.push(AttendRow {
                shared: position + 1,
                own: 0,
                first_page: 0,
            });
        }
        let seen = part.end.div_ceil(PANEL);
        self.batch.shared.extend_from_slice(&pages[..seen]);
        self.batch.groups.push(Group {
            request,
            rows: part.len(),
            pages: seen,
        });
    }

    /// Computes the tokens of prompts in the batch, and keeps what comes after the last of each.
    fn flush_prompts(&mut self) {
        if self.batch.inputs.is_empty() {
            return;
        }
        self.buffers.forward(&self.network, self.pool, self.batch);
        let width = self.network.config.width;
        let mut row = 0;
        for group in &self.batch.groups {
            row += group.rows;
            let last = self.batch.inputs[row - 1].position;
            if last + 1 == self.requests[group.request].prompt.len() {
                let stream = &self.buffers.stream[(row - 1) * width..row * width];
                self.prompts[group.request].last.extend_from_slice(stream);
            }
        }
        self.batch.clear();
    }

    /// One token more for every row.
    fn step(&mut self) -> Result<(), Error> {
        self.batch.clear();
        for row in &mut self.active {
            let (request, at) = (
                row.request,
                self.responses[row.request][row.sample].tokens.len() - 1,
            );
            if at.is_multiple_of(PANEL) {
                row.pages.push(self.pool.take());
            }
            let prompt = self.requests[request].prompt.len();
            self.batch.inputs.push(Input {
                token: row.token,
                position: prompt + at,
                page: row.pages[at / PANEL],
                at: at % PANEL,
            });
            self.batch.rows.push(AttendRow {
                shared: prompt,
                own: at + 1,
                first_page: self.batch.own.len(),
            });
            self.batch.own.extend_from_slice(&row.pages);
            match self.batch.groups.last_mut() {
                Some(group) if group.request == request => group.rows += 1,
                _ => {
                    let pages = &self.prompts[request].pages;
                    self.batch.shared.extend_from_slice(pages);
                    self.batch.groups.push(Group {
                        request,
                        rows: 1,
                        pages: pages.len(),
                    });
                }
            }
        }
        self.buffers.forward(&self.network, self.pool, self.batch);
        self.buffers.compute_logits(&self.network, None);
        let mut active = std::mem::take(&mut self.active);
        let (mut at, mut error) = (0, None);
        active.retain_mut(|row| {
            let ended = self.draw(at, row).unwrap_or_else(|e| {
                error.get_or_insert(e);
                true
            });
            at += 1;
            if ended {
                self.release(row);
            }
            !ended
        });
        self.active = active;
        error.map_or(Ok(()), Err)
    }

    /// Draws a row's next token from row `at` of the logits; whether the response has ended.
    fn draw(&mut self, at: usize, row: &mut Row) -> Result<bool, Error> {
        let vocabulary = self.network.config.vocabulary;
        let logits = &self.buffers.logits[at * vocabulary..][..vocabulary];
        let response = &mut self.responses[row.request][row.sample];
        let uniform = || row.rng.random::<f64>();
        let Some(Token {
            token,
            log_prob,
            entropy,
        }) = self.drawer.draw(logits, self.sampling, uniform)
        else {
            return Err(Error::NotFinite {
                request: row.request,
                position: self.requests[row.request].prompt.len() + response.tokens.len(),
            });
        };
        row.token = token;
        response.tokens.push(token);
        response.log_probs.push(log_prob);
        response.entropies.push(entropy);
        response.stopped = self.sampling.stop.contains(&token);
        Ok(response.stopped || response.tokens.len() == self.sampling.max_tokens)
    }

    /// Gives back what a row that has ended held, and its prompt with the last of them.
    fn release(&mut self, row: &Row) {
        self.pool.give(row.pages.iter().copied());
        let prompt = &mut self.prompts[row.request];
        prompt.left -= 1;
        if prompt.left == 0 {
            self.pool.give(prompt.pages.drain(..));
        }
    }
}
