//! The visitor's socket to the broker. Lost once, it stays lost: links live without it, and a native visitor does not stay
//! for long.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::frame::coding::CloseCode};

use super::site::{Site, Socket};
use crate::broker::signal::{FromBroker, FromVisitor, TOKEN};

/// What the broker said, or that it is gone.
#[derive(Debug)]
pub(super) enum Heard {
    Said(FromBroker),
    /// It cannot be reached, refuses, or speaks another language.
    Lost,
}

/// The handle of a socket. Whoever drops it, says goodbye.
#[derive(Debug)]
pub(super) struct Broker {
    outgoing: mpsc::Sender<Bytes>,
}

impl Broker {
    /// Begins to join; all that comes of it is told to `heard`, [`Heard::Lost`] last.
    pub(super) fn join(site: Site, token: [u8; TOKEN], heard: mpsc::Sender<Heard>) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            if let Ok(socket) = site.signal(SIGNAL).await {
                let join = FromVisitor::Join { token }.encode();
                // Ends with the socket, or when the handle is gone.
                let _ = talk(socket, join.into(), queue, &heard).await;
            }
            let _ = heard.send(Heard::Lost).await;
        });
        Self { outgoing }
    }

    /// Dropped where the broker takes no more: nothing that is said here is needed for the page.
    pub(super) fn say(&self, message: &FromVisitor) {
        let _ = self.outgoing.try_send(message.encode().into());
    }
}

async fn talk(
    mut socket: Socket,
    join: Bytes,
    mut queue: mpsc::Receiver<Bytes>,
    heard: &mpsc::Sender<Heard>,
) -> Result<(), Error> {
    socket.send(Message::Binary(join)).await?;
    loop {
        tokio::select! {
            said = queue.recv() => match said {
                Some(bytes) => socket.send(Message::Binary(bytes)).await?,
                None => return socket.close(None).await,
            },
            came = socket.next() => match came.transpose()? {
                Some(Message::Binary(bytes)) => {
                    // Its own mistake, or a newer broker: there is nothing to talk about.
                    let Ok(message) = FromBroker::decode(&bytes) else { return Ok(()) };
                    if heard.send(Heard::Said(message)).await.is_err() {
                        return socket.close(None).await;
                    }
                }
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                Some(Message::Close(Some(frame))) if frame.code == CloseCode::from(CALM) => {
                    let _ = heard.send(Heard::Said(FromBroker::Calm)).await;
                    return Ok(());
                }
                _ => return Ok(()),
            },
        }
    }
}

const SIGNAL: &str = "/.flashback/signal";
/// A broker that does not take 64 short messages is as good as gone.
const QUEUE: usize = 64;
/// The close code of a page that is calm.
const CALM: u16 = 4004;
