//! The floor over blocking sockets.

mod commands;
mod x;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bench_floor::{Inbox, QUIT, login, nonce, ssl_request, verdict};
use bench_harness::{Args, Idle, Meter, Workload, warm};
use rustix::event::epoll;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, NamedGroup, SignatureScheme,
    StreamOwned,
};

const PEER: &str = "floor";
const ROOM: usize = 128 * 1024;

fn main() -> Result<()> {
    let args = Args::parse()?;
    if args.workload.is_x() {
        return x::run(&args);
    }
    let mut inbox = Inbox::new(ROOM);
    let tls = tls_config(args.workload == Workload::ConnectTlsResume)?;
    if warm() {
        connect_tls(&args, &tls, &mut inbox)?.write_all(QUIT)?;
    }
    match args.workload {
        Workload::ConnectPlain => connects(&args, || connected(tcp(&args)?, &args, &mut inbox, false)),
        Workload::ConnectUnix => {
            let path = args.socket()?;
            connects(&args, || connected(UnixStream::connect(path)?, &args, &mut inbox, true))
        }
        Workload::ConnectTls | Workload::ConnectTlsFull | Workload::ConnectTlsResume => {
            let mut resumed = 0;
            let meter = Meter::start()?;
            for _ in 0..args.n {
                let mut stream = connect_tls(&args, &tls, &mut inbox)?;
                resumed += u64::from(stream.conn.handshake_kind() == Some(HandshakeKind::Resumed));
                stream.write_all(QUIT)?;
            }
            meter.finish(PEER, &args, args.n, resumed)
        }
        Workload::ConnectConcurrent => concurrent(&args),
        Workload::IdleMemory => {
            let idle = Idle::start()?;
            let mut streams = Vec::new();
            for _ in 0..args.n {
                streams.push(connected(tcp(&args)?, &args, &mut inbox, false)?);
            }
            idle.finish(PEER, &args)
        }
        _ => commands::run(&args, inbox),
    }
}

fn connects<S: Write>(args: &Args, mut connect: impl FnMut() -> Result<S>) -> Result<()> {
    let meter = Meter::start()?;
    for _ in 0..args.n {
        connect()?.write_all(QUIT)?;
    }
    meter.finish(PEER, args, args.n, 0)
}

fn tcp(args: &Args) -> Result<TcpStream> {
    let ip: IpAddr = args.host.parse().context("the floor takes addresses, not names")?;
    let stream = TcpStream::connect((ip, args.port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The next packet.
#[inline]
fn packet<'a>(stream: &mut impl Read, inbox: &'a mut Inbox) -> Result<(u8, &'a [u8])> {
    let len = loop {
        if let Some(len) = inbox.ready() {
            break len;
        }
        let n = stream.read(inbox.room())?;
        inbox.received(n)?;
    };
    Ok(inbox.take(len))
}

fn connect(stream: &mut (impl Read + Write), args: &Args, inbox: &mut Inbox, secure: bool) -> Result<()> {
    inbox.clear();
    let nonce = nonce(packet(stream, inbox)?.1)?;
    let mut out = Vec::with_capacity(160);
    login(&mut out, args, &nonce, false)?;
    log_in(stream, out, args, inbox, secure)
}

fn connected<S: Read + Write>(mut stream: S, args: &Args, inbox: &mut Inbox, secure: bool) -> Result<S> {
    connect(&mut stream, args, inbox, secure)?;
    Ok(stream)
}

fn log_in(
    stream: &mut (impl Read + Write),
    mut out: Vec<u8>,
    args: &Args,
    inbox: &mut Inbox,
    secure: bool,
) -> Result<()> {
    stream.write_all(&out)?;
    loop {
        out.clear();
        if verdict(packet(stream, inbox)?, args, secure, &mut out)? {
            return Ok(());
        }
        if !out.is_empty() {
            stream.write_all(&out)?;
        }
    }
}

fn connect_tls(
    args: &Args,
    config: &Arc<ClientConfig>,
    inbox: &mut Inbox,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut stream = tcp(args)?;
    inbox.clear();
    let nonce = nonce(packet(&mut stream, inbox)?.1)?;
    let mut out = Vec::with_capacity(160);
    ssl_request(&mut out);
    stream.write_all(&out)?;
    out.clear();
    let tls = ClientConnection::new(Arc::clone(config), ServerName::try_from("mysql")?)?;
    let mut stream = StreamOwned::new(tls, stream);
    login(&mut out, args, &nonce, true)?;
    log_in(&mut stream, out, args, inbox, true)?;
    Ok(stream)
}

/// TLS that checks the handshake's signature and no certificate, as `ssl-mode=REQUIRED` means it.
fn tls_config(resume: bool) -> Result<Arc<ClientConfig>> {
    let mut provider = ring::default_provider();
    // One key share goes with the first flight; MySQL's OpenSSL takes P-256, and a wrong guess costs a round trip.
    provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::secp256r1);
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    if !resume {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A connect that is in flight.
struct Flight {
    socket: OwnedFd,
    inbox: Inbox,
    greeted: bool,
}

/// Many connects in flight on one thread, with epoll.
fn concurrent(args: &Args) -> Result<()> {
    let ip: Ipv4Addr = args.host.parse().context("an IPv4 address")?;
    let address = SocketAddr::from((ip, args.port));
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let open = |slot: u64| -> Result<Flight> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // In progress, which is what epoll waits for.
        let _ = socket.connect(&address.into());
        let socket = OwnedFd::from(socket);
        epoll::add(&epoll, &socket, epoll::EventData::new_u64(slot), epoll::EventFlags::IN)?;
        Ok(Flight { socket, inbox: Inbox::new(512), greeted: false })
    };
    let meter = Meter::start()?;
    let mut started = args.conc.min(args.n);
    let mut flights = (0..started).map(open).collect::<Result<Vec<_>>>()?;
    let mut done = 0;
    let mut out = Vec::with_capacity(160);
    let mut events = Vec::with_capacity(256);
    while done < args.n {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let slot = event.data.u64();
            let flight = &mut flights[usize::try_from(slot)?];
            if advance(flight, args, &mut out)? {
                done += 1;
                if started < args.n {
                    flights[usize::try_from(slot)?] = open(slot)?;
                    started += 1;
                }
            }
        }
    }
    meter.finish(PEER, args, args.n, 0)
}

/// Whether it is done.
fn advance(flight: &mut Flight, args: &Args, out: &mut Vec<u8>) -> Result<bool> {
    let n = rustix::io::read(&flight.socket, flight.inbox.room())?;
    flight.inbox.received(n)?;
    while let Some(len) = flight.inbox.ready() {
        let packet = flight.inbox.take(len);
        out.clear();
        if !flight.greeted {
            flight.greeted = true;
            login(out, args, &nonce(packet.1)?, false)?;
            rustix::io::write(&flight.socket, out)?;
        } else if verdict(packet, args, false, out)? {
            rustix::io::write(&flight.socket, QUIT)?;
            return Ok(true);
        }
    }
    Ok(false)
}
