//! A program under test: started, fed, listened to, and never left behind.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long a program may stay silent before the case fails: far more than it needs, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before looking again where nothing can be waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// A child process with all its output; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    streams: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Default)]
struct Streams {
    text: [Vec<u8>; 2],
    ended: usize,
}

const STDOUT: usize = 0;
const STDERR: usize = 1;

impl Process {
    /// Starts `command`; `name` is what reports call it.
    pub fn start(name: &str, mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped());
        Self::spawn(name, command)
    }

    /// Starts `command` with a file as its standard input.
    pub fn start_with_input(name: &str, mut command: Command, input: &Path) -> Result<Self, String> {
        command.stdin(fs::File::open(input).map_err(|error| format!("{}: {error}", input.display()))?);
        Self::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Result<Self, String> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name}: {command:?}: {error}"))?;
        let output = Arc::new(Output::default());
        let readers: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|s| Box::new(s) as _), child.stderr.take().map(|s| Box::new(s) as _)];
        for (stream, reader) in readers.into_iter().enumerate() {
            let output = Arc::clone(&output);
            thread::spawn(move || output.collect(stream, reader));
        }
        Ok(Self { name: format!("{name} ({command:?})"), input: child.stdin.take(), child, output })
    }

    /// Writes to its standard input.
    pub fn send(&mut self, text: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("its input is closed")?;
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .map_err(|error| self.report(&error.to_string()))
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Writes `data` to its standard input in the background, and leaves it open for [`Process::take_back`].
    pub fn feed(&mut self, data: Arc<Vec<u8>>) -> thread::JoinHandle<Option<ChildStdin>> {
        let input = self.input.take();
        thread::spawn(move || {
            let mut input = input?;
            input.write_all(&data).ok()?;
            Some(input)
        })
    }

    /// Waits until everything is fed.
    pub fn take_back(&mut self, feeding: thread::JoinHandle<Option<ChildStdin>>) {
        self.input = feeding.join().ok().flatten();
    }

    /// Waits until it has written `text` to either stream.
    pub fn expect(&self, text: &str) -> Result<(), String> {
        self.expect_times(text, 1)
    }

    /// Waits until it has written `text` so many times.
    pub fn expect_times(&self, text: &str, times: usize) -> Result<(), String> {
        let found = |streams: &Streams| {
            streams.text.iter().map(|stream| count(stream, text.as_bytes())).sum::<usize>() >= times
        };
        self.wait_for(&format!("{text:?}"), found)
    }

    /// Waits until its standard output is `length` bytes long.
    pub fn expect_length(&self, length: usize) -> Result<(), String> {
        self.wait_for(&format!("{length} bytes"), |streams| streams.text[STDOUT].len() >= length)
    }

    /// Waits until it has written one of `words`, in letters of either case.
    pub fn expect_any(&self, words: &BTreeSet<String>) -> Result<(), String> {
        self.wait_for(&format!("one of {words:?}"), |streams| {
            let text = streams.text.concat().to_ascii_lowercase();
            words.iter().any(|word| count(&text, word.to_lowercase().as_bytes()) > 0)
        })
    }

    fn wait_for(&self, what: &str, found: impl Fn(&Streams) -> bool) -> Result<(), String> {
        let streams = self.output.wait(|streams| found(streams) || streams.ended == 2);
        if found(&streams) {
            return Ok(());
        }
        let why = if streams.ended == 2 { "it ended" } else { "nothing came any more" };
        drop(streams);
        Err(self.report(&format!("waited for {what}, but {why}")))
    }

    /// Waits until it ends by itself.
    pub fn exit(&mut self) -> Result<ExitStatus, String> {
        if self.output.wait(|streams| streams.ended == 2).ended < 2 {
            return Err(self.report("it does not end"));
        }
        self.child.wait().map_err(|error| error.to_string())
    }

    /// Waits until it ends by itself, with this exit code.
    pub fn exit_with(&mut self, code: i32) -> Result<(), String> {
        match self.exit()?.code() {
            Some(actual) if actual == code => Ok(()),
            actual => Err(self.report(&format!("exit code {actual:?} instead of {code}"))),
        }
    }

    /// Kills it, as a crash would: its connections end without close_notify.
    pub fn kill(&mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| error.to_string())
    }

    /// How many bytes it has written to standard output.
    pub fn length(&self) -> usize {
        self.output.lock().text[STDOUT].len()
    }

    /// Everything it has written to standard output.
    pub fn stdout(&self) -> Vec<u8> {
        self.output.lock().text[STDOUT].clone()
    }

    /// Everything it has written to standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().text[STDERR]).into_owned()
    }

    /// Waits until it listens, and finds out on which TCP port: `/proc` knows, whatever the program prints.
    pub fn port(&mut self) -> Result<u16, String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(port) = listening_port(self.child.id()).map_err(|error| error.to_string())? {
                return Ok(port);
            }
            if self.output.lock().ended == 2 {
                return Err(self.report("it ended instead of listening"));
            }
            thread::sleep(PAUSE);
        }
        Err(self.report("it does not listen"))
    }

    /// `problem`, with the command line and the end of what it has written.
    pub fn report(&self, problem: &str) -> String {
        let streams = self.output.lock();
        let [stdout, stderr] = streams.text.each_ref().map(|text| tail(text));
        format!("{}: {problem}\n--- its stdout:\n{stdout}\n--- its stderr:\n{stderr}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn collect(&self, stream: usize, reader: Option<Box<dyn Read + Send>>) {
        let mut buffer = [0; 1 << 16];
        let mut reader = reader.expect("the streams are piped");
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            self.lock().text[stream].extend_from_slice(&buffer[..count]);
            self.changed.notify_all();
        }
        self.lock().ended += 1;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, or until nothing new has come for a long time.
    fn wait(&self, done: impl Fn(&Streams) -> bool) -> MutexGuard<'_, Streams> {
        let mut streams = self.lock();
        loop {
            let before = streams.progress();
            let waited =
                self.changed.wait_timeout_while(streams, PATIENCE, |s| s.progress() == before && !done(s));
            let timeout;
            (streams, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() || done(&streams) {
                return streams;
            }
        }
    }
}

impl Streams {
    fn progress(&self) -> usize {
        self.text.iter().map(Vec::len).sum::<usize>() + self.ended
    }
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle).count()
}

fn tail(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
}

/// The port of an IPv4 socket on which process `id` listens.
fn listening_port(id: u32) -> io::Result<Option<u16>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{id}/fd"))? {
        // A descriptor may be closed while the folder is read.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        inodes.extend(target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']')).map(str::to_owned));
    }
    let table = fs::read_to_string("/proc/net/tcp")?;
    Ok(table.lines().find_map(|line| port_of(line, &inodes)))
}

/// The local port of a line of /proc/net/tcp that is in state LISTEN (0A) and belongs to one of `inodes`.
fn port_of(line: &str, inodes: &[String]) -> Option<u16> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, "0A", _, _, _, _, _, inode, ..] = fields[..] else { return None };
    let port = local.rsplit(':').next()?;
    inodes.iter().any(|known| known == inode).then(|| u16::from_str_radix(port, 16).ok())?
}
