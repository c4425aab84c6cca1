//! A small HTTP service that owns a network.
//!
//! ```text
//! cargo run --features axum --example embed_in_axum -- 127.0.0.1:8080
//! curl -X POST 127.0.0.1:8080/present -H 'content-type: application/json' -d '{"x": 1, "y": 0}'
//! curl 127.0.0.1:8080/output/z
//! ```
//!
//! With `--check` it sends itself these two requests and exits.

use std::{collections::BTreeMap, error::Error, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use clap::Parser;
use neuron_core::{
    Network,
    actor::{ControlError, Controller, Host},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use transport_local::LocalTransport;

/// Runs a small HTTP service that owns the XOR network.
///
/// POST /present with a JSON object of levels, {"x": 1, "y": 0}, presents them as one wave and
/// answers with its tag and the level of z at it. GET /output/NEURON answers with that neuron's
/// level now.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 stands for any free port.
    #[arg(default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    address: String,
    /// Send one request of each kind to itself, and fail unless z is on.
    #[arg(long)]
    check: bool,
}

type Reply = Result<Json<Value>, (StatusCode, String)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { address, check } = Options::parse();
    let network = Network::from_toml(include_str!("xor.toml"))?;
    let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
    let routes = Router::new()
        .route("/present", post(present))
        .route("/output/{neuron}", get(output))
        .with_state(host.controller().clone());
    let listener = TcpListener::bind(&address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    let server = axum::serve(listener, routes);
    if check {
        let server = tokio::spawn(server.into_future());
        let presented = ask(address, "POST /present", r#"{"x": 1, "y": 0}"#).await?;
        println!("present: {presented}");
        let z = ask(address, "GET /output/z", "").await?;
        println!("output:  {z}");
        server.abort();
        if !z.contains(r#""level":1"#) {
            return Err("z should be on".into());
        }
    } else {
        server.with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    }
    host.stop().await;
    Ok(())
}

/// Presents the levels in the body as one wave and returns its tag and the level of z at it.
async fn present(State(network): State<Controller>, Json(levels): Json<BTreeMap<String, f64>>) -> Reply {
    let levels: Vec<(&str, f64)> = levels.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    let wave = network.present(&levels).await.map_err(refused)?;
    let z = network.output_at("z", wave.tag).await.map_err(refused)?;
    Ok(Json(json!({ "tag": wave.tag.to_string(), "z": z.level })))
}

/// Returns the level of a neuron now.
async fn output(State(network): State<Controller>, Path(neuron): Path<String>) -> Reply {
    let sample = network.output(&neuron).await.map_err(refused)?;
    Ok(Json(json!({
        "neuron": neuron,
        "level": sample.level,
        "tag": sample.tag.to_string(),
        // Not empty if the answer is degraded: these neurons were silent and could have changed the
        // level.
        "missing": sample.missing.names().iter().map(|name| name.as_str()).collect::<Vec<_>>(),
    })))
}

/// Returns the status and the text for an error of the controller.
fn refused(error: ControlError) -> (StatusCode, String) {
    let status = match error {
        ControlError::Stopped | ControlError::NoAnswer { .. } | ControlError::Send { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ControlError::UnexpectedAnswer { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::BAD_REQUEST,
    };
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    (status, format!("{error}{cause}"))
}

/// Sends one HTTP request and returns the last line of the response, its body.
async fn ask(address: SocketAddr, what: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
}
