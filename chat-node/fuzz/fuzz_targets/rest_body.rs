//! A body of a REST request.
#![no_main]

#[path = "../../tests/support/bodies.rs"]
mod bodies;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    bodies::readable(bytes);
});
