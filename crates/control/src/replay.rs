//! The replay buffer: transitions in contiguous memory, sampled uniformly.

use std::collections::BTreeMap;

use era_harness::run::Array;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Name of the array with capacity, transitions and where the next one goes.
const POSITION: &str = "replay.position";

/// One transition that is put in.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// What was observed before the step, `obs_dim` numbers.
    pub obs: &'a [f32],
    /// What was done, `act_dim` numbers.
    pub action: &'a [f32],
    /// What it earned.
    pub reward: f32,
    /// What was observed after the step, `obs_dim` numbers; of the ended episode where one ended.
    pub next_obs: &'a [f32],
    /// Whether the task ended with this step. A time limit is not that: its transitions bootstrap.
    pub terminated: bool,
}

/// A sampled batch of `B` transitions, row major, in memory of the caller's that is used again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Observations, `[B, obs_dim]`.
    pub obs: Vec<f32>,
    /// Actions, `[B, act_dim]`.
    pub action: Vec<f32>,
    /// Rewards, `[B]`.
    pub reward: Vec<f32>,
    /// Next observations, `[B, obs_dim]`.
    pub next_obs: Vec<f32>,
    /// 1 where the value of the next observation counts, 0 where the task terminated: `[B]`.
    pub mask: Vec<f32>,
}

impl Batch {
    /// Room for `size` transitions.
    pub fn new(size: usize, obs_dim: usize, act_dim: usize) -> Self {
        Self {
            obs: vec![0.0; size * obs_dim],
            action: vec![0.0; size * act_dim],
            reward: vec![0.0; size],
            next_obs: vec![0.0; size * obs_dim],
            mask: vec![0.0; size],
        }
    }

    /// The number of transitions, `B`.
    pub fn size(&self) -> usize {
        self.reward.len()
    }
}

/// Why a buffer could not be restored. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("restore the replay buffer: {what}")]
pub struct RestoreError {
    what: String,
}

/// The newest `capacity` transitions.
///
/// Each field is one allocation that the operating system backs with memory only as it is filled.
#[derive(Clone, Debug)]
pub struct Replay {
    obs: Field,
    action: Field,
    reward: Field,
    next_obs: Field,
    mask: Field,
    capacity: usize,
    filled: usize,
    /// Where the next transition goes.
    head: usize,
}

/// One field of all transitions, `width` numbers each.
#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: &'static str,
    width: usize,
    values: Vec<f32>,
}

impl Field {
    fn new(name: &'static str, width: usize, capacity: usize) -> Self {
        // Zeroed memory comes from the system untouched: a page costs memory once something is written to it.
        Self {
            name,
            width,
            values: vec![0.0; width * capacity],
        }
    }

    fn put(&mut self, at: usize, value: &[f32]) {
        self.values[at * self.width..][..self.width].copy_from_slice(value);
    }

    fn gather(&self, from: usize, to: usize, batch: &mut [f32]) {
        let row = &self.values[from * self.width..][..self.width];
        batch[to * self.width..][..self.width].copy_from_slice(row);
    }

    fn save(&self, filled: usize) -> (String, Array) {
        let values = self.values[..filled * self.width].to_vec();
        (
            format!("replay.{}", self.name),
            Array::F32(vec![filled, self.width], values),
        )
    }

    fn restore(
        &mut self,
        filled: usize,
        arrays: &BTreeMap<String, Array>,
    ) -> Result<(), RestoreError> {
        let name = format!("replay.{}", self.name);
        match arrays.get(&name) {
            Some(Array::F32(shape, values))
                if shape[..] == [filled, self.width] && values.len() == filled * self.width =>
            {
                self.values[..values.len()].copy_from_slice(values);
                Ok(())
            }
            Some(_) => Err(refused(format!(
                "`{name}` is not {filled} x {} numbers of 32 bits",
                self.width
            ))),
            None => Err(refused(format!("`{name}` is missing"))),
        }
    }
}

fn refused(what: String) -> RestoreError {
    RestoreError { what }
}

impl Replay {
    /// An empty buffer for `capacity` transitions, at least one.
    pub fn new(capacity: usize, obs_dim: usize, act_dim: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            obs: Field::new("obs", obs_dim, capacity),
            action: Field::new("action", act_dim, capacity),
            reward: Field::new("reward", 1, capacity),
            next_obs: Field::new("next_obs", obs_dim, capacity),
            mask: Field::new("mask", 1, capacity),
            capacity,
            filled: 0,
            head: 0,
        }
    }

    /// Transitions that are in it.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Puts a transition in, in place of the oldest when the buffer is full.
    ///
    /// # Panics
    /// The transition has other dimensions than the buffer.
    pub fn push(&mut self, transition: Transition<'_>) {
        let at = self.head;
        self.obs.put(at, transition.obs);
        self.action.put(at, transition.action);
        self.reward.put(at, &[transition.reward]);
        self.next_obs.put(at, transition.next_obs);
        self.mask
            .put(at, &[if transition.terminated { 0.0 } else { 1.0 }]);
        self.head = (at + 1) % self.capacity;
        self.filled = self.capacity.min(self.filled + 1);
    }

    /// Fills `batch` with transitions drawn uniformly, with replacement. Allocates nothing; each transition takes one
    /// draw from `rng`.
    ///
    /// # Panics
    /// The buffer is empty, or the batch has other dimensions.
    pub fn sample(&self, rng: &mut ChaCha8Rng, batch: &mut Batch) {
        for to in 0..batch.size() {
            let from = rng.random_range(0..self.filled);
            self.obs.gather(from, to, &mut batch.obs);
            self.action.gather(from, to, &mut batch.action);
            self.reward.gather(from, to, &mut batch.reward);
            self.next_obs.gather(from, to, &mut batch.next_obs);
            self.mask.gather(from, to, &mut batch.mask);
        }
    }

    /// The filled part and the ring's position, for a checkpoint: arrays whose names begin with `replay.`.
    pub fn save(&self) -> BTreeMap<String, Array> {
        let fields = [
            &self.obs,
            &self.action,
            &self.reward,
            &self.next_obs,
            &self.mask,
        ];
        let mut arrays: BTreeMap<_, _> = fields.map(|field| field.save(self.filled)).into();
        let position = vec![self.capacity as u64, self.filled as u64, self.head as u64];
        arrays.insert(
            POSITION.to_owned(),
            Array::U64(vec![position.len()], position),
        );
        arrays
    }

    /// Takes on what [`save`](Self::save) gave to a buffer of the same capacity and dimensions; other arrays are
    /// ignored.
    ///
    /// # Errors
    /// An array is missing or does not fit; then the buffer is as it was or partly overwritten, and of no use.
    pub fn restore(&mut self, arrays: &BTreeMap<String, Array>) -> Result<(), RestoreError> {
        let (filled, head) = self.position(arrays)?;
        for field in [
            &mut self.obs,
            &mut self.action,
            &mut self.reward,
            &mut self.next_obs,
            &mut self.mask,
        ] {
            field.restore(filled, arrays)?;
        }
        (self.filled, self.head) = (filled, head);
        Ok(())
    }

    /// How much is filled and where the next transition goes, as saved.
    fn position(&self, arrays: &BTreeMap<String, Array>) -> Result<(usize, usize), RestoreError> {
        let Some(Array::U64(_, position)) = arrays.get(POSITION) else {
            return Err(refused(format!("`{POSITION}` is missing")));
        };
        let &[capacity, filled, head] = &position[..] else {
            return Err(refused(format!(
                "`{POSITION}` has {} numbers, not 3",
                position.len()
            )));
        };
        let (filled, head) = (filled as usize, head as usize);
        if capacity != self.capacity as u64 {
            return Err(refused(format!(
                "its capacity is {capacity}, not {}",
                self.capacity
            )));
        }
        // Until it is full, the ring grows from its start.
        let fits = if filled < self.capacity {
            head == filled
        } else {
            filled == self.capacity && head < self.capacity
        };
        if !fits {
            return Err(refused(format!(
                "{filled} transitions cannot end at {head}"
            )));
        }
        Ok((filled, head))
    }
}

#[cfg(test)]
mod tests;
