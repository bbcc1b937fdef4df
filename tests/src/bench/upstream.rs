//! A neutral upstream: nginx, which answers each create with what was sent, after a fixed time. It knows nothing and checks nothing.

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::redis_server::free_port;

/// The path of a create.
pub(super) const PATH: &str = "/api/now/table/incident";
const POLL: Duration = Duration::from_millis(20);
const POLLS: usize = 250;

/// A running nginx, stopped when dropped.
pub(super) struct Upstream {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Upstream {
    /// One that takes so long for each answer.
    pub(super) fn start(latency_ms: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port();
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(port, latency_ms))?;
        let mut process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting nginx")?;
        for _ in 0..POLLS {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Self {
                    port,
                    process,
                    _folder: folder,
                });
            }
            std::thread::sleep(POLL);
        }
        process.kill().ok();
        bail!("nginx does not answer; is the module `echo` installed (libnginx-mod-http-echo)?")
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Killed, its worker would live on: the master is asked to stop it.
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().ok();
        self.process.wait().ok();
    }
}

/// What is echoed is what the bridge compares: else it would report columns that were dropped.
fn configuration(port: u16, latency_ms: u32) -> String {
    let capture = |field: &str, form: &str| {
        format!(
            "map $request_body $sent_{field} {{ default \"\"; '~\"{field}\":\"(?<got_{field}>{form})\"' $got_{field}; }}\n"
        )
    };
    let captures: String = [
        ("sys_id", "[0-9a-f]+"),
        ("short_description", "[^\"]*"),
        ("correlation_id", "[^\"]*"),
        ("correlation_display", "[^\"]*"),
    ]
    .map(|(field, form)| capture(field, form))
    .concat();
    let sleep = match latency_ms {
        0 => String::new(),
        wait => format!("echo_sleep {}.{:03};", wait / 1000, wait % 1000),
    };
    format!(
        r#"daemon off;
master_process on;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
events {{ worker_connections 4096; }}
http {{
access_log off;
client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
keepalive_requests 1000000000;
keepalive_timeout 600s;
client_body_buffer_size 64k;
default_type application/json;
{captures}
server {{
listen 127.0.0.1:{port} backlog=4096;
location = {PATH} {{
if ($request_method = GET) {{ return 200 '{{"result":[]}}'; }}
echo_read_request_body;
{sleep}
echo_status 201;
echo -n '{{"result":{{"sys_id":"$sent_sys_id","number":"INC$sent_sys_id","state":"1","sys_mod_count":"0","sys_created_on":"2026-03-02 09:00:00","sys_updated_on":"2026-03-02 09:00:00","sys_updated_by":"bridge","short_description":"$sent_short_description","correlation_id":"$sent_correlation_id","correlation_display":"$sent_correlation_display"}}}}';
}}
location / {{ return 200 '{{"result":[]}}'; }}
}}
}}
"#
    )
}
