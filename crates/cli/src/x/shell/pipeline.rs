//! Several messages in one write.

use porpoise::xproto::Misuse;

use super::{Asked, Shell, messages};
use crate::exit::Exit;
use crate::x::login::Login;
use crate::x::reply::{Facts, Failed, Outcome};
use crate::x::request::{self, Request};
use crate::x::step::{Name, Step};

/// What a command puts into a pipeline.
enum Piped {
    /// A message whose reply is read.
    Asks(Request),
    Just(Request),
    Bytes(Vec<u8>),
}

impl Shell {
    /// All messages in one write, then the replies in order.
    pub(in crate::x) async fn pipeline(&mut self, steps: &[Step]) -> Exit {
        let (mut all, mut tls) = (Vec::new(), false);
        for step in steps {
            let prepared = match tls {
                // The server takes nothing behind it.
                true => Err(Failed::usage(Misuse::BehindTls.to_string())),
                false => self.prepared(step),
            };
            tls |= matches!(&prepared, Ok(Piped::Asks(request)) if Asked::of(step.name, request).tls);
            all.push((step.name, prepared));
        }
        let mut behind = 0;
        for (_, prepared) in &mut all {
            let done = match prepared {
                Ok(Piped::Asks(request)) => {
                    let owed = self.owed();
                    match self.put(request) {
                        Ok(()) if self.owed() == owed => Err(Failed::usage("the server says nothing to it")),
                        put => {
                            behind += self.owed().saturating_sub(owed);
                            put
                        }
                    }
                }
                Ok(Piped::Just(request)) => self.put(request),
                Ok(Piped::Bytes(bytes)) => self.put_bytes(bytes),
                Err(_) => Ok(()),
            };
            if let Err(failed) = done {
                *prepared = Err(failed);
            }
        }
        // What is sent only is sent now, even if nothing waits for a reply.
        let flushed = self.flush().await;
        let mut exit = Exit::Connected;
        for (name, prepared) in all {
            let outcome = match prepared {
                Ok(Piped::Asks(request)) if self.alive().is_some() => {
                    behind = behind.saturating_sub(1);
                    let asked = Asked::of(name, &request);
                    self.expect_columns(&asked);
                    self.reply(&asked, behind).await
                }
                Ok(Piped::Asks(_)) => Outcome::of(name.word(), Err(Failed::lost())),
                Ok(_) => Outcome::of(name.word(), flushed.clone().map(|()| Facts::default())),
                Err(failed) => Outcome::of(name.word(), Err(failed)),
            };
            let code = self.told(&outcome);
            if exit == Exit::Connected {
                exit = code;
            }
        }
        exit
    }

    /// What a command puts into a pipeline.
    fn prepared(&mut self, step: &Step) -> Result<Piped, Failed> {
        match step.name {
            Name::Login => {
                let channel = self.channel()?;
                Ok(Piped::Asks(Login::new(&step.argument, &self.options, channel)?.only()?))
            }
            Name::Send => Ok(Piped::Just(request::written(&step.argument)?)),
            Name::SendBytes => Ok(Piped::Bytes(messages::bytes(&step.argument)?)),
            _ => match request::request(step)? {
                Some(request) => Ok(Piped::Asks(request)),
                None => Err(Failed::usage(format!("{} has no place in a pipeline", step.name.word()))),
            },
        }
    }
}
