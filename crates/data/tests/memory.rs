//! A folder of images streams: what is held grows by the names of the files, not by the images.
//!
//! A binary of its own with one test, because it counts every byte that is allocated.
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]
#![expect(unsafe_code, reason = "an allocator that counts cannot be had without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use era_data::{Folder, Images, Loader, Normalise, Pipeline, Split};
use tempfile::TempDir;

/// The system's allocator, and what is allocated from it.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), SeqCst) + layout.size();
        PEAK.fetch_max(now, SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that is allocated at a time while `count` images are listed, and while all are read after that.
fn peaks(count: usize) -> [usize; 2] {
    let root = TempDir::new().unwrap();
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cmyk.jpg");
    let jpeg = fs::read(fixture).unwrap();
    for class in 0..10 {
        let dir = root.path().join(format!("val/n{class:08}"));
        fs::create_dir_all(&dir).unwrap();
        for number in 0..count / 10 {
            fs::write(dir.join(format!("ILSVRC2012_val_{number:08}.JPEG")), &jpeg).unwrap();
        }
    }
    let before = NOW.load(SeqCst);
    PEAK.store(before, SeqCst);
    let set = Arc::new(Folder::open(root.path(), Split::Test).unwrap());
    let listed = PEAK.load(SeqCst) - before;
    PEAK.store(NOW.load(SeqCst), SeqCst);
    let pipeline = Pipeline::center(24, Normalise::imagenet());
    // In this thread, so that the peak does not depend on how far another is ahead.
    let mut read = 0;
    for batch in Loader::eval(set.clone(), pipeline, 10, 0).unwrap() {
        read += batch.unwrap().labels.len();
    }
    assert_eq!(read, set.len());
    [listed, PEAK.load(SeqCst) - before]
}

#[test]
fn memory_grows_by_names_only() {
    let [few, many] = [200, 2000].map(peaks);
    let growth = [0, 1].map(|at| (many[at] as f64 - few[at] as f64) / 1800.0);
    println!("bytes an image: {growth:?}; 200 images: {few:?}, 2,000: {many:?}");
    // A name of 28 bytes and its end. While a class is listed its names are there once more, as strings.
    assert!(growth[0] < 100.0, "{growth:?}");
    assert!(growth[1] < 50.0, "{growth:?}");
}
