//! Hands what libFuzzer thinks of to the target that `TIDEGATE_FUZZ` names.
//! `cargo xtask fuzz` builds and runs this; nothing here is of the product.
#![no_main]

mod targets;

use std::sync::LazyLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
        let name = std::env::var("TIDEGATE_FUZZ").expect("TIDEGATE_FUZZ names a target");
        let found = targets::ALL.iter().find(|(known, _)| *known == name);
        found.expect("TIDEGATE_FUZZ names one of the targets").1
    });
    TARGET(data);
});
