//! porpoise on tokio: links, dialing, timers.
