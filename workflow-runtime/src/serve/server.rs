//! A server for a router: how many are served at a time, and how long each may
//! take to ask.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// How many connections are open at a time; others wait to be taken.
const CONNECTIONS: usize = 512;

/// How long a client may take to say what it wants.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How much room a request's head has.
const HEAD_SIZE: usize = 32 << 10;

/// How long it waits after the system has refused a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that listens.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    /// Listens at an address, whose port may be 0 for any that is free.
    ///
    /// # Errors
    /// When that address is taken, or is none of this machine's.
    pub(crate) async fn listen(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, router: Router) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        one(stream, router).await;
                        drop(place);
                    });
                }
                // Such as no more files: the others go on meanwhile.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn one(stream: TcpStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection has ended");
    }
}

/// A token that nobody guesses.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
