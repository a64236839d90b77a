"""A headless Firefox steered over WebDriver BiDi, with what `pages.py` needs of `chromium.Chromium`."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import websocket

from chromium import BrowserError

NAMES = ["firefox-esr", "firefox"]
# It asks nobody for anything, and its names stay on loopback.
PREFERENCES = {
    "app.update.enabled": False, "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False, "network.dns.disabled": False,
    "network.prefetch-next": False, "network.trr.mode": 5, "services.settings.server": "data:,", "toolkit.telemetry.enabled": False,
    "media.autoplay.default": 0, "browser.region.update.enabled": False, "extensions.systemAddon.update.enabled": False,
}


class Firefox:
    def __init__(self, quiet=0.5, width=1280, height=900):
        self.quiet = quiet
        self.profile = tempfile.mkdtemp(prefix="lastlight-firefox-")
        with open(os.path.join(self.profile, "user.js"), "w") as out:
            out.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        program = next(found for name in NAMES if (found := shutil.which(name)))
        command = [program, "--headless", "--no-remote", "--profile", self.profile, "--remote-debugging-port=0",
                   f"--width={width}", f"--height={height}", "about:blank"]
        environment = {**os.environ, "HOME": self.profile, "MOZ_DISABLE_CONTENT_SANDBOX": "1" if os.geteuid() == 0 else ""}
        self.output = open(os.path.join(self.profile, "output.txt"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, env=environment)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def is_installed():
        return any(shutil.which(name) for name in NAMES)

    def _connect(self):
        self.requests, self.console = [], []
        self._identifier, self._answers, self._pending = 0, {}, set()
        self._last_activity = time.monotonic()
        self._socket = websocket.create_connection(self._endpoint() + "/session", timeout=30, suppress_origin=True)
        self.command("session.new", {"capabilities": {}})
        self.command("session.subscribe", {"events": ["network.beforeRequestSent", "network.responseCompleted", "network.fetchError", "log.entryAdded"]})
        self.page = self.command("browsingContext.getTree", {})["contexts"][0]["context"]

    def _endpoint(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with open(self.output.name) as said:
                for line in said:
                    if "WebDriver BiDi listening on " in line:
                        return line.split(" on ")[1].strip()
            time.sleep(0.05)
        raise BrowserError("Firefox did not start")

    def navigate(self, address, timeout=60):
        """Opens `address` and waits until it has loaded and gone quiet."""
        self.command("browsingContext.navigate", {"context": self.page, "url": address, "wait": "complete"}, timeout)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self._read(0.05)
            if not self._pending and time.monotonic() - self._last_activity > self.quiet:
                return
        raise BrowserError(f"{address} did not settle in {timeout} s; waiting for {len(self._pending)} requests")

    def begin(self, address):
        """Opens `address` and waits for nothing."""
        self.command("browsingContext.navigate", {"context": self.page, "url": address, "wait": "none"})

    def take(self, patience):
        """Takes in what the browser tells within so many seconds."""
        self._read(patience)

    def evaluate(self, expression, host=None):
        """The value of a JavaScript expression (a promise is awaited): in the page, or the frame of `host`."""
        context = self.page if host is None else self._context(host)
        # One text is a value alike in both protocols.
        whole = f"Promise.resolve({expression}).then(value => JSON.stringify(value === undefined ? null : value))"
        answer = self.command("script.evaluate", {"expression": whole, "target": {"context": context}, "awaitPromise": True})
        if answer["type"] == "exception":
            raise BrowserError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def _context(self, host):
        def within(contexts):
            for context in contexts:
                if urllib.parse.urlsplit(context["url"]).hostname == host:
                    return context["context"]
                if found := within(context["children"] or []):
                    return found
            return None

        found = within(self.command("browsingContext.getTree", {})["contexts"])
        if not found:
            raise BrowserError(f"no frame of {host} is open")
        return found

    def forget(self):
        self.requests, self.console = [], []

    def command(self, method, parameters, timeout=60):
        self._identifier += 1
        identifier = self._identifier
        self._socket.send(json.dumps({"id": identifier, "method": method, "params": parameters}))
        deadline = time.monotonic() + timeout
        while identifier not in self._answers:
            if time.monotonic() > deadline:
                raise BrowserError(f"{method}: no answer in {timeout} s")
            self._read(0.5)
        answer = self._answers.pop(identifier)
        if answer["type"] == "error":
            raise BrowserError(f"{method}: {answer['message']}")
        return answer["result"]

    def _read(self, patience):
        self._socket.settimeout(patience)
        try:
            message = json.loads(self._socket.recv())
        except websocket.WebSocketTimeoutException:
            return
        if message.get("id") is not None:
            self._answers[message["id"]] = message
            return
        method, event = message.get("method", ""), message.get("params", {})
        if method == "log.entryAdded":
            if event["level"] == "error":
                self.console.append(event["text"] or "")
            return
        request = event["request"]
        if method == "network.beforeRequestSent":
            self.requests.append({"url": request["url"], "method": request["method"], "status": None, "error": None})
            if "/-/missing/" not in request["url"] and not request["url"].startswith(("data:", "blob:")):
                self._pending.add(request["request"])
        else:
            self._pending.discard(request["request"])
        self._last_activity = time.monotonic()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
