//! What comes over the broker: what can be read can be written and read again.
#![no_main]

use chat_node::bus::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(envelope) = Envelope::from_bytes(bytes) {
        assert_eq!(Envelope::from_bytes(&envelope.to_bytes()), Some(envelope));
    }
});
