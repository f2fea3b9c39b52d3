#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    porpoise_fuzz::x_compressed(input);
});
