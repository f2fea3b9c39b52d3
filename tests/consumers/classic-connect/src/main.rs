//! Connects over `std::net` with `porpoise-classic-connect`: a loop of one's own, without the driver.
//!
//! `consumer-classic-connect mysql://USER:PASSWORD@HOST:PORT/`

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::BytesMut;
use porpoise_classic::Event;
use porpoise_classic_connect::{ConnectEvent, ConnectOptions, Connector, TlsUse, Transport};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Lost, Machine, Step};

/// A socket with the two buffers that machines are lent.
struct Line {
    socket: TcpStream,
    rx: BytesMut,
    tx: BytesMut,
}

impl Line {
    fn cx<'a>(&'a mut self, trace: &'a mut NoTrace) -> Cx<'a, NoTrace> {
        Cx::new(&mut self.rx, &mut self.tx, trace)
    }

    /// Runs a machine to its next event; `None` when no reply is owed.
    fn next<M: Machine<Error: Error + 'static>>(
        &mut self,
        machine: &mut M,
    ) -> Result<Option<M::Event>, Box<dyn Error>> {
        loop {
            let step = machine.advance(&mut self.cx(&mut NoTrace))?;
            // Whatever the step, what was appended may leave now.
            if let Err(error) = self.socket.write_all(&self.tx.split()) {
                return Err(machine.lost(Lost::Write(error.into()), &mut self.cx(&mut NoTrace)).into());
            }
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Idle => return Ok(None),
                Step::NeedWrite => {}
                Step::NeedRead { .. } => match self.fill() {
                    Ok(0) => return Err(machine.lost(Lost::Closed, &mut self.cx(&mut NoTrace)).into()),
                    Ok(_) => {}
                    Err(error) => {
                        return Err(machine
                            .lost(Lost::Read(error.into()), &mut self.cx(&mut NoTrace))
                            .into());
                    }
                },
                _ => return Err("TLS, which was not asked for".into()),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut scratch = [0; 4096];
        let n = self.socket.read(&mut scratch)?;
        self.rx.extend_from_slice(&scratch[..n]);
        Ok(n)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let url =
        std::env::args().nth(1).ok_or("usage: consumer-classic-connect mysql://USER:PASSWORD@HOST:PORT/")?;
    let authority =
        url.strip_prefix("mysql://").and_then(|rest| rest.split('/').next()).ok_or("not a mysql:// URL")?;
    let (login, address) = authority.rsplit_once('@').ok_or("no user")?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));

    // Without TLS the password is encrypted with the server's RSA key.
    let options = ConnectOptions::builder()
        .user(user)
        .password(password)
        .tls(TlsUse::Disabled)
        .get_server_public_key(true)
        .build()?;
    let mut connector = Connector::new(Arc::new(options), Transport::Tcp);
    connector.dialing(&mut Cx::new(&mut BytesMut::new(), &mut BytesMut::new(), &mut NoTrace));
    let mut line = Line { socket: TcpStream::connect(address)?, rx: BytesMut::new(), tx: BytesMut::new() };
    connector.connected(&mut line.cx(&mut NoTrace));

    let event = line.next(&mut connector)?;
    let Some(ConnectEvent::Ready(mut session)) = event else {
        return Err(format!("unexpected: {event:?}").into());
    };
    println!(
        "MySQL {}, {} by {:?}",
        session.server_version(),
        connector.auth_plugin(),
        connector.auth_path()
    );

    session.query("SELECT CONNECTION_ID()", &mut line.cx(&mut NoTrace))?;
    let mut id = None;
    while let Some(event) = line.next(&mut *session)? {
        if let Event::Rows(batch) = event {
            for row in &batch {
                id = row.get(0)?.map(|text| String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    println!("connection {}", session.connection_id());
    assert_eq!(id, Some(session.connection_id().to_string()));
    session.quit(&mut line.cx(&mut NoTrace))?;
    line.next(&mut *session)?;
    Ok(())
}
