//! nginx, with as many workers as the others have processes.

use std::process::Command;

use super::program::{Server, find, free_port};
use crate::client;
use crate::order::{Order, Reading};

const WORKERS: usize = 2;

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let nginx = find("nginx")?;
    let port = free_port()?;
    let folder = std::env::temp_dir().join("nginx");
    std::fs::create_dir_all(&folder)?;
    let config = folder.join("nginx.conf");
    let at = folder.display();
    std::fs::write(
        &config,
        format!(
            "daemon off; worker_processes {WORKERS}; pid {at}/pid; error_log {at}/errors;
             events {{ worker_connections 1024; }}
             http {{
                 access_log off; keepalive_requests 100000000;
                 client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;
                 uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;
                 server {{
                     listen 127.0.0.1:{port};
                     location / {{ default_type text/plain; return 200 'Hello World!'; }}
                 }}
             }}"
        ),
    )?;
    let mut command = Command::new(nginx);
    let server = Server::start(command.arg("-p").arg(&folder).arg("-c").arg(&config))?;
    client::load(order, WORKERS, ([127, 0, 0, 1], port).into(), server.pid())
}
