"""A real WordPress on loopback: Debian's package behind nginx, PHP-FPM and MariaDB, all in a directory of its own.

Nothing of it touches the machine's own servers: data, sockets, configuration and
copies of WordPress's files are below one directory, and every server is stopped
by its own process id. Should this process be killed, the kernel ends them.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers")]
from server import free_port, mortal, nginx, serving

WORDPRESS = pathlib.Path("/usr/share/wordpress")
THEMES = ["twentytwentyone", "twentytwentythree"]
# PHP-FPM and nginx first: then WordPress needs no Apache.
PACKAGES = [
    ["nginx", "php-fpm", "mariadb-server-core"],
    ["wordpress", *(f"wordpress-theme-{theme}" for theme in THEMES), "php-mysql", "php-gd", "php-xml"],
]
WORKERS = 4


def missing():
    """Whether anything that the site needs has to be installed."""
    programs = all(program(name) for name in ("nginx", "mariadbd", "mariadb-install-db", "php")) and php_fpm()
    return not (programs and all((WORDPRESS / "wp-content/themes" / theme).exists() for theme in THEMES))


def install():
    if missing():
        apt_install(PACKAGES)


def apt_install(groups):
    """Installs groups of packages one after the other; none of their servers starts."""
    root = [] if os.geteuid() == 0 else ["sudo"]
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]
    with nothing_starts(root):
        subprocess.run([*apt, "update"], check=True)
        for packages in groups:
            subprocess.run([*apt, "install", "-y", "--no-install-recommends", *packages], check=True)


@contextlib.contextmanager
def nothing_starts(root):
    """Debian's packages start their servers when installed; a policy forbids it meanwhile (exit code 101)."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    if policy.exists():  # an administrator's own stays
        yield
        return
    subprocess.run([*root, "tee", policy], input=b"#!/bin/sh\nexit 101\n", stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*root, "chmod", "+x", policy], check=True)
    try:
        yield
    finally:
        subprocess.run([*root, "rm", "-f", policy], check=True)


def program(name):
    """Where a program is; servers stand where an ordinary user's PATH doesn't look."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def php_fpm():
    """PHP-FPM's program has its version in its name."""
    return next((str(path) for path in sorted(pathlib.Path("/usr/sbin").glob("php-fpm*"))), None)


class Site:
    """A running site: its address, its files, and the requests that it answered."""

    def __init__(self, port, root, work):
        self.url, self.root, self.work = f"http://127.0.0.1:{port}/", root, work

    def php(self, script, *arguments):
        """Runs one of our scripts within the site's WordPress; what it printed."""
        command = [*PHP, HERE / script, self.root, *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        if done.returncode != 0 or "PHP " in done.stderr:
            raise RuntimeError(f"{script}: exit {done.returncode}\n{done.stderr[-3000:]}\n{done.stdout[-300:]}")
        return done.stdout

    def truth(self):
        return json.loads(self.php("truth.php"))

    def forget_requests(self):
        """From here on `requests` counts anew."""
        self.log.write_bytes(b"")

    def requests(self):
        """(method, target, status) of every request since, as the server saw them."""
        rows = (line.split() for line in self.log.read_text(errors="replace").splitlines())
        return [(row[0], row[1], int(row[2])) for row in rows if len(row) == 3]

    @property
    def log(self):
        return self.work / "requests.log"


PHP = ["php", "-d", "memory_limit=512M", "-d", "display_errors=stderr", "-d", "error_reporting=E_ALL & ~E_DEPRECATED"]


@contextlib.contextmanager
def wordpress(workdir):
    """Installs the site into the empty directory `workdir`, and serves it; yields a Site.

    What PHP made is kept by nginx, as on most sites of this kind, so that several
    crawlers find the same conditions, and time tells of them rather than of PHP.
    """
    work = pathlib.Path(workdir).absolute()
    work.mkdir(parents=True)
    root, port = work / "site", free_port()
    with tempfile.TemporaryDirectory(prefix="lastlight-wp-") as short, contextlib.ExitStack() as stack:
        # A socket's path may have 107 bytes.
        sockets = pathlib.Path(short)
        stack.enter_context(database(work, sockets / "mariadb"))
        copy_files(root)
        (root / "wp-config.php").write_text(configuration(port, sockets / "mariadb"))
        site = Site(port, root, work)
        site.built = site.php("build.php").strip()
        stack.enter_context(php(work, sockets / "php"))
        stack.enter_context(
            nginx(root, work, port, locations=server_lines(work, sockets / "php"), http=http_lines(work))
        )
        yield site


@contextlib.contextmanager
def database(work, socket):
    data = work / "database"
    user = "--user=root" if os.geteuid() == 0 else None
    settings = [f"--datadir={data}", *([user] if user else [])]
    made = subprocess.run(
        [
            program("mariadb-install-db"),
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *settings,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if made.returncode != 0:
        raise RuntimeError(f"mariadb-install-db: exit {made.returncode}\n{made.stdout[-2000:]}\n{made.stderr[-2000:]}")
    first = work / "first.sql"
    first.write_text("CREATE DATABASE wordpress CHARACTER SET utf8mb4;\n")
    command = mortal(
        program("mariadbd"),
        "--no-defaults",
        *settings,
        f"--socket={socket}",
        f"--pid-file={socket}.pid",
        "--skip-networking",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=64M",
        f"--init-file={first}",
    )
    with serving(command, socket, work / "database.log"):
        yield


def copy_files(root):
    """A copy, since WordPress takes the directory of its files for that of its configuration."""
    shutil.copytree(WORDPRESS, root, ignore=lambda at, names: {".htaccess"} & set(names), ignore_dangling_symlinks=True)
    plugins = root / "wp-content" / "mu-plugins"
    plugins.mkdir()
    shutil.copy(HERE / "plugin.php", plugins)


def configuration(port, socket):
    return f"""<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_HOME', 'http://127.0.0.1:{port}');
define('WP_SITEURL', WP_HOME);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('AUTH_SALT', 'on loopback only');
$table_prefix = 'wp_';
// Debian's fastcgi_params leaves out the port, and the command line all of it.
$_SERVER['HTTP_HOST'] = '127.0.0.1:{port}';
if (!defined('ABSPATH')) {{
    define('ABSPATH', __DIR__ . '/');
}}
require_once ABSPATH . 'wp-settings.php';
"""


@contextlib.contextmanager
def php(work, socket):
    config = work / "php-fpm.conf"
    config.write_text(
        f"""[global]
error_log = {work}/php-fpm.log
daemonize = no
[site]
listen = {socket}
pm = static
pm.max_children = {WORKERS}
"""
        + ("user = root\ngroup = root\n" if os.geteuid() == 0 else "")
    )
    as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
    command = mortal(php_fpm(), *as_root, "--fpm-config", config, "-d", "memory_limit=256M")
    with serving(command, socket, work / "php-output.log"):
        yield


def http_lines(work):
    return f"""
  fastcgi_cache_path {work}/cache keys_zone=pages:4m;
  log_format short '$request_method $request_uri $status';
"""


def server_lines(work, socket):
    return f"""
    access_log {work}/requests.log short;
    index index.php;
    location / {{ try_files $uri $uri/ /index.php$is_args$args; }}
    location ~ \\.php$ {{
      try_files $uri =404;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_pass unix:{socket};
      fastcgi_cache pages;
      fastcgi_cache_key $request_method$host$request_uri;
      fastcgi_cache_valid any 1h;
      fastcgi_ignore_headers Cache-Control Expires Set-Cookie Vary;
    }}
"""


if __name__ == "__main__":
    # To look around, or to crawl it by hand: until Ctrl-C.
    install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with (
        tempfile.TemporaryDirectory(prefix="lastlight-wp-") as scratch,
        wordpress(pathlib.Path(scratch) / "wordpress") as at,
    ):
        print(f"{at.built}: {at.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
