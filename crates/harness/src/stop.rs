//! A request to stop that is shared between threads, and its link to signals.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A shared request to stop. Clones share it.
///
/// The first request asks for an orderly end (a checkpoint, then exit), the second for an immediate one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests to stop, once more.
    pub fn request(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether an orderly end was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether stopping was requested a second time: now, at once.
    pub fn urgent(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }

    /// Makes every SIGINT and SIGTERM of this process a request, from now to its end.
    ///
    /// # Errors
    /// The operating system refused to install the handlers.
    pub fn on_signals(&self) -> io::Result<()> {
        self.handle_signals(|_| {})
    }

    /// As [`Stop::on_signals`] for a process that has nobody else to end it: the second signal does what it does to a
    /// process without a handler.
    ///
    /// # Errors
    /// The operating system refused to install the handlers.
    pub fn on_signals_of_worker(&self) -> io::Result<()> {
        let stop = self.clone();
        self.handle_signals(move |signal| {
            if stop.urgent() {
                // Ends the process; an error would mean that it has no default, which both signals have.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        })
    }

    fn handle_signals(&self, then: impl Fn(i32) + Send + 'static) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let stop = self.clone();
        let thread = std::thread::Builder::new().name("signals".into());
        thread.spawn(move || {
            for signal in signals.forever() {
                stop.request();
                then(signal);
            }
        })?;
        Ok(())
    }

    /// Requests to stop when standard input ends, which tells a worker that its driver is gone.
    ///
    /// # Errors
    /// The thread that watches could not be started.
    pub fn on_end_of_input(&self) -> io::Result<()> {
        let stop = self.clone();
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(move || {
                // Nothing is ever sent: the copy returns when the other end is closed.
                // An input that cannot be read is taken for one that ended.
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                stop.request();
            })?;
        Ok(())
    }
}
