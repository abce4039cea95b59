//! `describe` and `call`: objects by nothing but what they say of themselves. The server runs in
//! the process of the test, since the command itself publishes no objects.

use crate::process::{Home, failure, stderr};
use farlens::{FixedData, Identity, RemoteStreamer, Server, Streamer, Verb};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Runtime;

#[derive(Clone, Debug, Serialize, Deserialize, farlens::Schema)]
struct Time {
    ns: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, farlens::Schema)]
struct Pose {
    tool: String,
    at: Time,
    m: [f32; 3],
}

#[derive(Clone, Debug, Serialize, Deserialize, farlens::Schema)]
enum ProbeError {
    NoSuchSet { name: String },
    System(u16),
}

impl From<farlens::Error> for ProbeError {
    fn from(error: farlens::Error) -> Self {
        Self::System(error.code().number())
    }
}

#[farlens::remote]
trait Alarm {
    async fn fired(&self, what: String) -> farlens::Result<()>;
    async fn checked(&self, level: u8) -> Result<(), ProbeError>;
    async fn asked(&self) -> farlens::Result<bool>;
}

#[farlens::remote]
trait Dataset {
    async fn size(&self) -> farlens::Result<u64>;
}

/// Measures what is
/// before it.
#[farlens::remote]
trait Probe {
    /// Takes n samples and returns the RMS error.
    async fn calibrate(&self, n: u32) -> farlens::Result<f64>;
    fn poses(&self, hz: u16) -> impl Stream<Item = farlens::Result<Pose>> + Send;
    async fn watch(&self, cb: AlarmRef) -> farlens::Result<()>;
    async fn ask(&self, cb: Option<AlarmRef>) -> farlens::Result<bool>;
    async fn dataset(&self, name: String) -> Result<DatasetRef, ProbeError>;
    async fn image(&self, length: u64) -> farlens::Result<RemoteStreamer>;
    async fn turn(&self, pose: Pose, by: Option<f32>, raw: Vec<u8>) -> farlens::Result<Pose>;
    async fn stuck(&self) -> farlens::Result<()>;
    async fn maybe(&self) -> farlens::Result<Option<u8>>;
    #[farlens(one_way)]
    async fn note(&self, text: String) -> farlens::Result<()>;
}

#[derive(Default)]
struct Bench {
    /// Methods that were run.
    runs: AtomicUsize,
    /// Alarms that are kept.
    alarms: Mutex<Vec<AlarmRef>>,
}

struct TestProbe(Arc<Bench>);

impl TestProbe {
    fn run(&self) {
        self.0.runs.fetch_add(1, Ordering::SeqCst);
    }
}

struct Set;

impl Dataset for Set {
    async fn size(&self) -> farlens::Result<u64> {
        Ok(7)
    }
}

impl Probe for TestProbe {
    async fn calibrate(&self, n: u32) -> farlens::Result<f64> {
        self.run();
        Ok(1.0 / f64::from(n))
    }

    fn poses(&self, hz: u16) -> impl Stream<Item = farlens::Result<Pose>> + Send {
        stream::iter((0..hz).map(|n| {
            let ns = u64::from(n) * 10;
            Ok(Pose { tool: "needle".into(), at: Time { ns }, m: [f32::from(n), 0.5, 0.0] })
        }))
    }

    async fn watch(&self, cb: AlarmRef) -> farlens::Result<()> {
        cb.fired("needle out of volume".into()).await?;
        let _ = cb.checked(3).await;
        self.0.alarms.lock().expect("no panic").push(cb);
        Ok(())
    }

    async fn ask(&self, cb: Option<AlarmRef>) -> farlens::Result<bool> {
        match cb {
            Some(cb) => cb.asked().await,
            None => Ok(false),
        }
    }

    async fn dataset(&self, name: String) -> Result<DatasetRef, ProbeError> {
        if name == "lost" { Err(ProbeError::NoSuchSet { name }) } else { Ok(DatasetRef::new(Set)) }
    }

    async fn image(&self, length: u64) -> farlens::Result<RemoteStreamer> {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        RemoteStreamer::new(Streamer::new(FixedData::bytes(bytes)))
    }

    async fn turn(&self, pose: Pose, by: Option<f32>, raw: Vec<u8>) -> farlens::Result<Pose> {
        self.run();
        let by = by.unwrap_or(1.0) + raw.iter().map(|byte| f32::from(*byte)).sum::<f32>();
        Ok(Pose { m: pose.m.map(|part| part * by), ..pose })
    }

    async fn stuck(&self) -> farlens::Result<()> {
        std::future::pending().await
    }

    async fn maybe(&self) -> farlens::Result<Option<u8>> {
        Ok(None)
    }

    async fn note(&self, _text: String) -> farlens::Result<()> {
        self.run();
        Ok(())
    }
}

/// A server with a probe and a stream, and a client who may do what the ticket says.
struct Lab {
    home: Home,
    ticket: String,
    bench: Arc<Bench>,
    server: Option<Server>,
    runtime: Runtime,
}

impl Lab {
    fn open(verbs: &[Verb]) -> Self {
        let bench = Arc::new(Bench::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let builder = Server::builder()
            .identity(Identity::generate().expect("a key"))
            .publish("/probe", ProbeRef::new(TestProbe(Arc::clone(&bench))))
            .publish("/data", FixedData::bytes("12345"));
        let server = runtime.block_on(builder.bind("127.0.0.1:0")).expect("it listens");
        let ticket = server.invite_to("/", verbs).expect("an invite").to_string();
        Self { home: Home::new(), ticket, bench, server: Some(server), runtime }
    }

    fn new() -> Self {
        Self::open(&[Verb::Read, Verb::Call])
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.ticket)
    }

    fn words<'a>(target: &'a str, words: &[&'a str]) -> Vec<&'a str> {
        [&["call", "-q", target], words].concat()
    }

    /// What a call prints.
    fn call(&self, words: &[&str]) -> String {
        let target = self.at("/probe");
        String::from_utf8(self.home.ok(Self::words(&target, words))).expect("text")
    }

    /// How a call fails: the exit code, and the error.
    fn refused(&self, words: &[&str]) -> (Option<i32>, Value) {
        let target = self.at("/probe");
        failure(&self.home.run([&Self::words(&target, words)[..], &["--json"]].concat()))
    }

    fn runs(&self) -> usize {
        self.bench.runs.load(Ordering::SeqCst)
    }

    /// The alarm that the probe keeps once it has told of it.
    fn kept_alarm(&self) -> AlarmRef {
        loop {
            let kept = self.bench.alarms.lock().expect("no panic").pop();
            match kept {
                Some(alarm) => return alarm,
                None => std::thread::yield_now(),
            }
        }
    }

    fn shut_down(&mut self) {
        let server = self.server.take().expect("it runs");
        self.runtime.block_on(server.shutdown(Duration::from_secs(5)));
    }
}

#[test]
fn an_object_is_described_by_itself() {
    let lab = Lab::new();
    let text = String::from_utf8(lab.home.ok(["describe", "-q", &lab.at("/probe")])).expect("text");
    let (head, rest) = text.split_once('\n').expect("lines");
    assert!(head.starts_with("object /probe : Probe  (schema "), "{head}");
    assert_eq!(
        rest,
        "  Measures what is before it.\n\
         \x20 calibrate(n: u32) -> f64                      Takes n samples and returns the RMS error.\n\
         \x20 poses(hz: u16) -> stream Pose { tool: text, at: Time, m: [f32; 3] }\n\
         \x20 watch(cb: Alarm) -> ()                        Alarm: fired(what: text), \
         checked(level: u8) -> enum Result { Ok(()), Err(ProbeError) }, asked() -> bool\n\
         \x20 ask(cb: Alarm?) -> bool\n\
         \x20 dataset(name: text) -> enum Result#2 { Ok(Dataset), Err(ProbeError) }\n\
         \x20 image(length: u64) -> object\n\
         \x20 turn(pose: Pose { tool: text, at: Time, m: [f32; 3] }, by: f32?, raw: [u8]) -> \
         Pose { tool: text, at: Time, m: [f32; 3] }\n\
         \x20 stuck() -> ()\n\
         \x20 maybe() -> u8?\n\
         \x20 note(text: text)\n\
         with\n\
         \x20 Time { ns: u64 }\n\
         \x20 enum Result { Ok(()), Err(ProbeError) }\n\
         \x20 enum ProbeError { NoSuchSet { name: text }, System(u16) }\n\
         \x20 Dataset: size() -> u64\n"
    );
    let json = lab.home.ok(["describe", "-q", "--json", &lab.at("/probe")]);
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!((&json["kind"], &json["interface"]), (&json!("object"), &json!("Probe")));
    assert_eq!(json["schema"].as_str().map(str::len), Some(32));
    let calibrate = json!({
        "name": "calibrate",
        "doc": "Takes n samples and returns the RMS error.",
        "params": [{"name": "n", "type": "u32"}],
        "result": "f64",
        "one_way": false,
        "signature": "calibrate(n: u32) -> f64",
    });
    assert_eq!(json["methods"][0], calibrate);
    assert_eq!(json["types"]["Time"], "Time { ns: u64 }");
}

#[test]
fn what_is_no_object_is_described_as_far_as_it_is_known() {
    let lab = Lab::new();
    let data = lab.home.ok(["describe", "-q", &lab.at("/data")]);
    assert_eq!(data, lab.home.ok(["stat", "-q", &lab.at("/data")]));
    let text = String::from_utf8(data).expect("text");
    assert!(text.contains("kind    bytes\nlength  5\nbounds  0..5\n"), "{text}");
    let root = lab.home.ok(["describe", "-q", "--json", &lab.ticket]);
    let root: Value = serde_json::from_slice(&root).expect("JSON");
    assert_eq!(root["kind"], "directory");
    let absent = lab.home.run(["describe", "-q", "--json", &lab.at("/nope")]);
    assert_eq!(failure(&absent).0, Some(3));
}

#[test]
fn objects_are_listed_with_their_interface() {
    let lab = Lab::new();
    let text = String::from_utf8(lab.home.ok(["ls", "-q", &lab.ticket])).expect("text");
    assert_eq!(text, "bytes                  5  data\nobject             Probe  probe\n");
    let json = String::from_utf8(lab.home.ok(["ls", "-q", "--json", &lab.ticket])).expect("text");
    let probe =
        r#"{"path":"/probe","name":"probe","kind":"object","len":null,"interface":"Probe"}"#;
    assert_eq!(json.lines().nth(1), Some(probe));
    let stat = String::from_utf8(lab.home.ok(["stat", "-q", &lab.at("/probe")])).expect("text");
    assert!(stat.contains("kind    object\n") && stat.contains("type    Probe\n"), "{stat}");
}

#[test]
fn answers_are_lines_of_json() {
    let lab = Lab::new();
    assert_eq!(lab.call(&["calibrate", "n:=4"]), "0.25\n");
    assert_eq!(lab.call(&["maybe"]), "null\n");
    assert_eq!(lab.call(&["note", "text=so"]), "", "nobody answers");
    assert_eq!(lab.call(&["dataset", "name=all"]), "{\"object\":\"Dataset\"}\n");
    let pose = r#"pose:={"tool":"x","at":{"ns":1},"m":[1,2,0.5]}"#;
    let turned = |m: &str| format!("{{\"tool\":\"x\",\"at\":{{\"ns\":1}},\"m\":[{m}]}}\n");
    assert_eq!(lab.call(&["turn", pose, r#"raw:="""#]), turned("1.0,2.0,0.5"));
    assert_eq!(lab.call(&["turn", pose, r#"raw:="AgE=""#, "by:=1"]), turned("4.0,8.0,2.0"));
    assert_eq!(lab.call(&["turn", pose, "raw:=[2]", "by:=null"]), turned("3.0,6.0,1.5"));
}

#[test]
fn all_parameters_may_come_as_one_object() {
    let lab = Lab::new();
    let file = lab.home.write("args.json", "{\"n\": 2}\n");
    let data = format!("@{}", file.display());
    assert_eq!(lab.call(&["calibrate", "-d", &data]), "0.5\n");
    assert_eq!(lab.call(&["calibrate", "-d", &data, "n:=8"]), "0.125\n");
    let target = lab.at("/probe");
    let mut command = lab.home.command("client");
    command.args(["call", "-q", &target, "calibrate", "-d", "-"]);
    let mut call = crate::process::Running::start(command.stdin(std::process::Stdio::piped()));
    call.write(b"{\"n\":4}");
    call.close_input();
    assert_eq!(call.line(), "0.25\n");
    assert_eq!(call.end(), (0, String::new()));
}

#[test]
fn the_ticket_need_not_be_typed() {
    let lab = Lab::new();
    let mut command = lab.home.command("client");
    command.env("FARLENS_TICKET", lab.at("/probe")).args(["call", "calibrate", "n:=2"]);
    let output = crate::process::finished(&mut command);
    assert_eq!(output.stdout, b"0.5\n", "{}", stderr(&output));
}

#[test]
fn streams_come_as_lines_or_as_bytes() {
    let lab = Lab::new();
    let first = "{\"tool\":\"needle\",\"at\":{\"ns\":0},\"m\":[0.0,0.5,0.0]}\n";
    assert_eq!(lab.call(&["poses", "hz:=30", "--count", "1"]), first);
    assert_eq!(lab.call(&["poses", "hz:=300"]).lines().count(), 300);
    let target = lab.at("/probe");
    let image = |words: &[&str]| lab.home.ok(Lab::words(&target, words));
    let all: Vec<u8> = (0..1000).map(|at| at as u8).collect();
    assert_eq!(image(&["image", "length:=1000"]), all);
    assert_eq!(image(&["image", "length:=1000", "--count", "300"]), all[..300]);
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_runs() {
    let lab = Lab::new();
    for (words, part, hint) in [
        (&["calibrate", "n=3"][..], "args.n: an int is due, there is text", "KEY:=3"),
        (&["calibrate", "n:=-1"], "args.n: -1 does not fit u32", "calibrate(n: u32) -> f64"),
        (&["calibrate"], "args.n: it is missing", "calibrate(n: u32) -> f64"),
        (&["calibrate", "n:=1", "m:=2"], "no parameter `m`", "its parameters are: n"),
        (&["stuck", "m:=2"], "no parameter `m`", "it takes none"),
        (&["calibrate", "n:={"], "is no JSON", "n=TEXT"),
        (&["watch", "cb=x"], "args.cb: a reference is due", "watch(cb: Alarm) -> ()"),
        (&["calibrate", "n"], "`n` is no parameter", "KEY:=JSON"),
    ] {
        let (exit, error) = lab.refused(words);
        assert_eq!((exit, &error["kind"]), (Some(2), &json!("usage")), "{words:?} {error}");
        let text = |key: &str| error[key].as_str().expect(key).to_owned();
        assert!(text("message").contains(part), "{words:?}: {error}");
        assert!(text("hint").contains(hint), "{words:?}: {error}");
    }
    let (exit, error) = lab.refused(&["recalibrate", "n:=1"]);
    assert_eq!((exit, &error["kind"]), (Some(3), &json!("no_such_method")));
    assert!(error["hint"].as_str().expect("a hint").contains("calibrate, poses"), "{error}");
    assert_eq!(lab.runs(), 0);
}

#[test]
fn an_error_of_the_object_is_told_apart() {
    let lab = Lab::new();
    let (exit, error) = lab.refused(&["dataset", "name=lost"]);
    assert_eq!((exit, &error["kind"]), (Some(1), &json!("application")));
    let message = "`dataset` failed: {\"tag\":\"NoSuchSet\",\"value\":{\"name\":\"lost\"}}";
    assert_eq!(error["message"], message);
    let (exit, error) = lab.refused(&["stuck", "--timeout", "300ms"]);
    assert_eq!((exit, &error["kind"]), (Some(6), &json!("deadline_exceeded")));
    let nowhere =
        |path: &str| failure(&lab.home.run(["call", "-q", "--json", &lab.at(path), "calibrate"]));
    assert_eq!(nowhere("/nope").0, Some(3));
    assert_eq!(nowhere("").0, Some(3));
    let (exit, error) = nowhere("/data");
    assert_eq!((exit, &error["kind"]), (Some(9), &json!("wrong_kind")));
}

#[test]
fn calls_of_a_callback_are_lines() {
    let lab = Lab::new();
    let target = lab.at("/probe");
    let mut call = lab.home.start(Lab::words(&target, &["watch", "cb=-"]));
    assert_eq!(call.line(), "{\"cb\":\"fired\",\"what\":\"needle out of volume\"}\n");
    assert_eq!(call.line(), "{\"cb\":\"checked\",\"level\":3}\n");
    // It goes on as long as the object has it.
    let alarm = lab.kept_alarm();
    lab.runtime.block_on(alarm.fired("again".into())).expect("it is answered");
    assert_eq!(call.line(), "{\"cb\":\"fired\",\"what\":\"again\"}\n");
    drop(alarm);
    assert_eq!(call.end(), (0, String::new()), "nobody can call it any more");
}

#[test]
fn a_callback_is_printed_until_somebody_has_enough() {
    let lab = Lab::new();
    let target = lab.at("/probe");
    let first = "{\"cb\":\"fired\",\"what\":\"needle out of volume\"}\n";
    assert_eq!(lab.call(&["watch", "cb=-", "--count", "1"]), first);
    let mut call = lab.home.start(Lab::words(&target, &["watch", "cb=-"]));
    assert_eq!(call.line(), first);
    call.interrupt();
    assert_eq!(call.end().0, 130);
}

#[test]
fn a_callback_is_printed_until_the_server_shuts_down() {
    let mut lab = Lab::new();
    let target = lab.at("/probe");
    let mut call = lab.home.start(Lab::words(&target, &["watch", "cb=-"]));
    assert!(call.line().starts_with("{\"cb\":\"fired\""));
    assert!(call.line().starts_with("{\"cb\":\"checked\""));
    let _kept = lab.kept_alarm();
    lab.shut_down();
    assert_eq!(call.end(), (0, String::new()));
}

#[test]
fn a_callback_gives_nothing_but_nothing() {
    let lab = Lab::new();
    assert_eq!(lab.call(&["ask"]), "false\n", "it may be left out");
    let (exit, error) = lab.refused(&["ask", "cb=-"]);
    assert_eq!((exit, &error["kind"]), (Some(9), &json!("unsupported")), "{error}");
}

#[test]
fn who_may_only_call_sees_the_objects() {
    let lab = Lab::open(&[Verb::Call]);
    assert_eq!(lab.call(&["calibrate", "n:=4"]), "0.25\n");
    let text = String::from_utf8(lab.home.ok(["ls", "-q", &lab.ticket])).expect("text");
    assert_eq!(text, "object             Probe  probe\n");
    let text = String::from_utf8(lab.home.ok(["describe", "-q", &lab.at("/probe")])).expect("text");
    assert!(text.starts_with("object /probe : Probe"), "{text}");
    let data = lab.home.run(["stat", "-q", "--json", &lab.at("/data")]);
    assert_eq!(failure(&data).0, Some(3));
}

#[test]
fn who_may_only_read_is_told_what_is_missing() {
    let lab = Lab::open(&[Verb::Read]);
    let (exit, error) = lab.refused(&["calibrate", "n:=4"]);
    assert_eq!((exit, &error["kind"]), (Some(4), &json!("not_permitted")), "{error}");
    assert!(error["hint"].as_str().expect("a hint").contains("grant to call"), "{error}");
    assert_eq!(lab.runs(), 0);
}

#[test]
fn an_object_is_no_stream_and_no_verb_takes_it_for_one() {
    let lab = Lab::open(&[Verb::Read, Verb::Write, Verb::Call]);
    let probe = lab.at("/probe");
    for words in [
        &["cat", &probe][..],
        &["iter", &probe],
        &["tail", &probe],
        &["put", &probe],
        &["put", &probe, "--dry-run"],
    ] {
        let output = lab.home.run([words, &["-q", "--json"]].concat());
        let (exit, error) = failure(&output);
        assert_eq!((exit, &error["kind"]), (Some(9), &json!("wrong_kind")), "{words:?} {error}");
        assert_eq!(error["message"], "/probe is an object, not a stream", "{words:?}");
    }
    let mut watch = lab.home.start(["watch", "-q", "--json", &lab.ticket]);
    assert_eq!(watch.json()["path"], "/data", "of what lies there only streams are watched");
}
