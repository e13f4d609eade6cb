//! The state of a training, and what every method does with it: take a batch, run the network, step, evaluate, keep a checkpoint.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use era_data::{Batch, Images, Loader, Split};
use era_harness::run::{Array, Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, TrainError};
use era_nn::conv::block;
use rand_chacha::ChaCha8Rng;

use crate::loading::{self, refused};
use crate::loss;
use crate::metrics::Predictions;
use crate::nets::{Pass, ResNet, Sgd};
use crate::params::{Common, Precision};
use crate::schedule::Schedule;
use crate::tasks::{self, TaskInfo};

/// A batch on the device.
#[derive(Debug)]
pub(crate) struct Step {
    /// `[B, H, W, C, 16]`.
    images: Tensor<5>,
    /// One for each image.
    labels: Vec<usize>,
}

impl Step {
    fn samples(&self) -> usize {
        self.labels.len()
    }
}

/// A training between two updates.
pub(crate) struct Training {
    pub(crate) classes: usize,
    params: Common,
    task: &'static TaskInfo,
    streams: Streams,
    net: ResNet,
    sgd: Sgd,
    schedule: Schedule,
    loader: Loader,
    test: Arc<dyn Images>,
    /// Updates done.
    step: u64,
    updates_per_epoch: u64,
    sums: Sums,
    since: Instant,
}

/// What was seen in training since the last evaluation.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    loss: f64,
    right: f64,
    images: f64,
    updates: f64,
    /// Images since the clock was started: not of the run, but of this process.
    timed: f64,
}

impl Training {
    /// Opens the data, draws the network, or takes both up where a checkpoint of the run has left them.
    pub(crate) fn begin(cell: &Cell, params: Common, run: &mut Run) -> Result<Self, TrainError> {
        if params.precision == Precision::Bf16 && run.device().engine == "flex" {
            return Err(TrainError::Other(
                "compute in bf16: flex has 32-bit floats only; `--device libtorch-cuda`, or `precision: f32`".into(),
            ));
        }
        let (device, checkpoint) = (crate::device(run)?, run.resume()?);
        let streams = run.streams();
        Self::open(&cell.task, params, streams, &device, checkpoint.as_ref())
    }

    /// The same without a run.
    pub(crate) fn open(
        task: &str,
        params: Common,
        streams: Streams,
        device: &Device,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Self, TrainError> {
        let task = tasks::find(task)
            .ok_or_else(|| TrainError::Other(format!("find the task `{task}`")))?;
        let open = |split| task.open(split, params.limits()).map_err(refused);
        let (train, test) = (open(Split::Train)?, open(Split::Test)?);
        let classes = train.classes().len();
        let plan = params.plan(task, classes);
        let mut rng = streams.at("init", 0);
        let mut net = ResNet::init(plan, params.zero_init_residual, &mut rng, device);
        net.set_bf16(params.precision == Precision::Bf16);
        let updates_per_epoch = (train.len() / params.batch_size) as u64;
        if updates_per_epoch == 0 {
            let (images, batch) = (train.len(), params.batch_size);
            return Err(TrainError::Other(format!(
                "train on {images} images in batches of {batch}: lower `batch_size`"
            )));
        }
        let step = checkpoint.map_or(0, |checkpoint| checkpoint.step);
        let mut training = Self {
            classes,
            sgd: Sgd::new(params.sgd(), &net),
            schedule: Schedule::new(&params, updates_per_epoch),
            loader: loading::train(train, task, &params, streams, step, updates_per_epoch)?,
            params,
            task,
            streams,
            net,
            test,
            step,
            updates_per_epoch,
            sums: Sums::default(),
            since: Instant::now(),
        };
        if let Some(checkpoint) = checkpoint {
            training.restore(checkpoint)?;
        }
        Ok(training)
    }

    /// The next batch; none after the last epoch.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, TrainError> {
        let shape = self.loader.shape();
        let Some(batch) = self.loader.next() else {
            return Ok(None);
        };
        let Batch { images, labels, .. } = batch.map_err(refused)?;
        let shape = [labels.len(), shape.channels, shape.height, shape.width];
        Ok(Some(Step {
            images: block(&images, shape, self.net.device()),
            labels,
        }))
    }

    /// The network's forward pass, up to the features.
    pub(crate) fn forward(&mut self, step: &Step) -> Pass {
        self.net.train(step.images.clone(), step.samples())
    }

    /// The labels as distributions ([`loss::targets`]), to be multiplied with what is differentiated.
    pub(crate) fn targets(&self, step: &Step, smoothing: f64) -> Tensor<2> {
        loss::targets(&step.labels, self.classes, smoothing, self.net.device()).autodiff()
    }

    /// A generator for this update.
    pub(crate) fn rng(&self, purpose: &str) -> ChaCha8Rng {
        self.streams.at(purpose, self.step)
    }

    /// One step down the gradient of `loss`, which was made of `pass`; `logits` are what the method predicts with. Gives the loss.
    pub(crate) fn descend(
        &mut self,
        step: &Step,
        pass: Pass,
        logits: Tensor<2>,
        loss: &Tensor<1>,
    ) -> Result<f64, TrainError> {
        let value: f64 = loss.clone().into_scalar::<f32>().into();
        if !value.is_finite() {
            return Err(TrainError::Diverged {
                what: "the loss".to_owned(),
                step: self.step,
            });
        }
        let mut gradients = loss.backward();
        let gradients = pass.gradients(&mut gradients);
        self.sgd
            .step(&mut self.net, gradients, self.schedule.at(self.step));
        self.step += 1;
        self.sums.add(value, &host(logits.inner()), &step.labels);
        Ok(value)
    }

    /// Ends an update: an evaluation where an epoch has ended, with `predict` behind the network, and a checkpoint where one is
    /// due. `bound` is the entropy that the method guarantees.
    pub(crate) fn end_step(
        &mut self,
        run: &mut Run,
        bound: Option<f64>,
        predict: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<(), TrainError> {
        let total = self.params.epochs * self.updates_per_epoch;
        if self.step.is_multiple_of(self.updates_per_epoch) {
            let epoch = self.step / self.updates_per_epoch;
            if epoch.is_multiple_of(self.params.eval_every) || self.step == total {
                self.evaluate(run, epoch, bound, predict)?;
            }
        }
        run.progress(self.step, total);
        if run.checkpoint_due() {
            run.save(&self.save())?;
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        run: &mut Run,
        epoch: u64,
        bound: Option<f64>,
        predict: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<(), TrainError> {
        let step = self.step;
        let seconds = self.since.elapsed().as_secs_f64();
        run.log_timing(step, &[("images_per_second", self.sums.timed / seconds)])?;
        let predictions = self.predictions(bound, predict)?;
        run.log(step, &predictions.metrics())?;
        run.log(step, &self.sums.metrics())?;
        let learning_rate = self.schedule.at(step.saturating_sub(1));
        run.log(
            step,
            &[("epoch", epoch as f64), ("learning_rate", learning_rate)],
        )?;
        if epoch == self.params.epochs {
            log_calibration(run, step, &predictions)?;
        }
        run.headline(&[
            ("top1", predictions.top1()),
            ("entropy min", predictions.entropy_min()),
        ]);
        self.sums = Sums::default();
        self.since = Instant::now();
        Ok(())
    }

    /// The test set through the network in evaluation mode.
    fn predictions(
        &self,
        bound: Option<f64>,
        predict: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Result<Predictions, TrainError> {
        let mut predictions = Predictions::new(bound);
        let loader = loading::eval(Arc::clone(&self.test), self.task, &self.params)?;
        let shape = loader.shape();
        for batch in loader {
            let Batch { images, labels, .. } = batch.map_err(refused)?;
            let shape = [labels.len(), shape.channels, shape.height, shape.width];
            let images = block(&images, shape, self.net.device());
            let logits = predict(self.net.logits(images, labels.len()));
            predictions.add(&host(logits), self.classes, &labels);
        }
        Ok(predictions)
    }

    pub(crate) fn save(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            step: self.step,
            ..Checkpoint::default()
        };
        self.net.save(&mut checkpoint);
        self.sgd.save(&self.net, &mut checkpoint);
        let Sums {
            loss,
            right,
            images,
            updates,
            ..
        } = self.sums;
        let sums = Array::F64(vec![4], vec![loss, right, images, updates]);
        checkpoint.arrays.insert("train.sums".to_owned(), sums);
        checkpoint
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.net.restore(checkpoint)?;
        self.sgd.restore(&self.net, checkpoint)?;
        let sums = checkpoint.arrays.get("train.sums");
        let Some(Array::F64(_, sums)) = sums else {
            return Err(crate::nets::missing("train.sums"));
        };
        let &[loss, right, images, updates] = &sums[..] else {
            return Err(crate::nets::missing("train.sums"));
        };
        self.sums = Sums {
            loss,
            right,
            images,
            updates,
            timed: 0.0,
        };
        Ok(())
    }
}

impl Sums {
    fn add(&mut self, loss: f64, logits: &[f32], labels: &[usize]) {
        let classes = logits.len() / labels.len();
        self.loss += loss;
        self.updates += 1.0;
        self.images += labels.len() as f64;
        self.timed += labels.len() as f64;
        for (row, label) in logits.chunks_exact(classes).zip(labels) {
            let best =
                row.iter().enumerate().fold(
                    0,
                    |best, (class, logit)| if *logit > row[best] { class } else { best },
                );
            self.right += f64::from(u8::from(best == *label));
        }
    }

    fn metrics(&self) -> [(&'static str, f64); 2] {
        [
            ("train/loss", self.loss / self.updates),
            ("train/top1", self.right / self.images),
        ]
    }
}

fn log_calibration(run: &mut Run, step: u64, predictions: &Predictions) -> Result<(), TrainError> {
    let bins = predictions.bins();
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    let series: [(&str, Vec<f64>); 3] = [
        (
            "calibration/confidence",
            bins.iter()
                .map(|bin| mean(bin.confidence, bin.count))
                .collect(),
        ),
        (
            "calibration/accuracy",
            bins.iter()
                .map(|bin| mean(bin.right as f64, bin.count))
                .collect(),
        ),
        (
            "calibration/count",
            bins.iter().map(|bin| bin.count as f64).collect(),
        ),
    ];
    for (metric, values) in &series {
        run.log_series(step, metric, values)?;
    }
    Ok(())
}

fn host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_into_vec().unwrap_or_default()
}
