//! Steps allocate nothing, resets included.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use era_envs::Vector;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The system's allocator, which counts the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn steps_allocate_nothing() {
    let starts = |env: usize, episode: u64| ChaCha8Rng::seed_from_u64(1000 * env as u64 + episode);
    for task in era_envs::tasks().filter(|task| task.available) {
        let mut vector = Vector::make(task.spec.name, 3).unwrap();
        vector.reset(starts).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut actions = vec![0.0; 3 * task.spec.act_dim];
        let (mut ended, mut seen) = (0, 0.0);
        let before = CALLS.get();
        for _ in 0..1100 {
            actions
                .iter_mut()
                .for_each(|a| *a = rng.random_range(-1.0..=1.0));
            vector.step(&actions, starts).unwrap();
            ended += vector.finished().count();
            seen += vector.observations()[0] + vector.final_observations()[0];
            seen += vector.transitions()[0].reward as f32;
        }
        assert_eq!(CALLS.get(), before, "{}", task.spec.name);
        assert!(ended >= 3 && seen.is_finite(), "{}", task.spec.name);
    }
    // It does count.
    let before = CALLS.get();
    drop(std::hint::black_box(vec![0_u8; 64]));
    assert_eq!(CALLS.get(), before + 1);
}
