//! The porpoise command-line tool.

fn main() {}
