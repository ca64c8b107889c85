//! Origins that follow a script, a proxy in front of them, and visitors who write bytes.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tower::Service;
use tower_flashback::proxy::{Config, Server, Upstream, server::Drained};

/// A proxy that serves until it is told to stop, or dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Drained>,
}

impl Proxy {
    pub(crate) async fn before(origin: SocketAddr) -> Self {
        Self::with(origin, |_| {}).await
    }

    pub(crate) async fn with(origin: SocketAddr, set: impl FnOnce(&mut Config)) -> Self {
        Self::to(&format!("http://{origin}"), set).await
    }

    pub(crate) async fn to(url: &str, set: impl FnOnce(&mut Config)) -> Self {
        Self::around(url, set, |upstream| upstream).await
    }

    /// With something between its server and the origin.
    pub(crate) async fn around<S>(
        url: &str,
        set: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Upstream) -> S,
    ) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        set(&mut config);
        let upstream = Upstream::new(url.parse().unwrap(), &config.origin).unwrap();
        let server = Server::bind(&config.server).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let serving = tokio::spawn(server.serve(wrap(upstream), async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        Self {
            address,
            stop,
            serving,
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn ended(self) -> Drained {
        self.serving.await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn dial(&self) -> Visitor {
        Visitor(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own; what comes back until the proxy closes it.
    pub(crate) async fn say(&self, request: &str) -> String {
        let mut visitor = self.dial().await;
        visitor.write(request).await;
        visitor.rest().await
    }
}

/// A connection that reads and writes text.
pub(crate) struct Visitor(pub(crate) TcpStream);

impl Visitor {
    pub(crate) async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until what was read ends like this.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            match patient(self.0.read_u8()).await {
                Ok(byte) => read.push(byte),
                Err(_) => panic!("closed after {:?}", String::from_utf8_lossy(&read)),
            }
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        // A reset ends the stream as well as a close does: what was read counts.
        let _ = patient(self.0.read_to_end(&mut read)).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// Nothing in these tests takes long; a hang fails with a line number instead of hanging.
pub(crate) async fn patient<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("took more than 20 s")
}

/// An origin that is an axum app.
pub(crate) async fn app(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An origin whose every connection follows a script, which is told how many came before.
pub(crate) async fn scripted<F, R>(script: F) -> SocketAddr
where
    F: Fn(usize, Visitor) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for index in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script(index, Visitor(stream)));
        }
    });
    address
}

/// An origin that answers every request with `200` and an empty body, and keeps the heads that it saw.
pub(crate) async fn recorder() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let address = scripted(move |_, mut connection| {
        let kept = kept.clone();
        async move {
            let mut head = String::new();
            while let Ok(byte) = connection.0.read_u8().await {
                head.push(char::from(byte));
                if head.ends_with("\r\n\r\n") {
                    kept.lock().unwrap().push(std::mem::take(&mut head));
                    connection
                        .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        .await;
                    return;
                }
            }
        }
    })
    .await;
    (address, seen)
}

/// A client of HTTP/1.1.
pub(crate) fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A client that speaks HTTP/2 from the first byte.
pub(crate) fn client_h2() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

/// The value of a header in a head as it was read.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
}
