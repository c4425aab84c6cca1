//! A host in a process that has as many files open as it may.
#![cfg(unix)]

use std::{error::Error as _, fs::File, io, process::Command, sync::Arc};

use neuron_core::{
    Network,
    actor::{Host, HostError, block_on},
};
use transport_local::LocalTransport;

/// Set in the process that is run with a low limit.
const CHILD: &str = "NEURON_TEST_OPENS_ALL_FILES";

#[test]
fn a_host_that_gets_no_file_descriptor_says_so() {
    if std::env::var_os(CHILD).is_some() {
        return start_with_few_descriptors();
    }
    let program = std::env::current_exe().unwrap();
    let script = "ulimit -n 64 && exec \"$0\" --exact a_host_that_gets_no_file_descriptor_says_so --nocapture";
    let output = Command::new("sh").args(["-c", script]).arg(program).env(CHILD, "1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("panicked"), "{told}");
}

/// Opens files until there are no more descriptors, and closes one after the other until a host
/// starts.
fn start_with_few_descriptors() {
    let mut files = Vec::new();
    let no_more: io::Error = loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    let network = Network::builder("n").neuron("x", |x| x.threshold(0.9)).build().unwrap();
    let mut failures = 0;
    let host = loop {
        match block_on(Host::start(network.clone(), Arc::new(LocalTransport::new()))) {
            Ok(host) => break host,
            Err(error) => {
                assert!(matches!(error, HostError::EventLoop(_)), "{error:?}");
                assert!(error.to_string().contains("ulimit -n"), "{error}");
                assert_eq!(error.source().unwrap().to_string(), no_more.to_string());
                failures += 1;
                files.pop().expect("a host needs fewer descriptors than this");
            }
        }
    };
    assert!(failures > 0, "a host starts without descriptors");
    block_on(host.stop());
}
