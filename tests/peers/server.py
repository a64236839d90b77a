"""Servers that the tests start on loopback and stop themselves: nginx, pywb, the replay.

Each is a context manager, so that no failure leaves one running; a server is
stopped by its own process id, never by name.
"""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import time

# The address of the replay's own interface; archived pages live below it.
UI_HOST = "lastlight.localhost"


def free_port():
    """A port that was free a moment ago. Good enough: nothing else here listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def mortal(*command):
    """Ends with us, even where we are killed."""
    return ["setpriv", "--pdeathsig", "TERM", *map(str, command)]


def connect(at):
    if isinstance(at, int):
        socket.create_connection(("127.0.0.1", at), timeout=1).close()
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        probe.connect(str(at))


@contextlib.contextmanager
def serving(command, port, log, stop_with=signal.SIGTERM, patience=60):
    """Runs `command` until the block ends; enters it once `port`, or the socket of that path, accepts connections."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError):
                connect(port)
                break
            if process.poll() is not None or time.monotonic() > deadline:
                tail = pathlib.Path(log).read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{' '.join(map(str, command))} does not answer on {port}:\n{tail}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def nginx(root, workdir, port=None, locations="", http=""):
    """Serves the directory `root`, and what the directives in `locations` and `http` add; yields the port.

    Everything nginx writes goes below `workdir`, so that it neither needs root
    nor meets the one that Debian's package may have started.
    """
    workdir = pathlib.Path(workdir) / "nginx"
    workdir.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = workdir / "nginx.conf"
    # Started as root, nginx gives its workers to nobody, who can't read a private temporary directory.
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"  {kind}_temp_path {workdir}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    types = "include /etc/nginx/mime.types;" if os.path.exists("/etc/nginx/mime.types") else ""
    config.write_text(f"""{user}
worker_processes 1;
daemon off;
pid {workdir}/pid;
error_log {workdir}/error.log;
events {{ worker_connections 1024; }}
http {{
  {types}
  default_type application/octet-stream;
{temporary}
  {"" if "access_log" in locations else "access_log off;"}
  gzip off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 10000000;
{http}
  server {{
    listen 127.0.0.1:{port};
    root {root};
    {"" if "index " in locations else "index index.html;"}
    {locations}
  }}
}}
""")
    command = ["nginx", "-p", str(workdir), "-e", str(workdir / "error.log"), "-c", str(config)]
    with serving(command, port, workdir / "output.log"):
        yield port


@contextlib.contextmanager
def replay(binary, paths, workdir):
    """Replays a snapshot, WARC, WACZ or bag, or a list of them; yields the port."""
    port = free_port()
    paths = paths if isinstance(paths, list) else [paths]
    command = [str(binary), "replay", *map(str, paths), "--listen", f"127.0.0.1:{port}"]
    with serving(command, port, pathlib.Path(workdir) / "replay.log", stop_with=signal.SIGINT):
        yield port


def fetch(port, target, host=None, accept_encoding="gzip"):
    """One GET of exactly `target` from loopback: (status, headers, body as sent, de-chunked)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.putheader("Accept-Encoding", accept_encoding)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
