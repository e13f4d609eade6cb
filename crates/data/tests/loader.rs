//! Batches do not depend on who loads them, or on when.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use era_data::shapes::Shapes;
use era_data::{
    Batch, DataError, Draws, Image, ImageShape, Images, Loader, Normalise, Pipeline, Position,
    Split, Subset, TrainConfig,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A seed's random numbers.
struct Seeded(u64);

impl Draws for Seeded {
    fn order(&self, epoch: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(epoch);
        rng
    }

    fn sample(&self, epoch: u64, sample: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0 + (epoch << 32) + 1);
        rng.set_stream(sample as u64);
        rng
    }
}

const SHAPE: ImageShape = ImageShape {
    channels: 1,
    height: 1,
    width: 1,
};

/// Images of one pixel, which cannot be read from `broken` on and of which `bomb` panics.
#[derive(Debug)]
struct Faulty {
    len: usize,
    broken: usize,
    bomb: usize,
    reads: AtomicUsize,
    classes: Vec<String>,
}

impl Faulty {
    fn new(len: usize, broken: usize, bomb: usize) -> Self {
        Self {
            len,
            broken,
            bomb,
            reads: AtomicUsize::new(0),
            classes: vec!["only".to_owned()],
        }
    }
}

impl Images for Faulty {
    fn shape(&self) -> Option<ImageShape> {
        Some(SHAPE)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.len
    }

    fn label(&self, _index: usize) -> usize {
        0
    }

    fn read(&self, index: usize) -> Result<Image, DataError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        assert!(index != self.bomb, "image {index} went off");
        if index >= self.broken {
            return Err(DataError::Decode {
                path: format!("{index}.png").into(),
                reason: "broken".to_owned(),
            });
        }
        Ok(Image::black(SHAPE))
    }
}

fn grey() -> Pipeline {
    Pipeline::plain(Normalise::fashion_mnist())
}

fn config(threads: usize, epochs: u64, start: Position) -> TrainConfig {
    TrainConfig {
        batch_size: 8,
        threads,
        epochs,
        start,
    }
}

fn train(seed: u64, threads: usize, start: Position) -> Vec<Batch> {
    let images = Arc::new(Shapes::new(3, Split::Train, 45));
    let pipeline = Pipeline::pad_crop_flip(4, Normalise::shapes());
    let loader = Loader::train(
        images,
        pipeline,
        Arc::new(Seeded(seed)),
        config(threads, 3, start),
    )
    .unwrap();
    loader.collect::<Result<_, _>>().unwrap()
}

#[test]
fn batches_are_the_same_for_any_number_of_threads() {
    let alone = train(1, 0, Position::default());
    assert_eq!(alone.len(), 15);
    for threads in [1, 2, 3, 8] {
        assert!(
            train(1, threads, Position::default()) == alone,
            "{threads} threads"
        );
    }
    assert!(train(2, 1, Position::default()) != alone);
}

#[test]
fn batches_go_on_from_any_position() {
    let whole = train(1, 0, Position::default());
    for (index, batch) in whole.iter().enumerate() {
        assert!(
            train(1, 2, batch.position) == whole[index..],
            "{:?}",
            batch.position
        );
    }
    let end = Position { epoch: 3, batch: 0 };
    assert!(train(1, 2, end).is_empty());
}

#[test]
fn the_position_is_where_to_go_on() {
    let whole = train(1, 0, Position::default());
    let images = Arc::new(Shapes::new(3, Split::Train, 45));
    let pipeline = Pipeline::pad_crop_flip(4, Normalise::shapes());
    let start = config(1, 3, Position::default());
    let mut loader = Loader::train(images, pipeline, Arc::new(Seeded(1)), start).unwrap();
    assert_eq!(loader.batches_per_epoch(), 5);
    for batch in &whole {
        assert_eq!(loader.position(), batch.position);
        loader.next();
    }
    assert_eq!(loader.position(), Position { epoch: 3, batch: 0 });
    assert!(loader.next().is_none());
}

#[test]
fn an_epoch_holds_every_sample_once_in_an_order_of_its_own() {
    let batches = train(1, 2, Position::default());
    let epochs: Vec<Vec<usize>> = batches
        .chunks(5)
        .map(|epoch| {
            epoch
                .iter()
                .flat_map(|batch| batch.samples.clone())
                .collect()
        })
        .collect();
    for epoch in &epochs {
        assert_eq!(epoch.iter().collect::<BTreeSet<_>>().len(), 40);
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
    for batch in &batches {
        for (sample, label) in batch.samples.iter().zip(&batch.labels) {
            assert_eq!(sample % 10, *label);
        }
    }
}

#[test]
fn evaluation_is_in_order_and_keeps_the_rest() {
    for threads in [0, 3] {
        let images = Arc::new(Shapes::new(3, Split::Test, 45));
        let loader = Loader::eval(
            images.clone(),
            Pipeline::plain(Normalise::shapes()),
            16,
            threads,
        )
        .unwrap();
        let batches: Vec<_> = loader.collect::<Result<_, _>>().unwrap();
        let samples: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.samples.clone())
            .collect();
        assert_eq!(samples, (0..45).collect::<Vec<_>>());
        assert_eq!(batches[2].labels.len(), 13);
        let image = images.read(17).unwrap();
        let blue = (f32::from(image.pixels[5]) / 255.0 - 0.5) / 0.25;
        assert_eq!(batches[1].images[3 * 1024 + 2 * 1024 + 1], blue);
    }
}

#[test]
fn errors_and_panics_come_in_order_and_end_it() {
    for threads in [0, 1, 4] {
        let images = Arc::new(Faulty::new(1000, 50, usize::MAX));
        let mut loader = Loader::eval(images, grey(), 8, threads).unwrap();
        for _ in 0..6 {
            loader.next().unwrap().unwrap();
        }
        let error = loader.next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "decode 50.png: broken");
        assert!(loader.next().is_none());

        let images = Arc::new(Faulty::new(1000, usize::MAX, 50));
        let mut loader = Loader::eval(images, grey(), 8, threads).unwrap();
        for _ in 0..6 {
            loader.next().unwrap().unwrap();
        }
        let error = loader.next().unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "load batch 6 of epoch 0: the loader panicked: image 50 went off"
        );
        assert!(loader.next().is_none());
    }
}

#[test]
fn no_more_is_read_ahead_than_was_said() {
    let images = Arc::new(Faulty::new(100_000, usize::MAX, usize::MAX));
    let mut loader = Loader::eval(images.clone(), grey(), 10, 2).unwrap();
    for taken in 1..20 {
        loader.next().unwrap().unwrap();
        assert!(images.reads.load(Ordering::SeqCst) <= 10 * (taken + 4));
    }
    drop(loader);
    // Nobody reads on: the threads have ended.
    assert_eq!(Arc::strong_count(&images), 1);
    assert!(images.reads.load(Ordering::SeqCst) <= 10 * (19 + 4));
}

#[test]
fn what_does_not_fit_is_told_at_once() {
    let told = |result: Result<Loader, DataError>| result.unwrap_err().to_string();
    let shapes = || Arc::new(Shapes::new(0, Split::Train, 45));
    let plain = || Pipeline::plain(Normalise::shapes());
    let start = |epoch, batch| {
        let at = config(0, 3, Position { epoch, batch });
        told(Loader::train(shapes(), plain(), Arc::new(Seeded(0)), at))
    };
    assert!(start(0, 5).contains("there is no batch 5 of epoch 0 in 3 epochs of 5 batches"));
    assert!(start(4, 0).contains("there is no batch 0 of epoch 4"));
    assert!(told(Loader::eval(shapes(), plain(), 0, 0)).contains("a batch has to have a sample"));
    assert!(told(Loader::eval(shapes(), grey(), 8, 0)).contains("3x32x32 do not fit"));
    let random = Pipeline::pad_crop_flip(4, Normalise::shapes());
    assert!(told(Loader::eval(shapes(), random, 8, 0)).contains("must not be augmented"));
    let few = Arc::new(Subset::first(shapes(), 7));
    let start = config(0, 1, Position::default());
    let text = told(Loader::train(few, plain(), Arc::new(Seeded(0)), start));
    assert!(text.contains("7 images do not fill a batch of 8"), "{text}");
}

#[test]
fn an_empty_set_is_evaluated_on_nothing() {
    let images = Arc::new(Shapes::new(0, Split::Test, 0));
    let mut loader = Loader::eval(images, Pipeline::plain(Normalise::shapes()), 8, 2).unwrap();
    assert_eq!(loader.position(), Position::default());
    assert!(loader.next().is_none());
}

#[test]
fn subsets_are_what_they_say() {
    let shapes = Arc::new(Shapes::new(0, Split::Train, 45));
    let first = Subset::first(shapes.clone(), 12);
    assert_eq!(first.len(), 12);
    assert_eq!(Subset::first(shapes.clone(), 99).len(), 45);
    let some = Subset::per_class(Arc::new(Subset::first(shapes.clone(), 37)), 4);
    // Indices 0 to 36 hold four of classes 0 to 6 and three of the others.
    assert_eq!(some.len(), 37);
    let two = Subset::per_class(shapes.clone(), 2);
    assert_eq!(two.len(), 20);
    assert_eq!(two.label(19), 9);
    assert_eq!(two.read(19).unwrap(), shapes.read(19).unwrap());
}
