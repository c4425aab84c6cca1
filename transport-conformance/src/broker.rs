//! Real brokers for tests, each with a port and a folder of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

/// How long a broker may take to be ready. It takes a fraction of a second on an idle machine.
const READY: Duration = Duration::from_secs(20);
/// How many ports are tried: another program may take the free one before the broker does.
const ATTEMPTS: usize = 5;

/// A program that is a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Redis,
    Nats,
}

impl Program {
    /// Returns the command, which `REDIS_SERVER` or `NATS_SERVER` may name.
    fn command(self) -> String {
        let (variable, usual) = match self {
            Self::Redis => ("REDIS_SERVER", "redis-server"),
            Self::Nats => ("NATS_SERVER", "nats-server"),
        };
        std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
    }

    /// Returns what the program prints when it is ready.
    fn ready(self) -> &'static str {
        match self {
            Self::Redis => "Ready to accept connections",
            Self::Nats => "Server is ready",
        }
    }
}

/// A broker that belongs to one test. Dropping it stops the broker and removes its folder.
#[derive(Debug)]
pub struct Broker {
    program: Program,
    child: Option<Child>,
    folder: PathBuf,
    port: u16,
    config: String,
}

impl Broker {
    /// Starts a Redis server, with `config` added to its configuration file. Returns `None`, and
    /// prints that, if the program is not installed.
    ///
    /// # Panics
    /// If it is not installed and `REQUIRE_BROKERS=1` is set, or if it does not start.
    pub fn redis(config: &str) -> Option<Self> {
        Self::start(Program::Redis, config)
    }

    /// Starts a NATS server with JetStream, with `config` added to its configuration file. Returns
    /// `None`, and prints that, if the program is not installed.
    ///
    /// # Panics
    /// As for [`Broker::redis`].
    pub fn nats(config: &str) -> Option<Self> {
        Self::start(Program::Nats, config)
    }

    fn start(program: Program, config: &str) -> Option<Self> {
        let command = program.command();
        if Command::new(&command).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            assert!(
                std::env::var_os("REQUIRE_BROKERS").is_none_or(|value| value != "1"),
                "{command} is not installed, and REQUIRE_BROKERS=1 is set"
            );
            eprintln!("SKIPPED: {command} is not installed; with REQUIRE_BROKERS=1 this is a failure");
            return None;
        }
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("neuron-broker-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the broker");
        let mut broker = Self { program, child: None, folder, port: 0, config: config.to_owned() };
        for _ in 0..ATTEMPTS {
            broker.port = free_port();
            if broker.run() {
                return Some(broker);
            }
        }
        panic!("{command} does not start");
    }

    /// Returns its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of its process.
    ///
    /// # Panics
    /// If it has been killed.
    pub fn process(&self) -> u32 {
        self.child.as_ref().expect("the broker runs").id()
    }

    /// Returns its folder, for files that its configuration refers to.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Returns its URL, as transports take it.
    pub fn url(&self) -> String {
        let scheme = match self.program {
            Program::Redis => "redis",
            Program::Nats => "nats",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Stops it at once, as if its machine had lost power.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, with what is in its folder.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let started = (0..ATTEMPTS).any(|_| self.run());
        assert!(started, "{} does not start again on port {}", self.program.command(), self.port);
    }

    /// Replaces what is added to its configuration file, from the next start on.
    pub fn configure(&mut self, config: &str) {
        config.clone_into(&mut self.config);
    }

    /// Replaces what is added to its configuration file, and makes a NATS server read it again
    /// while its connections stand.
    ///
    /// # Panics
    /// If it has been killed.
    pub fn reconfigure(&mut self, config: &str) {
        self.configure(config);
        self.write_configuration();
        self.signal("-HUP");
    }

    /// Starts it again with an empty folder.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_empty(&mut self) {
        fs::remove_dir_all(&self.folder).expect("its folder can be removed");
        fs::create_dir_all(&self.folder).expect("a folder for the broker");
        self.start_again();
    }

    /// Suspends its process. Its connections stand.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets its process continue.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process().to_string()]).status().expect("kill is there");
        assert!(status.success(), "the broker takes the signal {signal}");
    }

    fn write_configuration(&self) -> PathBuf {
        let path = self.folder.join("broker.conf");
        let folder = self.folder.display();
        let port = self.port;
        let config = &self.config;
        let text = match self.program {
            Program::Redis => {
                format!("bind 127.0.0.1\nport {port}\ndir {folder}\nsave \"\"\nappendonly no\n{config}\n")
            }
            Program::Nats => {
                format!(
                    "host: \"127.0.0.1\"\nport: {port}\njetstream {{ store_dir: \"{folder}/jetstream\" }}\n{config}\n"
                )
            }
        };
        fs::write(&path, text).expect("the configuration can be written");
        path
    }

    /// Starts the process, and returns whether it is ready. If it is not, it has ended.
    fn run(&mut self) -> bool {
        let path = self.write_configuration();
        let mut command = Command::new(self.program.command());
        match self.program {
            Program::Redis => command.arg(&path),
            Program::Nats => command.arg("--config").arg(&path),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the broker can be run");
        let (said, heard) = mpsc::channel();
        listen(child.stdout.take().expect("it is piped"), said.clone());
        listen(child.stderr.take().expect("it is piped"), said);
        let mut lines = Vec::new();
        loop {
            match heard.recv_timeout(READY) {
                Ok(line) if line.contains(self.program.ready()) => {
                    self.child = Some(child);
                    return true;
                }
                Ok(line) => lines.push(line),
                Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    eprintln!("{} did not start:\n{}", self.program.command(), lines.join("\n"));
                    return false;
                }
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        // Something may be left in the folder of temporary files; that is no reason to fail.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads what a broker prints, to the end, so that it never waits for room in the pipe.
fn listen(output: impl Read + Send + 'static, said: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Once the broker is ready, the receiver is gone.
            let _ = said.send(line);
        }
    });
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
