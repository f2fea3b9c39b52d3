//! porpoise on async-std, and on any futures-io stream (smol).
