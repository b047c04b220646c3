#![no_main]

use tribunal_histories::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tribunal_histories_fuzz::read(Format::PorcupineEtcd, bytes));
