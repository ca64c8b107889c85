//! One visitor's WebSocket, from the first byte to the last. It carries messages and keeps deadlines; what a message
//! means is decided in the [`room`](crate::broker::Room).

use std::{net::IpAddr, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use metrics::counter;
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, error::Elapsed, sleep_until, timeout},
};

use crate::{
    broker::{
        Settings,
        hall::Out,
        limit::{Bucket, Rate},
        service::{Broker, Visit},
        signal::{Chunk, FromBroker, FromVisitor, TOKEN},
    },
    swarm::PeerFault,
    telemetry::metric,
};

/// Close codes of `docs/protocol.md`.
pub(super) mod code {
    /// RFC 6455: this server goes away.
    pub(in crate::broker) const AWAY: u16 = 1001;
    pub(in crate::broker) const MALFORMED: u16 = 4000;
    pub(in crate::broker) const TOKEN: u16 = 4001;
    pub(in crate::broker) const FULL: u16 = 4002;
    pub(in crate::broker) const VERSION: u16 = 4003;
    pub(in crate::broker) const CALM: u16 = 4004;
    pub(in crate::broker) const FLOOD: u16 = 4008;
    pub(in crate::broker) const IDLE: u16 = 4009;
}

/// A visitor's socket and the limits it is held to.
pub(super) struct Session {
    socket: WebSocket,
    broker: Broker,
    client: IpAddr,
    messages: Bucket,
    /// From here the limits count their time.
    start: Instant,
    heard_at: Instant,
}

/// How a session ends.
enum End {
    /// The socket ended, or does not read.
    Gone,
    /// It said goodbye.
    Left,
    /// It is told to close with this code.
    Close(u16),
    /// It sent a frame that is too long, or none at all.
    Frame,
}

impl Session {
    pub(super) fn new(socket: WebSocket, broker: Broker, client: IpAddr) -> Self {
        let start = Instant::now();
        Self {
            socket,
            broker,
            client,
            messages: Bucket::default(),
            start,
            heard_at: start,
        }
    }

    /// Runs until the visitor leaves, is sent away, or does wrong.
    pub(super) async fn run(mut self) {
        let end = match self.join().await {
            Ok((visit, exit)) => self.stay(visit, exit).await,
            Err(end) => end,
        };
        match end {
            End::Gone => {}
            End::Left => self.linger().await,
            End::Close(code) => drop(self.close(code).await),
            End::Frame => {
                // A socket that was merely lost gives an error too, but then it cannot be told, and is not counted.
                if self.close(code::MALFORMED).await.is_ok() {
                    counter!(metric::FAULTS, "kind" => "frame", "by" => "broker").increment(1);
                }
            }
        }
    }

    /// The whole of it has one deadline: whoever only pings, or sends a byte a second, gets no further.
    async fn join(&mut self) -> Result<(Visit, Receiver<Out>), End> {
        let within = self.settings().join_within;
        let message = match timeout(within, self.first()).await {
            Ok(message) => message?,
            Err(_) => {
                counter!(metric::SHED, "reason" => "join").increment(1);
                return Err(End::Close(code::IDLE));
            }
        };
        let token = self.token(&message)?;
        self.broker
            .enter(&token, self.client)
            .map_err(|refusal| End::Close(refusal.code()))
    }

    async fn first(&mut self) -> Result<Bytes, End> {
        loop {
            let received = self.socket.recv().await;
            if let Some(message) = self.receive(received)? {
                return Ok(message);
            }
        }
    }

    fn token(&self, message: &[u8]) -> Result<[u8; TOKEN], End> {
        match FromVisitor::decode(message) {
            Ok(FromVisitor::Join { token }) => Ok(token),
            Ok(_) => Err(fault(PeerFault::Order)),
            Err(wrong) => Err(fault(wrong)),
        }
    }

    async fn stay(&mut self, visit: Visit, mut exit: Receiver<Out>) -> End {
        let mut ping_at = Instant::now() + self.settings().ping_every;
        loop {
            let deadline = ping_at.min(self.heard_at + self.settings().idle_after);
            tokio::select! {
                out = exit.recv() => match out {
                    Some(out) => {
                        if let Err(end) = self.obey(&visit, out, &mut exit).await {
                            return end;
                        }
                    }
                    // The queue overflowed: nobody reads, so there is nobody to be told.
                    None => return End::Gone,
                },
                received = self.socket.recv() => {
                    if let Err(end) = self.receive(received).and_then(|message| hear(&visit, message)) {
                        return end;
                    }
                }
                () = sleep_until(deadline) => {
                    if deadline < ping_at {
                        counter!(metric::SHED, "reason" => "idle").increment(1);
                        return End::Close(code::IDLE);
                    }
                    if let Err(end) = self.send(Message::Ping(Bytes::new())).await {
                        return end;
                    }
                    ping_at += self.settings().ping_every;
                }
            }
        }
    }

    /// Sends what waits, words that follow each other in one packet: a newcomer is welcomed and introduced at one moment.
    async fn obey(&mut self, visit: &Visit, first: Out, exit: &mut Receiver<Out>) -> Result<(), End> {
        let mut next = Some(first);
        while let Some(out) = next.take() {
            match out {
                Out::Say(bytes) => {
                    self.feed(Message::Binary(bytes)).await?;
                    next = exit.try_recv().ok();
                    if !matches!(next, Some(Out::Say(_))) {
                        self.flush().await?;
                    }
                }
                Out::Chunk(chunk) => self.hand_out(visit, chunk).await?,
                Out::Leave(code) => return Err(End::Close(code)),
            }
        }
        Ok(())
    }

    /// The bytes of a binary message within the limits; none for a ping or a pong, which count as well.
    fn receive(&mut self, received: Option<Result<Message, axum::Error>>) -> Result<Option<Bytes>, End> {
        self.heard_at = Instant::now();
        let settings = self.broker.settings();
        let rate = Rate {
            burst: settings.burst as f32,
            per_second: settings.messages_per_second as f32,
        };
        let Some(received) = received else {
            return Err(End::Gone);
        };
        let message = received.map_err(|_| End::Frame)?;
        if !self.messages.take(rate, 1.0, self.heard_at - self.start) {
            counter!(metric::SHED, "reason" => "flood").increment(1);
            return Err(fault(PeerFault::Flood));
        }
        match message {
            Message::Binary(bytes) => Ok(Some(bytes)),
            Message::Ping(_) | Message::Pong(_) => Ok(None),
            Message::Text(_) => Err(fault(PeerFault::Type)),
            Message::Close(_) => Err(End::Left),
        }
    }

    /// Each chunk may be answered with one message more than the limits allow: what is spare after it.
    async fn hand_out(&mut self, visit: &Visit, chunk: Chunk) -> Result<(), End> {
        let bytes = chunk.bytes.len();
        self.send(Message::Binary(FromBroker::Chunk(chunk).encode().into()))
            .await?;
        self.messages.give_back(1.0);
        visit.took(bytes);
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Puts a message behind those that the next [`flush`](Self::flush) sends.
    async fn feed(&mut self, message: Message) -> Result<(), End> {
        let within = self.settings().send_within;
        taken(timeout(within, self.socket.feed(message)).await)
    }

    async fn flush(&mut self) -> Result<(), End> {
        let within = self.settings().send_within;
        taken(timeout(within, self.socket.flush()).await)
    }

    async fn close(&mut self, code: u16) -> Result<(), End> {
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        self.send(Message::Close(Some(frame))).await?;
        self.linger().await;
        Ok(())
    }

    /// Ends the closing handshake. A socket that is dropped with bytes unread resets the connection, and what it said
    /// last may be lost with it.
    async fn linger(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        let _ = timeout(LINGER, rest).await;
    }

    fn settings(&self) -> &Settings {
        self.broker.settings()
    }
}

fn hear(visit: &Visit, message: Option<Bytes>) -> Result<(), End> {
    let Some(message) = message else {
        return Ok(());
    };
    FromVisitor::decode(&message)
        .and_then(|message| visit.hear(message))
        .map_err(fault)
}

/// Whether the socket took it in time.
fn taken(sent: Result<Result<(), axum::Error>, Elapsed>) -> Result<(), End> {
    match sent {
        Ok(sent) => sent.map_err(|_| End::Gone),
        Err(_) => {
            counter!(metric::SHED, "reason" => "slow").increment(1);
            Err(End::Gone)
        }
    }
}

/// Counts the fault and says how the socket is closed for it.
fn fault(fault: PeerFault) -> End {
    counter!(metric::FAULTS, "kind" => fault.as_str(), "by" => "broker").increment(1);
    End::Close(match fault {
        PeerFault::Version => code::VERSION,
        PeerFault::Flood => code::FLOOD,
        _ => code::MALFORMED,
    })
}

/// How long a closed socket may take to answer; what it still sends is read and dropped.
const LINGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: impl FnOnce(Session) -> F) -> usize {
        size_of::<F>()
    }

    /// A crowd is thousands of these, waiting. With the buffers of the WebSocket and the queue 8 KiB is the budget; a
    /// future that grows with a careless `await` would be the first to spend it.
    #[test]
    fn an_idle_session_is_small() {
        let bytes = size(Session::run);
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
