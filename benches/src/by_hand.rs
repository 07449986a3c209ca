//! The two ends of the gateway's bench as processes of their own, to put a profiler on what lies
//! between.

use anyhow::Result;

use crate::{load, upstream};

/// Serves the model API until it is ended.
pub fn stub() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("http://127.0.0.1:{}", upstream::start().await?);
        std::future::pending().await
    })
}

/// Sends requests and says how fast they were answered.
pub fn load(port: u16, connections: usize, requests: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let load = runtime.block_on(load::run(port, connections, requests))?;
    let rate = requests as f64 / load.wall.as_secs_f64();
    let (p50, p99) = (load.percentile(0.5), load.percentile(0.99));
    println!("{rate:.0} requests/s, p50 {p50:.3} ms, p99 {p99:.3} ms");
    Ok(())
}
