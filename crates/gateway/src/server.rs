//! The two listeners: accept, guard the door, hand each request to its flow,
//! and stop without losing what is under way.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::CheckpointError;
use reach::hosts::Hosts;
use seal::note::NoteSigner;
use seal::time::UnixMillis;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::anchoring::{self, Anchoring};
use crate::aside::{Aside, apart};
use crate::body::Body;
use crate::config::{Config, ConfigError};
use crate::descriptors::Connections;
use crate::facts::Counters;
use crate::feeding::{self, Feeding};
use crate::feeds::Feeds;
use crate::flow::{self, Call};
use crate::metrics::{Metrics, Route};
use crate::patient::Patient;
use crate::problem::Refusal;
use crate::receive::{addressed, passed_on, route};
use crate::recorder::{RecordError, Recorder, Setup, StartError};
use crate::rules::{self, InForce};
use crate::state::State;
use crate::upstream::Upstream;
use crate::witnessing::{self, Unsigned, Witnessing};
use crate::{admin, closing, scanning, unary};

/// Where the gateway really listens.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The data listener.
    pub data: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
}

/// Why the gateway does not serve, or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The evidence cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address cannot be bound.
    #[error("{address} cannot be bound: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        cause: io::Error,
    },
    /// No runtime.
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    /// Subscribed feeds cannot be used.
    #[error("the subscribed feeds cannot be used: {0}")]
    Feeds(String),
    /// The metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The last checkpoint could not be written.
    #[error("the ledger did not close cleanly: {0}")]
    Close(RecordError),
    /// A task that must run as long as the gateway ended by a fault of ours.
    #[error("a part of the gateway failed, so it stopped; what was recorded is kept")]
    Fault,
}

/// What every request needs; made once.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) recorder: Recorder,
    pub(crate) rules: InForce,
    pub(crate) upstream: Upstream,
    pub(crate) counters: Counters,
    pub(crate) metrics: Metrics,
    pub(crate) aside: Aside,
    pub(crate) anchoring: Anchoring,
    pub(crate) witnessing: Witnessing,
    pub(crate) feeding: Feeding,
    /// Scans that operators ask for.
    pub(crate) scans: Semaphore,
    /// True when the grace period of a stop is over: flows end where they are.
    cut: watch::Sender<bool>,
    state: State,
}

impl App {
    pub(crate) fn admin_token(&self) -> &str {
        self.state.admin_token()
    }

    pub(crate) fn scrape_token(&self) -> &str {
        self.state.scrape_token()
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where the ledger lies.
    pub(crate) fn store(&self) -> Arc<dyn ledger::Store> {
        self.state.store()
    }

    /// The time of the ledger's clock.
    pub(crate) fn now(&self) -> UnixMillis {
        self.state.clock().now()
    }

    pub(crate) fn new(
        config: Config,
        state: State,
        feeds: Option<Arc<dyn Feeds>>,
    ) -> Result<Self, ServeError> {
        config.check()?;
        let upstream = config.open_upstream()?;
        let (feeding, engine) = Feeding::open(feeds, config.feeds, state.clock().now())?;
        let valid = config.guard.validate(engine.rules());
        valid.map_err(|error| ConfigError::Check(error.to_string()))?;
        let (rules, ruleset) = (engine.rules_body(), engine.ruleset_body());
        let pipeline = rules::prepare(&config.guard, engine);
        let setup = Setup {
            config: config.effective(),
            rules,
            ruleset,
            profile: config.evidence.profile.into(),
            agent: crate::state::AGENT.parse().expect("the constant is an agent id"),
            refusals_per_minute: config.limits.refusals_per_minute,
            headroom_bytes: config.ledger.headroom_bytes,
            storing: config.storing()?,
        };
        let now = state.clock().now();
        let anchoring = Anchoring::open(&config.ledger.anchors, state.trusted(), now)?;
        let signer = state.log_signer();
        let log = NoteSigner::new(state.origin(), &*signer).map(|signer| signer.vkey().clone());
        let witnessing = Witnessing::open(&config.ledger.witnesses, state.trusted(), log.as_ref())?;
        let recorder = Recorder::start(&state, setup)?;
        let metrics = Metrics::new(
            &recorder.ruleset_digest().to_string(),
            &recorder.config_digest().to_string(),
        )?;
        let rules = InForce::new(pipeline, recorder.ruleset())
            .ok_or(StartError::Record(RecordError::Unavailable))?;
        Ok(Self {
            recorder,
            rules,
            upstream,
            counters: Counters::default(),
            metrics,
            aside: Aside::new().map_err(ServeError::Runtime)?,
            anchoring,
            witnessing,
            feeding,
            scans: Semaphore::new(1),
            cut: watch::Sender::new(false),
            config,
            state,
        })
    }
}

/// Serves until `shutdown` resolves. Blocking: builds the runtime, with as many
/// workers as `COUNTERSIGN_WORKERS` says (default: the machine's).
pub fn serve(
    config: Config,
    state: State,
    ready: impl FnOnce(Bound),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    serve_with(config, state, None, ready, shutdown)
}

/// The same with subscribed feeds, whose indicators count beside the built-in rules.
pub fn serve_with(
    config: Config,
    state: State,
    feeds: Option<Arc<dyn Feeds>>,
    ready: impl FnOnce(Bound),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let workers = std::env::var("COUNTERSIGN_WORKERS").ok().and_then(|n| n.parse().ok());
    let mut builder = match workers {
        Some(1) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Some(workers @ 2..=1024) = workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().map_err(ServeError::Runtime)?;
    let done = runtime.block_on(run(config, state, feeds, ready, shutdown));
    // The ledger is closed by now. What still blocks a thread is a lookup of a name at most, which
    // nothing can call off.
    runtime.shutdown_timeout(LAST_WORDS);
    done
}

/// The same inside a runtime.
pub async fn run(
    config: Config,
    state: State,
    feeds: Option<Arc<dyn Feeds>>,
    ready: impl FnOnce(Bound),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    // Before anything is opened: a port that is taken must not cost a ledger entry.
    config.check()?;
    let data = bind(config.listen, config.next_free_port).await?;
    let admin = bind(config.admin, config.next_free_port).await?;
    let bound = Bound { data: address(&data)?, admin: address(&admin)? };
    let app = Arc::new(App::new(config, state, feeds)?);
    tracing::info!(data = %bound.data, admin = %bound.admin, log = app.recorder.origin(), "the gateway listens");

    let (stop, stopping) = watch::channel(false);
    let (alive, mut all_done) = mpsc::channel::<Infallible>(1);
    let fit = Connections::of(app.config.limits.connections);
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(app.clone(), data, Door::Data, fit.data, stopping.clone(), alive.clone()));
    tasks.spawn(accept(
        app.clone(),
        admin,
        Door::Admin,
        fit.admin,
        stopping.clone(),
        alive.clone(),
    ));
    tasks.spawn(keep(app.clone(), stopping.clone()));
    tasks.spawn(feeding::keep(app.clone(), stopping.clone()));
    for authority in 0..app.anchoring.count() {
        tasks.spawn(anchoring::keep(app.clone(), authority, stopping.clone()));
    }
    drop(stopping);
    // Asked before anyone is told of the start: what it waits for, such as a signal, is only heard
    // from its first poll on, and whoever was told may stop us at once.
    let mut shutdown = pin!(shutdown);
    let stopped = poll_fn(|context| Poll::Ready(shutdown.as_mut().poll(context).is_ready())).await;
    ready(bound);
    let failed = tokio::select! {
        () = shutdown, if !stopped => false,
        () = std::future::ready(()), if stopped => false,
        // None of them ends by itself. Without one the gateway would hang or go unsigned.
        _ = tasks.join_next() => true,
    };
    tracing::info!("the gateway stops");
    // The receivers are alive as long as their tasks; a send that fails means
    // that there is nobody left to tell.
    let _ = stop.send(true);
    drop(alive);
    while tasks.join_next().await.is_some() {}
    // Every connection and flow holds a sender; the channel ends with the last one.
    let grace = Duration::from_secs(app.config.limits.stop_grace_seconds);
    if timeout(grace, all_done.recv()).await.is_err() {
        tracing::warn!("requests were still under way at the end of the grace period");
        // Each flow that is dropped records that it was interrupted; their callers may take the
        // answer, but nobody waits for those who do not.
        app.cut.send_replace(true);
        let _ = timeout(LAST_WORDS, all_done.recv()).await;
    }
    let recorder = app.recorder.clone();
    let closed = tokio::task::spawn_blocking(move || recorder.close()).await;
    // The last checkpoint is there; that it is not witnessed yet is no reason not to stop.
    if app.witnessing.is_on()
        && let Some(ledger) = app.recorder.ledger().cloned()
    {
        let _ = witnessing::checkpoint(app.clone(), ledger).await;
    }
    match closed {
        Ok(Ok(())) if failed => Err(ServeError::Fault),
        Ok(closed) => closed.map_err(ServeError::Close),
        Err(_) => Err(ServeError::Close(RecordError::Unavailable)),
    }
}

/// The longest request line with its headers.
const HEAD_BYTES: usize = 64 << 10;

#[derive(Clone, Copy)]
enum Door {
    Data,
    Admin,
}

/// How long cut flows and their callers have after the grace period.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Held by everything that must end before the ledger is closed.
pub(crate) type Alive = mpsc::Sender<Infallible>;

async fn bind(wanted: SocketAddr, next_free: bool) -> Result<TcpListener, ServeError> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(cause)
                if next_free
                    && cause.kind() == io::ErrorKind::AddrInUse
                    && address.port().abs_diff(wanted.port()) < 100
                    && address.port() < u16::MAX =>
            {
                address.set_port(address.port() + 1);
            }
            Err(cause) => return Err(ServeError::Bind { address, cause }),
        }
    }
}

fn address(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(ServeError::Runtime)
}

/// The housekeeping: aggregated refusals and checkpoints.
async fn keep(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let mut tick = interval(Duration::from_secs(5));
    let mut checkpoint = interval(Duration::from_secs(app.config.checkpoint_interval_seconds));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    checkpoint.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut signed = None;
    let mut again = false;
    // Witnesses may take their time: the rest of the housekeeping goes on.
    let mut signing = JoinSet::new();
    loop {
        let ticked = tokio::select! {
            _ = stopping.changed() => {
                // A checkpoint is written to its end; only witnesses are not waited for, since the
                // last one asks them again.
                while !app.witnessing.is_on() && signing.join_next().await.is_some() {}
                return;
            }
            Some(done) = signing.join_next() => {
                let (size, written) = done.unwrap_or((0, Err(Unsigned::Lost)));
                again = written.is_err();
                app.recorder.signed(!again);
                match written {
                    Ok(()) => signed = Some(size),
                    Err(Unsigned::Checkpoint(error)) => {
                        if matches!(error, CheckpointError::Stopped(_)) {
                            app.recorder.stopped();
                        }
                        tracing::error!(%error, "a checkpoint could not be written: new requests are refused");
                    }
                    Err(Unsigned::Lost) => {
                        tracing::error!("the checkpoint task failed: new requests are refused");
                    }
                }
                continue;
            }
            _ = tick.tick() => {
                app.recorder.tick();
                app.feeding.look(app.now());
                if app.rules.has_former() {
                    let app = app.clone();
                    drop(apart(move || app.rules.sweep()));
                }
                false
            }
            _ = checkpoint.tick() => true,
        };
        // What could not be signed is tried again soon, also where the interval is long.
        if !(ticked || again) || !signing.is_empty() {
            continue;
        }
        // Where another process writes the ledger, it also signs it.
        let Some(ledger) = app.recorder.ledger().cloned() else { continue };
        let size = ledger.size();
        if signed == Some(size) && !again && !app.witnessing.wants() {
            continue;
        }
        let app = app.clone();
        signing.spawn(async move { (size, witnessing::checkpoint(app, ledger).await) });
    }
}

async fn accept(
    app: Arc<App>,
    listener: TcpListener,
    door: Door,
    limit: usize,
    mut stopping: watch::Receiver<bool>,
    alive: Alive,
) {
    let Ok(bound) = listener.local_addr() else { return };
    let hosts = Arc::new(Hosts::new(bound.ip(), &app.config.hosts));
    let slots = Arc::new(Semaphore::new(limit));
    loop {
        // At the cap nothing is accepted: the kernel's queue holds the callers back.
        let slot = tokio::select! {
            _ = stopping.changed() => return,
            slot = slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { return };
        let accepted = tokio::select! {
            _ = stopping.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors and the like: breathe instead of spinning.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (app, hosts, stopping, alive) =
            (app.clone(), hosts.clone(), stopping.clone(), alive.clone());
        tokio::spawn(async move {
            connection(app, hosts, door, stream, peer, stopping, alive).await;
            drop(slot);
        });
    }
}

async fn connection(
    app: Arc<App>,
    hosts: Arc<Hosts>,
    door: Door,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<bool>,
    alive: Alive,
) {
    let _counted = matches!(door, Door::Data).then(|| app.metrics.connected());
    // Without it small events would wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let header_read = Duration::from_secs(app.config.limits.header_read_seconds);
    let stall = Duration::from_secs(app.config.limits.caller_stall_seconds);
    let peer: Arc<str> = Arc::from(peer.ip().to_canonical().to_string());
    let service = {
        let (app, peer) = (app.clone(), peer.clone());
        service_fn(move |request| {
            let (app, hosts, peer, alive) =
                (app.clone(), hosts.clone(), peer.clone(), alive.clone());
            async move {
                let response = match door {
                    Door::Data => data(app, &hosts, &peer, request, alive).await,
                    Door::Admin => operate(&app, &hosts, &peer, request).await,
                };
                Ok::<_, Infallible>(response)
            }
        })
    };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read)
        .max_buf_size(HEAD_BYTES)
        .max_header_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream, stall)), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = stopping.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    // What is not even HTTP has been answered by the HTTP layer itself, without
    // an id; that it came is evidence nevertheless.
    if let Err(error) = ended
        && error.is_parse()
        && app.recorder.shut().is_none()
    {
        let log = app.recorder.begin(&app.recorder.ruleset(), &peer, "", "");
        let _ = closing::refuse(&app, Route::None, log, &Refusal::MalformedHttp).await;
    }
}

/// One request on the data listener.
async fn data(
    app: Arc<App>,
    hosts: &Hosts,
    peer: &str,
    request: Request<Incoming>,
    alive: Alive,
) -> Response<Body> {
    if let Some(refused) = closing::shut(&app) {
        return refused;
    }
    // Once, for the whole of the request: what comes into force meanwhile is for those who come then.
    let rules = app.rules.now();
    let (method, path) = (request.method().as_str(), request.uri().path());
    let log = app.recorder.begin(rules.ruleset(), peer, method, path);
    let routed = addressed(hosts, request.uri(), request.headers())
        .and_then(|()| route(request.method(), request.uri().path()))
        .and_then(|route| if app.feeding.is_shut() { Err(Refusal::FeedsStale) } else { Ok(route) });
    match routed {
        Err(refusal) => closing::refuse(&app, Route::None, log, &refusal).await,
        Ok(Route::Models) => match passed_on(request.headers()) {
            Err(refusal) => closing::refuse(&app, Route::Models, log, &refusal).await,
            Ok(()) => unary::models(&app, log, request.headers()).await,
        },
        Ok(Route::ChatCompletions | Route::None) => {
            let id = log.id().to_owned();
            let (head, body) = request.into_parts();
            let (reply, answer) = oneshot::channel();
            // A task of its own: when the caller goes away this future is dropped,
            // and the flow still has to cancel, settle and record.
            let mut cut = app.cut.subscribe();
            let stopping = cut.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = flow::run(app.clone(), Call { head, body, log, rules, reply }, alive.clone()) => {}
                    _ = cut.wait_for(|cut| *cut) => {}
                }
                // Not before the flow is gone, with all it records.
                drop(alive);
            });
            match answer.await {
                Ok(response) => response,
                Err(_) if *stopping.borrow() => Refusal::Stopping.response(&id, None),
                Err(_) => Refusal::Internal.response(&id, None),
            }
        }
    }
}

/// One request on the admin listener.
async fn operate(
    app: &App,
    hosts: &Hosts,
    peer: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let addressed = addressed(hosts, &head.uri, &head.headers);
    let answered = match addressed {
        Err(refusal) => Err(refusal),
        Ok(()) if scanning::is_path(head.uri.path()) => scanning::handle(app, &head, body).await,
        Ok(()) => admin::handle(app, &head),
    };
    match answered {
        Ok(response) => response,
        Err(refusal) => {
            if let Some(refused) = closing::shut(app) {
                return refused;
            }
            let (method, path) = (head.method.as_str(), head.uri.path());
            let log = app.recorder.begin(&app.recorder.ruleset(), peer, method, path);
            closing::refuse(app, Route::None, log, &refusal).await
        }
    }
}
