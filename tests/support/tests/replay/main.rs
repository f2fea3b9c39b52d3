//! Every run that was kept is played again without a server: whole, a byte at a time, and cut in two at every point.

#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod x;
