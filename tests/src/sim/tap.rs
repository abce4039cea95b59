//! What goes over the wire, as far as the model must know: which steps have left their opener, and
//! which closes are confirmed.

use super::{Key, World, ensure};
use bytes::Bytes;
use farlens_proto::ItemBatch;
use farlens_wire::{
    FrameDecoder, Side, StreamId,
    frame::{Frame, StreamFrame, stream::StreamControl},
};

/// Listens to one sender.
#[derive(Debug)]
pub(super) struct Tap {
    side: Side,
    decoder: FrameDecoder,
}

impl Tap {
    pub(super) fn new(side: Side) -> Self {
        Self { side, decoder: FrameDecoder::new(1 << 20) }
    }
}

impl World {
    /// Looks at what `node` sends.
    pub(super) fn listen(&mut self, node: usize, block: Bytes) -> Result<(), String> {
        self.nodes[node].tap.decoder.push(block);
        loop {
            let tap = &mut self.nodes[node].tap;
            let frame = tap.decoder.next().map_err(|error| format!("node {node}: {error}"))?;
            let Some(frame) = frame else { return Ok(()) };
            if let Frame::Stream(stream, frame) = frame {
                let opener = if tap.side.owns(stream.0) { node } else { 1 - node };
                self.hear(opener, opener == node, stream, frame)?;
            }
        }
    }

    fn hear(
        &mut self,
        opener: usize,
        asks: bool,
        stream: StreamId,
        frame: StreamFrame,
    ) -> Result<(), String> {
        let key = Key { connection: self.connection, opener, stream };
        let Some(record) = self.records.get_mut(&key) else { return Ok(()) };
        let writer = &mut record.writer;
        let outcome = match frame {
            StreamFrame::Control(control) => match control {
                StreamControl::Write(write) => writer.head_left(write.step.0),
                StreamControl::Truncate(truncate) => writer.head_left(truncate.step.0),
                StreamControl::Sync(sync) => writer.head_left(sync.step.0),
                StreamControl::Closed(_) => writer.close_confirmed(),
                _ => Ok(()),
            },
            StreamFrame::Data(data) if asks => {
                writer.elements_left(data.epoch.0, data.payload.len() as u64)
            }
            StreamFrame::Items(data) if asks => {
                let batch = ItemBatch::parse(data.payload);
                let count = batch.map_err(|_| "entities that are none")?.count();
                writer.elements_left(data.epoch.0, count)
            }
            StreamFrame::ItemPart { total, part } if asks => {
                record.part += part.payload.len() as u64;
                ensure!(record.part <= total, "parts of {} in {total}", record.part);
                if record.part < total {
                    return Ok(());
                }
                record.part = 0;
                writer.elements_left(part.epoch.0, 1)
            }
            _ => Ok(()),
        };
        outcome.map_err(|text| format!("{key:?}: {text}"))
    }
}
