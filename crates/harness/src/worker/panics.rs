//! Panics as values: where, and what was said.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it comes back as one line with place and message. It is printed to standard error too.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            LAST.set(Some(line(info)));
            before(info);
        }));
    });
    LAST.set(None);
    // After a panic nothing that `work` touched is used again but the files, and those are whole at every moment.
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        // None when it was another thread of the run that panicked and its panic was passed on.
        LAST.take()
            .unwrap_or_else(|| format!("panicked: {}", message(payload.as_ref())))
    })
}

fn line(info: &PanicHookInfo<'_>) -> String {
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!("panicked at {place}: {}", message(info.payload()))
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
