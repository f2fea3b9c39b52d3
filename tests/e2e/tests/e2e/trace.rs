//! The trace of real connections: who is told what, and when it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::classic_connect::ConnectOptions;
use porpoise::trace::{
    Bus, Flow, ProtocolStage, Record, RecordEntry, StageId, Subscriber, TraceEvent, TraceEventKind, Tracing,
};
use porpoise::{Connecting, Error, Options, OptionsBuilder};

use crate::scene::closed_port;
use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("stops-once-when-closed", closed),
        ("stops-once-when-dropped", dropped),
        ("stops-once-when-refused", refused),
        ("stops-once-when-told-to", told_to),
        ("of-all-connections", of_all_connections),
        ("change-user", change_user),
        ("change-user-refused", change_user_refused),
    ];
    suite.add_tests("trace", Transport::Tls, MYSQL, tests);
}

fn login(context: &Context) -> Result<OptionsBuilder> {
    Ok(context.options()?.user("sha2all").password("pw-sha2"))
}

/// Counts what a subscriber is told.
#[derive(Clone, Default)]
struct Diary {
    pages: Arc<Mutex<Vec<Page>>>,
    /// The event after which it has heard enough.
    enough: Option<TraceEventKind>,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    connection: u64,
    stages: usize,
    events: usize,
    last: Option<TraceEventKind>,
    stops: usize,
}

struct Writer {
    diary: Diary,
    page: usize,
}

impl Diary {
    fn pages(&self) -> MutexGuard<'_, Vec<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one connection that there was; it has ended once, with this event.
    fn ended(&self, last: TraceEventKind) -> Result<Page> {
        match self.pages()[..] {
            [page] => {
                expect("last event, stops", &(page.last, page.stops), &(Some(last), 1))?;
                Ok(page)
            }
            ref pages => bail!("{pages:?}"),
        }
    }
}

impl Subscriber for Diary {
    fn tracing_start(&self, connection: u64, stage: ProtocolStage) -> Option<Box<dyn Tracing>> {
        assert_eq!(stage, ProtocolStage::Connecting);
        let mut pages = self.pages();
        pages.push(Page { connection, stages: 0, events: 0, last: None, stops: 0 });
        Some(Box::new(Writer { diary: self.clone(), page: pages.len() - 1 }))
    }
}

impl Writer {
    fn write(&self, write: impl FnOnce(&mut Page)) {
        if let Some(page) = self.diary.pages().get_mut(self.page) {
            assert_eq!(page.stops, 0, "nothing is told after the end");
            write(page);
        }
    }
}

impl Tracing for Writer {
    fn connect_stage(&mut self, _: StageId) -> Flow {
        self.write(|page| page.stages += 1);
        Flow::Continue
    }

    fn trace_event(&mut self, _: ProtocolStage, event: &TraceEvent<'_>) -> Flow {
        self.write(|page| {
            page.events += 1;
            page.last = Some(event.kind());
        });
        if self.diary.enough == Some(event.kind()) { Flow::Stop } else { Flow::Continue }
    }

    fn tracing_stop(&mut self) {
        self.write(|page| page.stops += 1);
    }
}

fn closed(context: &Context) -> Result<()> {
    let diary = Diary::default();
    let options = login(context)?.subscriber(Arc::new(diary.clone())).build()?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options.into()).await?;
        client.ping().await?;
        expect("stops before the end", &diary.pages().iter().map(|page| page.stops).sum::<usize>(), &0)?;
        Ok(client.close().await?)
    })?;
    let page = diary.ended(TraceEventKind::Disconnected)?;
    ensure!(page.stages > 12 && page.events > 15, "{page:?}");
    Ok(())
}

/// Whatever is dropped, and whenever.
fn dropped(context: &Context) -> Result<()> {
    let diary = Diary::default();
    let options = Arc::new(login(context)?.subscriber(Arc::new(diary.clone())).build()?);
    context.run(async {
        drop(Connecting::new(context.runtime(), Arc::clone(&options)).await?);
        Ok(())
    })?;
    diary.ended(TraceEventKind::Authenticated)?;
    diary.pages().clear();
    // Never polled: it never began.
    drop(Connecting::new(context.runtime(), Arc::clone(&options)));
    ensure!(diary.pages().is_empty(), "told of a connect that did not begin");
    Ok(())
}

fn refused(context: &Context) -> Result<()> {
    let diary = Diary::default();
    let address = closed_port()?;
    let wrong = login(context)?.password("nonsense");
    let closed = Options::builder().host(&address.ip().to_string()).port(address.port());
    for options in [wrong, closed] {
        let options = options.subscriber(Arc::new(diary.clone())).build()?;
        context.run(async {
            match Connecting::new(context.runtime(), options.into()).await {
                Ok(_) => bail!("connected"),
                Err(_) => Ok(()),
            }
        })?;
        diary.ended(TraceEventKind::Disconnected)?;
        diary.pages().clear();
    }
    Ok(())
}

/// One who has heard enough hears nothing more; the others do.
fn told_to(context: &Context) -> Result<()> {
    let brief = Diary { enough: Some(TraceEventKind::AuthPlugin), ..Diary::default() };
    let patient = Diary::default();
    let options = login(context)?.subscriber(Arc::new(brief.clone())).subscriber(Arc::new(patient.clone()));
    let options = options.build()?;
    context.run(async {
        let client = Connecting::new(context.runtime(), options.into()).await?;
        Ok(client.close().await?)
    })?;
    let brief = brief.ended(TraceEventKind::AuthPlugin)?;
    let patient = patient.ended(TraceEventKind::Disconnected)?;
    ensure!(brief.events < patient.events, "{brief:?} {patient:?}");
    expect("connection", &brief.connection, &patient.connection)
}

/// Other tests connect meanwhile, so there are others' connections too. All that have ended have ended once.
fn of_all_connections(context: &Context) -> Result<()> {
    let diary = Diary::default();
    let subscription = Bus::subscribe_global(Arc::new(diary.clone()));
    let own = Diary::default();
    let options = Arc::new(login(context)?.subscriber(Arc::new(own.clone())).build()?);
    for _ in 0..2 {
        context.run(async {
            let client = Connecting::new(context.runtime(), Arc::clone(&options)).await?;
            Ok(client.close().await?)
        })?;
    }
    drop(subscription);
    let numbers: Vec<_> = own.pages().iter().map(|page| page.connection).collect();
    expect("own connections", &numbers.len(), &2)?;
    for own in own.pages().iter() {
        let pages = diary.pages();
        let page = pages.iter().find(|page| page.connection == own.connection).context("not told")?;
        expect("page", page, own)?;
    }
    Ok(())
}

fn user(user: &str, password: &str) -> Result<Arc<ConnectOptions>> {
    Ok(Arc::new(ConnectOptions::builder().user(user).password(password).database("odb").build()?))
}

/// The stages of authentication again, in one trace with the connect; the session goes on as another.
fn change_user(context: &Context) -> Result<()> {
    let record = Record::new();
    let options = login(context)?.subscriber(Arc::new(record.clone())).build()?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options.into()).await?;
        let _of_the_connect = record.take();
        client.change_user(user("s256", "pw-256")?).await?;
        let told = record.take();
        let stages: Vec<_> = told.iter().filter_map(stage).collect();
        let expected = [
            "AUTH_BEGIN",
            "AUTH_RUN_FIRST_AUTHENTICATE_USER",
            "AUTH_HANDLE_FIRST_AUTHENTICATE_USER",
            "AUTH_READ_CHANGE_USER_RESULT",
            "AUTH_HANDLE_CHANGE_USER_REQUEST",
            "AUTH_RUN_SECOND_AUTHENTICATE_USER",
            "AUTH_HANDLE_SECOND_AUTHENTICATE_USER",
            "AUTH_FINISH_AUTH",
        ];
        expect("stages", &stages, &expected.to_vec())?;
        let sql = "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)";
        expect("user", &crate::suite::first_cell(&mut client, sql).await?.as_deref(), &Some("s256"))?;
        Ok(client.close().await?)
    })?;
    expect("illegal changes of the stage", &record.illegal_edges(), &vec![])
}

fn change_user_refused(context: &Context) -> Result<()> {
    let diary = Diary::default();
    let options = login(context)?.subscriber(Arc::new(diary.clone())).build()?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options.into()).await?;
        match client.change_user(user("s256", "nonsense")?).await {
            Err(Error::Connect(error)) => expect("number", &error.code(), &1045)?,
            other => bail!("{other:?}"),
        }
        ensure!(!client.is_usable(), "usable");
        let again = client.ping().await;
        ensure!(again.as_ref().is_err_and(Error::is_fatal), "{again:?}");
        diary.ended(TraceEventKind::Disconnected)?;
        Ok(client.close().await?)
    })?;
    diary.ended(TraceEventKind::Disconnected).map(drop)
}

fn stage(entry: &RecordEntry) -> Option<&'static str> {
    match entry {
        RecordEntry::Stage { name, .. } => Some(name),
        _ => None,
    }
}
