//! The other floor: what operators run in front of an API today. One nginx process with one worker's
//! work in it, on a free loopback port, with kept-alive connections on both sides.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::Process;

/// A running nginx before `upstream`, or why there is none. Its files lie in `dir`.
pub fn start(dir: &Path, upstream: u16) -> Result<Process> {
    let program = program()?;
    // the port may be taken between the look and the start
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = dir.join("nginx.conf");
        std::fs::write(&path, config(dir, port, upstream))?;
        let mut command = Command::new(&program);
        command.arg("-p").arg(dir).arg("-c").arg(&path).arg("-e").arg(dir.join("error.log"));
        if let Ok(process) = Process::start_on(command, port) {
            return Ok(process);
        }
    }
    let log = std::fs::read_to_string(dir.join("error.log")).unwrap_or_default();
    bail!("{} does not start: {}", program.display(), log.trim())
}

/// What `nginx -v` says.
pub fn version() -> Result<String> {
    let output = Command::new(program()?).arg("-v").output()?;
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(text.strip_prefix("nginx version: ").unwrap_or(&text).to_owned())
}

/// $COUNTERSIGN_NGINX, which `./x bench` sets, or the system's.
fn program() -> Result<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("COUNTERSIGN_NGINX").map(PathBuf::from).into_iter().collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path).map(|dir| dir.join("nginx")));
    // a user's PATH seldom has the place where Debian puts it
    places.push("/usr/sbin/nginx".into());
    places.into_iter().find(|place| place.is_file()).context(
        "nginx is missing: `./x bench` fetches Debian's package, or name one in COUNTERSIGN_NGINX",
    )
}

/// One process without a master, nothing logged, nothing buffered to disk that fits into memory.
fn config(dir: &Path, port: u16, upstream: u16) -> String {
    let dir = dir.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream stub {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection \"\";
    }}
  }}
}}
"
    )
}
