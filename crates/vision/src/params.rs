//! What the parameter structs of the methods have in common.

use era_data::Split;
use era_harness::method::{self, ParamSet};
use era_harness::{Cell, Cost, ParamError, TrainError};
use serde::{Deserialize, Serialize};

use crate::nets::{Arch, Plan, SgdConfig, Stem};
use crate::tasks::{self, Limits, TaskInfo};

/// Which part of an image is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropKind {
    /// All of it.
    None,
    /// The original size out of the image padded with zeros (He et al. 2016).
    Pad,
    /// A part of 8 to 100 % of the area and a ratio of 3:4 to 4:3, brought to `image_size` (Szegedy et al. 2015); evaluation takes
    /// the middle.
    Resized,
}

/// What weights, activations and gradients are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// Convolutions in bfloat16 with 32-bit weights, on devices that have it: every engine but `flex`.
    Bf16,
}

/// Declares a method's parameter struct: the fields that are its own, with their defaults, and those that every method here has.
/// It is flat, as the harness wants it: unknown names are refused by name.
macro_rules! parameters {
    (
        $(#[$about:meta])*
        $name:ident {
            $( $(#[$doc:meta])* $field:ident : $type:ty = $default:expr, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )*
            /// Passes over the training images. 200 in the paper (its README).
            pub epochs: u64,
            /// The network.
            pub arch: crate::nets::Arch,
            /// What comes before its first block.
            pub stem: crate::nets::Stem,
            /// Whether each block begins as the identity (Goyal et al. 2017; timm's default).
            pub zero_init_residual: bool,
            /// Images of an update. What is left over at an epoch's end is dropped, as timm does.
            pub batch_size: usize,
            /// Learning rate at its highest.
            pub learning_rate: f64,
            /// Epochs over which the learning rate rises to it, linearly over updates. 5 are timm's default.
            pub warmup_epochs: f64,
            /// Learning rate at the beginning of that. 1e-5 is timm's default.
            pub warmup_learning_rate: f64,
            /// Learning rate at the end of the cosine that follows, which falls with every update.
            pub final_learning_rate: f64,
            /// Momentum of SGD.
            pub momentum: f64,
            /// Nesterov's form of momentum.
            pub nesterov: bool,
            /// Weight decay. 5e-4 is usual for CIFAR-10; the default of the paper's `train.py` is 2e-5.
            pub weight_decay: f64,
            /// Whether scales and shifts of normalisations and the classifier's bias decay too. timm leaves them alone.
            pub decay_norms_and_biases: bool,
            /// Which part of an image is trained on: `pad`, `resized` or `none`.
            pub crop: crate::params::CropKind,
            /// Zeros on each side before the crop `pad`.
            pub crop_padding: usize,
            /// Height and width after the crop `resized`; for it only.
            pub image_size: usize,
            /// Whether half of the images are mirrored.
            pub flip: bool,
            /// Operations of RandAugment (Cubuk et al. 2020) for each image; 0 for none.
            pub rand_augment_ops: usize,
            /// Their magnitude, of 10.
            pub rand_augment_magnitude: f64,
            /// Probability that a rectangle of an image becomes noise (random erasing, Zhong et al. 2020).
            pub random_erasing: f64,
            /// Images of each class to train on; 0 for all.
            pub train_per_class: usize,
            /// Images of each class to evaluate on; 0 for all.
            pub test_per_class: usize,
            /// Epochs between evaluations; one follows the last epoch in any case.
            pub eval_every: u64,
            /// What weights, activations and gradients are in.
            pub precision: crate::params::Precision,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )*
                    epochs: 200,
                    arch: crate::nets::Arch::ResNet20,
                    stem: crate::nets::Stem::Cifar,
                    zero_init_residual: true,
                    batch_size: 128,
                    learning_rate: 0.1,
                    warmup_epochs: 5.0,
                    warmup_learning_rate: 1e-5,
                    final_learning_rate: 0.0,
                    momentum: 0.9,
                    nesterov: true,
                    weight_decay: 5e-4,
                    decay_norms_and_biases: false,
                    crop: crate::params::CropKind::Pad,
                    crop_padding: 4,
                    image_size: 224,
                    flip: true,
                    rand_augment_ops: 0,
                    rand_augment_magnitude: 9.0,
                    random_erasing: 0.0,
                    train_per_class: 0,
                    test_per_class: 0,
                    eval_every: 1,
                    precision: crate::params::Precision::F32,
                }
            }
        }

        impl $name {
            /// The parameters that all methods have.
            pub(crate) fn common(&self) -> crate::params::Common {
                crate::params::Common {
                    epochs: self.epochs,
                    arch: self.arch,
                    stem: self.stem,
                    zero_init_residual: self.zero_init_residual,
                    batch_size: self.batch_size,
                    learning_rate: self.learning_rate,
                    warmup_epochs: self.warmup_epochs,
                    warmup_learning_rate: self.warmup_learning_rate,
                    final_learning_rate: self.final_learning_rate,
                    momentum: self.momentum,
                    nesterov: self.nesterov,
                    weight_decay: self.weight_decay,
                    decay_norms_and_biases: self.decay_norms_and_biases,
                    crop: self.crop,
                    crop_padding: self.crop_padding,
                    image_size: self.image_size,
                    flip: self.flip,
                    rand_augment_ops: self.rand_augment_ops,
                    rand_augment_magnitude: self.rand_augment_magnitude,
                    random_erasing: self.random_erasing,
                    train_per_class: self.train_per_class,
                    test_per_class: self.test_per_class,
                    eval_every: self.eval_every,
                    precision: self.precision,
                }
            }
        }
    };
}
pub(crate) use parameters;

/// The parameters that all methods have; [`parameters`] documents them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    pub(crate) epochs: u64,
    pub(crate) arch: Arch,
    pub(crate) stem: Stem,
    pub(crate) zero_init_residual: bool,
    pub(crate) batch_size: usize,
    pub(crate) learning_rate: f64,
    pub(crate) warmup_epochs: f64,
    pub(crate) warmup_learning_rate: f64,
    pub(crate) final_learning_rate: f64,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    pub(crate) weight_decay: f64,
    pub(crate) decay_norms_and_biases: bool,
    pub(crate) crop: CropKind,
    pub(crate) crop_padding: usize,
    pub(crate) image_size: usize,
    pub(crate) flip: bool,
    pub(crate) rand_augment_ops: usize,
    pub(crate) rand_augment_magnitude: f64,
    pub(crate) random_erasing: f64,
    pub(crate) train_per_class: usize,
    pub(crate) test_per_class: usize,
    pub(crate) eval_every: u64,
    pub(crate) precision: Precision,
}

impl Common {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            train: self.train_per_class,
            test: self.test_per_class,
        }
    }

    pub(crate) fn sgd(&self) -> SgdConfig {
        SgdConfig {
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            decay_norms_and_biases: self.decay_norms_and_biases,
        }
    }

    /// Checks ranges.
    pub(crate) fn validate(&self, task: &str) -> Result<(), ParamError> {
        at_least("epochs", self.epochs, 1)?;
        at_least("batch_size", self.batch_size as u64, 2)?;
        at_least("eval_every", self.eval_every, 1)?;
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("warmup_epochs", self.warmup_epochs),
            ("warmup_learning_rate", self.warmup_learning_rate),
            ("final_learning_rate", self.final_learning_rate),
            ("weight_decay", self.weight_decay),
        ] {
            between(key, value, 0.0, f64::MAX)?;
        }
        if self.warmup_epochs >= self.epochs as f64 && self.warmup_epochs > 0.0 {
            let message = format!(
                "must be less than epochs ({}), not {}",
                self.epochs, self.warmup_epochs
            );
            return Err(range("warmup_epochs", message));
        }
        below_one("momentum", self.momentum)?;
        between("random_erasing", self.random_erasing, 0.0, 1.0)?;
        between(
            "rand_augment_magnitude",
            self.rand_augment_magnitude,
            0.0,
            10.0,
        )?;
        let Some(task) = tasks::find(task) else {
            return Ok(());
        };
        if task.side.is_none() && self.crop != CropKind::Resized {
            let message = format!(
                "must be `resized` for {}, whose images differ in size",
                task.name
            );
            return Err(range("crop", message));
        }
        let size = task.size(Split::Train, self.limits());
        if task.classes.is_some() && size < self.batch_size {
            let message = format!(
                "must be at most {size}, the number of images to train on, not {}",
                self.batch_size
            );
            return Err(range("batch_size", message));
        }
        Ok(())
    }

    /// What a run is expected to cost: three forward passes an image (one of them backward twice as long), at the rate that the
    /// convolutions reach on one core with AVX-512.
    pub(crate) fn cost(&self, task: &str) -> Cost {
        const FLOPS_PER_SECOND: f64 = 1.0e11;
        let Some(task) = tasks::find(task) else {
            return Cost {
                seconds: 60.0,
                memory: 1 << 30,
            };
        };
        let plan = self.plan(task, task.classes.unwrap_or(1000));
        let side = self.side(task);
        let train = task.size(Split::Train, self.limits()) as f64 * self.epochs as f64;
        let test = task.size(Split::Test, self.limits()) as f64
            * (self.epochs / self.eval_every).max(1) as f64;
        let flops = plan.flops(side, side);
        // Two arrays of 32-bit floats a layer are kept for the backward pass; about 30 floats of them a multiplication of a pixel.
        let kept = flops / 2.0 / 9.0 / 16.0 * 2.0 * 4.0 * self.batch_size as f64;
        Cost {
            seconds: flops * (3.0 * train + test) / FLOPS_PER_SECOND + 2.0,
            memory: (2e8 + kept) as u64,
        }
    }

    /// Height and width of what the network is given.
    pub(crate) fn side(&self, task: &TaskInfo) -> usize {
        match self.crop {
            CropKind::Resized => self.image_size,
            CropKind::None | CropKind::Pad => task.side.unwrap_or(self.image_size),
        }
    }

    pub(crate) fn plan(&self, task: &TaskInfo, classes: usize) -> Plan {
        Plan::new(self.arch, self.stem, task.channels, classes)
    }
}

pub(crate) fn range(key: &str, message: String) -> ParamError {
    ParamError::Range {
        key: key.to_owned(),
        message,
    }
}

fn at_least(key: &str, value: u64, least: u64) -> Result<(), ParamError> {
    if value >= least {
        Ok(())
    } else {
        Err(range(key, format!("must be at least {least}, not {value}")))
    }
}

pub(crate) fn between(key: &str, value: f64, min: f64, max: f64) -> Result<(), ParamError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let message = if max == f64::MAX {
        format!("must be at least {min}, not {value}")
    } else {
        format!("must lie between {min} and {max}, not {value}")
    };
    Err(range(key, message))
}

/// That `value` is at least 0 and less than 1.
pub(crate) fn below_one(key: &str, value: f64) -> Result<(), ParamError> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(range(
            key,
            format!("must be at least 0 and less than 1, not {value}"),
        ))
    }
}

/// The parameters of a cell in their own type.
pub(crate) fn of<P: ParamSet>(cell: &Cell) -> Result<P, TrainError> {
    method::typed(&cell.task, &cell.params).map_err(|error| TrainError::Other(error.to_string()))
}
