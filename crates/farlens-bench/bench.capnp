# What is asked of capnp-rpc. Streams are calls of a sink that the client hands over, as is usual
# with Cap'n Proto.
@0xb3f1c6a2d94e7085;

interface Bench {
  echo @0 (message :Data) -> (message :Data);
  piece @1 (at :UInt64, len :UInt64) -> (bytes :Data);
  bulk @2 (file :Bool, to :Bytes) -> ();
  entities @3 (count :UInt64, to :Samples) -> ();
  sink @5 () -> (to :Bytes);
  batches @4 (count :UInt64, to :Samples) -> ();
  quiet @6 (to :Bytes) -> ();
  log @7 (to :Bytes) -> ();
}

interface Bytes {
  write @0 (bytes :Data) -> stream;
  end @1 () -> (count :UInt64);
}

interface Samples {
  one @0 (sample :Sample) -> stream;
  many @1 (samples :List(Sample)) -> stream;
  end @2 () -> ();
}

struct Sample {
  id @0 :UInt64;
  timeNs @1 :UInt64;
  value @2 :Float64;
  label @3 :Text;
  valid @4 :Bool;
}
