//! A hand-made peer over real TLS: these bytes go out, those frames come in.

use bytes::BytesMut;
use farlens_wire::{
    Code, Epoch, FrameDecoder, Kind, Limits, Mode, Position, StreamId,
    frame::{
        Control, Frame, LinkFrame, StreamFrame,
        link::Hello,
        put_control,
        stream::{self, Open, Opened, State, StreamControl, Target, put_bulk_head},
    },
};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Nothing that a peer waits for takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The peer.
#[derive(Debug)]
pub struct Peer {
    io: TlsStream<TcpStream>,
    decoder: FrameDecoder,
}

/// How the other side ended the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// With this as its last frame.
    Bye(Code, String),
    /// Without a word.
    Silent,
}

impl Farewell {
    /// The code of the last frame, if there was one.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Bye(code, _) => Some(*code),
            Self::Silent => None,
        }
    }
}

impl Peer {
    /// Shakes hands with a server.
    ///
    /// # Errors
    /// Whatever TLS or TCP reports.
    pub async fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("peer.invalid").map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, socket).await?;
        Ok(Self::over(TlsStream::Client(stream)))
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// Whatever TLS reports.
    pub async fn accept(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let stream = TlsAcceptor::from(Arc::clone(config)).accept(socket).await?;
        Ok(Self::over(TlsStream::Server(stream)))
    }

    fn over(io: TlsStream<TcpStream>) -> Self {
        let mut decoder = FrameDecoder::new(1 << 20);
        decoder.set_max_payload(1 << 20);
        Self { io, decoder }
    }

    /// The connection itself.
    pub const fn io(&mut self) -> &mut TlsStream<TcpStream> {
        &mut self.io
    }

    /// Sends bytes, as they are.
    ///
    /// # Errors
    /// If the other side is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    /// Sends a frame of a call or stream.
    ///
    /// # Errors
    /// If the other side is gone.
    pub async fn put<C: Control>(&mut self, id: u64, frame: &C) -> io::Result<()> {
        self.send(&control(id, frame)).await
    }

    /// Says hello with default limits.
    ///
    /// # Errors
    /// If the other side is gone.
    pub async fn greet(&mut self) -> io::Result<()> {
        self.send(&hello(&Limits::default())).await
    }

    /// The next frame; nothing once the other side has hung up.
    ///
    /// # Panics
    /// If nothing comes for long, or what comes is no frame.
    pub async fn next(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.next_frame()).await.expect("a frame or the end of the connection")
    }

    async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next().expect("the library sends good frames") {
                return Some(frame);
            }
            let mut block = BytesMut::with_capacity(64 << 10);
            match self.io.read_buf(&mut block).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => self.decoder.push(block.freeze()),
            }
        }
    }

    /// Waits until the other side has hung up, and gives its last word.
    ///
    /// # Panics
    /// If it does not hang up.
    pub async fn farewell(&mut self) -> Farewell {
        let mut last = Farewell::Silent;
        while let Some(frame) = self.next().await {
            if let Frame::Link(LinkFrame::Bye(bye)) = frame {
                last = Farewell::Bye(bye.fault.code, bye.fault.text);
            }
        }
        last
    }

    /// Waits for the next request for a stream, and gives its id.
    ///
    /// # Panics
    /// If none comes.
    pub async fn opened(&mut self) -> (u64, Open) {
        loop {
            let frame = self.next().await.expect("a request for a stream");
            if let Frame::Stream(StreamId(id), StreamFrame::Control(StreamControl::Open(open))) =
                frame
            {
                return (id, open);
            }
        }
    }
}

/// A hello.
#[must_use]
pub fn hello(limits: &Limits) -> Vec<u8> {
    let mut out = Vec::new();
    LinkFrame::Hello(Hello::new(limits, "hostile/1")).put(&mut out);
    out
}

/// A frame about a call or stream.
#[must_use]
pub fn control<C: Control>(id: u64, frame: &C) -> Vec<u8> {
    let mut out = Vec::new();
    put_control(&mut out, id, frame);
    out
}

/// A request for a stream with this much credit.
#[must_use]
pub fn open(path: &str, bytes: u64) -> Open {
    Open {
        target: Target::Path(path.to_owned()),
        flags: 1,
        kind: None,
        start: farlens_wire::Pos::START,
        at_end: farlens_wire::AtEnd::Stop,
        delivery: farlens_wire::Delivery::Lossless,
        purpose: stream::Purpose::Use,
        ranges: Vec::new(),
        credit: stream::Credit { bytes, elements: bytes },
        fingerprint: None,
        urgency: farlens_wire::Urgency::USUAL,
    }
}

/// A stream of so many elements, open at its start.
#[must_use]
pub fn opened(kind: Kind, length: u64) -> Opened {
    let end = Position::new(length).unwrap_or(Position::MAX);
    Opened {
        kind,
        mode: Mode::READ_FILE,
        append_only: false,
        write: stream::Credit::default(),
        state: State { bounds: farlens_wire::Bounds::up_to(end), version: Vec::new(), ended: true },
        at: Position::ZERO,
        fingerprint: None,
        schema: None,
    }
}

/// A frame with bytes of epoch 0.
#[must_use]
pub fn data(id: u64, at: u64, bytes: &[u8]) -> Vec<u8> {
    bulk(stream::DATA, id, at, None, bytes)
}

/// A frame with whole entities of epoch 0.
#[must_use]
pub fn items(id: u64, at: u64, bodies: &[&[u8]]) -> Vec<u8> {
    let mut payload = Vec::new();
    for body in bodies {
        farlens_wire::varint::put(&mut payload, body.len() as u64);
        payload.extend_from_slice(body);
    }
    bulk(stream::ITEMS, id, at, None, &payload)
}

/// One entity of epoch 0 in as many frames as it needs.
#[must_use]
pub fn item_parts(id: u64, at: u64, body: &[u8]) -> Vec<u8> {
    let total = Some(body.len() as u64);
    let parts = body.chunks(32 << 10);
    parts.flat_map(|part| bulk(stream::ITEM_PART, id, at, total, part)).collect()
}

fn bulk(kind: u8, id: u64, at: u64, total: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let at = Position::new(at).unwrap_or(Position::MAX);
    put_bulk_head(&mut out, kind, id, (Epoch(0), at), total, payload.len());
    out.extend_from_slice(payload);
    out
}
