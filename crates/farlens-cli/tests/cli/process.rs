//! Servers and clients as processes, each with a home of its own, all gone at the end of a test.

use serde_json::Value;
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How long a process may take: one that hangs fails its test and does not block it.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// A folder with the files of a test and the configuration of each person in it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// The command as run by someone.
    pub(crate) fn command(&self, who: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farlens"));
        command.env("XDG_CONFIG_HOME", self.path(who)).env_remove("FARLENS_TICKET");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run_as<S: AsRef<OsStr>>(&self, who: &str, args: impl AsRef<[S]>) -> Output {
        finished(self.command(who).args(args.as_ref()))
    }

    /// Runs the command as the usual client.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl AsRef<[S]>) -> Output {
        self.run_as("client", args)
    }

    /// What the command prints when all is well.
    pub(crate) fn ok<S: AsRef<OsStr>>(&self, args: impl AsRef<[S]>) -> Vec<u8> {
        let output = self.run(args);
        assert!(output.status.success(), "{}", stderr(&output));
        output.stdout
    }

    /// Starts the command as the usual client, with both its ends piped.
    pub(crate) fn start<S: AsRef<OsStr>>(&self, args: impl AsRef<[S]>) -> Running {
        let mut command = self.command("client");
        Running::start(command.args(args.as_ref()))
    }

    /// Starts a server on a free port of loopback.
    pub(crate) fn serve<S: AsRef<OsStr>>(&self, args: impl AsRef<[S]>) -> Served {
        let mut command = self.command("server");
        command.args(["serve", "--listen", "127.0.0.1:0", "--json"]).args(args.as_ref());
        let mut process = Running::start(command.stdin(Stdio::piped()));
        let line = process.json();
        assert_eq!(line["event"], "listening");
        let text = |key: &str| line[key].as_str().expect(key).to_owned();
        Served { ticket: text("ticket"), addr: text("addr"), key: text("key"), process }
    }

    /// Serves one path.
    pub(crate) fn serve_path(&self, path: &Path) -> Served {
        self.serve([path])
    }
}

/// Runs a command to its end.
pub(crate) fn finished(command: &mut Command) -> Output {
    let mut process = Running::start(command);
    process.close_input();
    let mut err = process.err.take().expect("it is piped");
    let err = thread::spawn(move || read_all(&mut err));
    let stdout = read_all(&mut process.out);
    let stderr = err.join().expect("it reads");
    Output { status: process.child.wait(), stdout, stderr }
}

fn read_all(from: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    from.read_to_end(&mut all).expect("a pipe");
    all
}

/// A child that is killed when it takes too long.
struct Watched {
    child: Arc<Mutex<Child>>,
    overdue: Arc<AtomicBool>,
    /// Gone as soon as nobody waits for the child any more.
    _awaited: mpsc::SyncSender<()>,
}

impl Watched {
    fn new(child: Child) -> Self {
        let (awaited, unawaited) = mpsc::sync_channel(0);
        let watched =
            Self { child: Arc::new(Mutex::new(child)), overdue: Arc::default(), _awaited: awaited };
        let (child, overdue) = (Arc::clone(&watched.child), Arc::clone(&watched.overdue));
        thread::spawn(move || {
            if unawaited.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                overdue.store(true, Ordering::Release);
                let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
            }
        });
        watched
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its end. The lock is not held meanwhile, so that it can be killed.
    fn wait(&self) -> ExitStatus {
        let status = loop {
            let status = self.lock().try_wait().expect("it is a child");
            match status {
                Some(status) => break status,
                None => thread::sleep(POLL),
            }
        };
        self.assert_in_time();
        status
    }

    fn assert_in_time(&self) {
        assert!(!self.overdue.load(Ordering::Acquire), "killed after {LIMIT:?}: it hangs");
    }
}

/// A process that ends with its test.
pub(crate) struct Running {
    child: Watched,
    pub(crate) out: BufReader<Box<dyn Read + Send>>,
    err: Option<ChildStderr>,
    input: Option<ChildStdin>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let out = child.stdout.take().expect("it is piped");
        let (err, input) = (child.stderr.take(), child.stdin.take());
        Self { child: Watched::new(child), out: BufReader::new(Box::new(out)), err, input }
    }

    /// Reads no more of what it prints: the pipe is closed.
    pub(crate) fn leave(&mut self) {
        self.out = BufReader::new(Box::new(std::io::empty()));
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("text");
        line
    }

    /// The next line, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("it is piped");
        input.write_all(bytes).and_then(|()| input.flush()).expect("it reads");
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// SIGINT.
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child.lock());
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.lock().kill().expect("it runs");
    }

    /// Waits for the end: the exit code, and what was said on standard error.
    pub(crate) fn end(&mut self) -> (i32, String) {
        let status = self.child.wait();
        let text = read_all(self.err.as_mut().expect("it is piped"));
        (status.code().unwrap_or(-1), String::from_utf8(text).expect("text"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.child.lock();
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        // What another process did since may be due to the end of this one.
        if !thread::panicking() {
            self.child.assert_in_time();
        }
    }
}

/// A server that listens.
pub(crate) struct Served {
    pub(crate) process: Running,
    pub(crate) ticket: String,
    pub(crate) addr: String,
    pub(crate) key: String,
}

impl Served {
    /// A URL of something here; without the key if none is given.
    pub(crate) fn url(&self, path: &str, key: Option<&str>) -> String {
        let key = key.map_or_else(String::new, |key| format!("#{key}"));
        format!("farlens://{}{path}{key}", self.addr)
    }

    /// A path behind the ticket.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.ticket)
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The error object that a failed command printed, and its exit code.
pub(crate) fn failure(output: &Output) -> (Option<i32>, Value) {
    let text = stderr(output);
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    (output.status.code(), value["error"].clone())
}

/// Bytes that say where they are.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }
}
