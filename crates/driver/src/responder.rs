use porpoise_auth::Answer;
use porpoise_classic_connect::Ask;

use crate::BoxFuture;

/// Answers what a login asks: passwords and tokens that are fetched when they are needed, from a vault, a prompt
/// or a device.
pub trait Responder: Send + Sync {
    /// The answer, whenever it is there. [`Answer::Refused`] ends the login.
    fn respond(&self, ask: &Ask) -> BoxFuture<Answer>;
}

impl<F> Responder for F
where
    F: Fn(&Ask) -> BoxFuture<Answer> + Send + Sync,
{
    fn respond(&self, ask: &Ask) -> BoxFuture<Answer> {
        self(ask)
    }
}
