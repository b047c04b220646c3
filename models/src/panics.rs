//! Panics as values.
//!
//! A machine that asserts its invariants panics where it breaks one. In a
//! model that is a finding with a path, so the panic is caught, and what it
//! said, with its place in the source, is kept instead of printed.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// What the panic being caught said; `None` where none is being caught.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; an error is what its panic said.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let outer = CAUGHT.replace(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let said = CAUGHT.replace(outer);
    result.map_err(|_| said.unwrap_or_default())
}

/// Puts a hook before the one in place, once; it is silent only for panics
/// that [`caught`] is about to catch.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = info.payload_as_str().unwrap_or("a panic without words");
            let place = info
                .location()
                .map(|at| format!(" ({at})"))
                .unwrap_or_default();
            let caught = CAUGHT.with_borrow_mut(|caught| {
                caught
                    .as_mut()
                    .map(|caught| *caught = format!("{message}{place}"))
                    .is_some()
            });
            if !caught {
                previous(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_what_it_said_and_where() {
        assert_eq!(caught(|| 1), Ok(1));
        let said = caught(|| panic!("term {} went back", 3)).unwrap_err();
        assert!(
            said.starts_with("term 3 went back (") && said.contains("panics.rs:"),
            "{said}"
        );
    }
}
