"""A headless Chromium steered over its DevTools protocol, for tests of the replay.

It keeps every request that any page, frame or worker made, so that a test can
assert that none left loopback. The profile is new and thrown away, and names
outside `localhost` don't resolve: a leak is recorded, and still reaches nobody.

    with Chromium() as browser:
        browser.navigate(address)
        title = browser.evaluate("document.title")
        browser.screenshot("page.png")
        asked = [request["url"] for request in browser.requests]
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import websocket

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
# What frames and workers are: each gets its requests recorded too.
PAGES = {"page", "iframe"}
# What the banner asks again and again: what is missing, and from when the parts of a page are.
POLLS = re.compile("/-/(missing|times)/")


class BrowserError(Exception):
    """The browser refused a command, or a page's script threw."""


class Chromium:
    def __init__(self, extra_arguments=(), width=1280, height=900, quiet=0.5):
        # So many seconds without network after the load event count as settled.
        self.quiet = quiet
        program = next((found for name in NAMES if (found := shutil.which(name))), None)
        if program is None:
            raise BrowserError(f"none of {', '.join(NAMES)} is installed")
        self.profile = tempfile.mkdtemp(prefix="lastlight-chromium-")
        self.net_log = os.path.join(self.profile, "net.json")
        command = [
            program,
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={self.profile}",
            f"--log-net-log={self.net_log}",
            f"--window-size={width},{height}",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
            "--no-proxy-server",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
            "--hide-scrollbars",
            # Containers give /dev/shm too little room.
            "--disable-dev-shm-usage",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            *extra_arguments,
            "about:blank",
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def is_installed():
        return any(shutil.which(name) for name in NAMES)

    def _connect(self):
        self.requests = []  # {url, type, method, status, media_type, error}
        self.console = []  # errors of pages: text with the URL where known
        # By request id alone: a frame that changes its process asks in one session
        # and is answered in another. Ids are unique in the whole browser.
        self._requests_by_id = {}
        self._targets = {}  # session -> target id
        self._contexts = {}  # (session, context id) -> description
        self._pending = {}  # request id -> {url, session, frame: of the document that it navigates to}
        self._answers = {}
        self._loaded = False
        self._last_activity = time.monotonic()
        self._identifier = 0
        self._socket = websocket.create_connection(self._endpoint(), timeout=30, suppress_origin=True)
        self.page = self._open_page()

    def _endpoint(self):
        port_file = pathlib.Path(self.profile) / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = port_file.read_text().split("\n") if port_file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise BrowserError("Chromium did not start")

    def _open_page(self):
        target = self.command("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.command("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        # Only what the page's process has confirmed outlives the change of process in its first navigation.
        for identifier in self._observe(session, "page"):
            self._await(identifier, "opening a page", 60)
        return session

    def _observe(self, session, kind):
        """Records what a target does, and what the targets it starts do, before its first request."""
        commands = [("Network.enable", {}), ("Runtime.enable", {}), ("Log.enable", {})]
        if kind in PAGES:
            commands.insert(0, ("Page.enable", {}))
        commands.append(("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}))
        commands.append(("Runtime.runIfWaitingForDebugger", {}))
        return [self._send(method, parameters, session) for method, parameters in commands]

    # Pages

    def navigate(self, address, timeout=60):
        """Opens `address` and waits until it has loaded and gone quiet."""
        self._loaded = False
        # What the page before it had under way may end without a word.
        self._drop(lambda _: True)
        answer = self.command("Page.navigate", {"url": address}, self.page)
        if "errorText" in answer:
            raise BrowserError(f"{address}: {answer['errorText']}")
        self.settle(timeout)

    def begin(self, address):
        """Opens `address` and waits for nothing."""
        self.command("Page.navigate", {"url": address}, self.page)

    def take(self, patience):
        """Takes in what the browser tells within so many seconds."""
        self._read(patience)

    def follow(self, expression, timeout=60):
        """Runs an expression that leads to another page, such as a click, and waits for that page."""
        self._loaded = False
        self.evaluate(expression)
        self.settle(timeout)

    def until(self, expression, host=None, timeout=20):
        """Waits until an expression is true, then until quiet: for what no load event of the page tells.

        Returns its value. A frame of `host` may open only meanwhile.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                value = self.evaluate(expression, host)
            except BrowserError:  # the document it was asked of has gone, or isn't there yet
                value = None
            if value:
                self.settle(timeout)
                return value
            self._read(0.05)
        raise BrowserError(f"not true in {timeout} s: {expression}")

    def settle(self, timeout=60):
        """Waits for the load event, then until no request has been under way for a moment."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self._read(0.05)
            quiet = time.monotonic() - self._last_activity > self.quiet
            if self._loaded and not self._pending and quiet:
                return
        waiting = ", ".join([pending["url"] for pending in self._pending.values()][:5])
        raise BrowserError(f"the page did not settle in {timeout} s; waiting for: {waiting or 'its load event'}")

    def evaluate(self, expression, host=None):
        """The value of a JavaScript expression (a promise is awaited).

        In the page itself, or in the frame whose origin's host is `host`: an
        empty one is that of a frame without origin.
        """
        parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        session = self.page
        if host is not None:
            session, parameters["contextId"] = self._context(host)
        answer = self.command("Runtime.evaluate", parameters, session)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details.get("text")))
        return answer["result"].get("value")

    def anywhere(self, expression):
        """The first value that counts as true of an expression, in any frame of the page that is open now."""
        for session, identifier in list(self._contexts):
            parameters = {"expression": expression, "returnByValue": True, "contextId": identifier}
            try:
                answer = self.command("Runtime.evaluate", parameters, session)
            except BrowserError:  # the frame has gone meanwhile
                continue
            if "exceptionDetails" not in answer and answer["result"].get("value"):
                return answer["result"]["value"]
        return None

    def _context(self, host):
        found = [
            (context["auxData"]["frameId"] != self._targets.get(session), session, identifier)
            for (session, identifier), context in reversed(self._contexts.items())
            # Those of workers are of no frame.
            if (urllib.parse.urlsplit(context["origin"]).hostname or "") == host and context.get("auxData", {}).get("isDefault")
        ]
        if not found:
            raise BrowserError(f"no frame of {host} is open")
        # A target's own frame bears its id; frames of the same site within it don't.
        _, session, identifier = min(found, key=lambda each: each[0])
        return session, identifier

    def frame_hosts(self):
        """The hosts of all frames now open, the page's own among them."""
        return {urllib.parse.urlsplit(context["origin"]).hostname for context in self._contexts.values()} - {None}

    def screenshot(self, path):
        # A page behind another isn't drawn.
        self.command("Page.bringToFront", {}, self.page)
        answer = self.command("Page.captureScreenshot", {"format": "png"}, self.page)
        pathlib.Path(path).write_bytes(base64.b64decode(answer["data"]))

    # Virtual key codes of the keys that aren't letters.
    KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}

    def press(self, key):
        """Presses a key as a reader does: `Tab`, `Enter` or a letter."""
        text = {"text": "\r" if key == "Enter" else key} if key == "Enter" or len(key) == 1 else {}
        named = {"key": key, "code": key, "windowsVirtualKeyCode": self.KEYS.get(key) or ord(key.upper()[0])}
        self.command("Input.dispatchKeyEvent", {"type": "keyDown", **named, **text}, self.page)
        self.command("Input.dispatchKeyEvent", {"type": "keyUp", **named}, self.page)

    def tab_to(self, expression, most=80):
        """Presses Tab until the expression is true, `it` being what has the focus; says how often."""
        for pressed in range(most):
            if self.evaluate(f"(it => {expression})(document.activeElement)"):
                return pressed
            self.press("Tab")
        raise BrowserError(f"no Tab of {most} leads to: {expression}")

    def forget(self):
        """Starts the lists of requests and console errors anew, for the next page."""
        self.requests, self.console = [], []

    # The protocol

    def command(self, method, parameters=None, session=None, timeout=60):
        return self._await(self._send(method, parameters or {}, session), method, timeout)

    def _await(self, identifier, purpose, timeout):
        deadline = time.monotonic() + timeout
        while identifier not in self._answers:
            if time.monotonic() > deadline:
                raise BrowserError(f"{purpose}: no answer in {timeout} s")
            self._read(0.5)
        answer = self._answers.pop(identifier)
        if "error" in answer:
            raise BrowserError(f"{purpose}: {answer['error']['message']}")
        return answer["result"]

    def _send(self, method, parameters, session=None):
        self._identifier += 1
        message = {"id": self._identifier, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        return self._identifier

    def _read(self, patience):
        """Takes in one message, if one comes within `patience` seconds."""
        self._socket.settimeout(patience)
        try:
            message = json.loads(self._socket.recv())
        except websocket.WebSocketTimeoutException:
            return
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self._take(message["method"], message["params"], message.get("sessionId"))

    def _take(self, method, event, session):
        if method == "Target.attachedToTarget":
            self._targets[event["sessionId"]] = event["targetInfo"]["targetId"]
            # Our own page is observed by _open_page.
            if event["waitingForDebugger"]:
                self._observe(event["sessionId"], event["targetInfo"]["type"])
        elif method == "Target.detachedFromTarget":
            self._drop(lambda pending: pending["session"] == event["sessionId"] and not pending["frame"])
            self._targets.pop(event["sessionId"], None)
            self._forget_contexts(event["sessionId"])
        elif method == "Page.loadEventFired" and session == self.page:
            self._loaded = True
            self._last_activity = time.monotonic()
        elif method == "Page.frameStoppedLoading":
            # Whatever became of its navigation: a change of process may swallow the end.
            self._drop(lambda pending: pending["frame"] == event["frameId"])
        elif method == "Page.frameDetached" and event.get("reason") != "swap":
            self._drop(lambda pending: pending["frame"] == event["frameId"])
        elif method.startswith("Network."):
            self._take_network(method, event, session)
        elif method == "Runtime.executionContextCreated":
            self._contexts[session, event["context"]["id"]] = event["context"]
        elif method == "Runtime.executionContextDestroyed":
            self._contexts.pop((session, event["executionContextId"]), None)
        elif method == "Runtime.executionContextsCleared":
            self._forget_contexts(session)
        elif method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            self.console.append(f"{details.get('url', '')} {text}".strip())
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "assert"):
            text = " ".join(str(part.get("value", part.get("description"))) for part in event["args"])
            self.console.append(text)
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.console.append(f"{event['entry'].get('url', '')} {event['entry']['text']}".strip())

    def _take_network(self, method, event, session):
        key = event.get("requestId")
        if method == "Network.requestWillBeSent":
            request = {
                "url": event["request"]["url"],
                "method": event["request"]["method"],
                "type": event.get("type", "Other"),
                "status": None,
                "media_type": None,
                "error": None,
            }
            known = self._requests_by_id.get(key)
            # A redirect comes as a second request with the same id.
            if "redirectResponse" in event and known is not None:
                known["status"] = event["redirectResponse"]["status"]
            elif known is not None and known["url"] == request["url"]:
                return  # told of in two sessions
            self.requests.append(request)
            self._requests_by_id[key] = request
            # The banner asks again and again; a page that is left may take the question along.
            if not request["url"].startswith(("data:", "blob:")) and not POLLS.search(request["url"]):
                # A navigation's request bears the id of the loader that it makes.
                frame = event.get("frameId") if key == event.get("loaderId") else None
                self._pending[key] = {"url": request["url"], "session": session, "frame": frame}
        elif method == "Network.webSocketCreated":
            request = {"url": event["url"], "method": "GET", "type": "WebSocket"}
            self.requests.append({**request, "status": None, "media_type": None, "error": None})
        elif method == "Network.responseReceived" and key in self._requests_by_id:
            self._requests_by_id[key]["status"] = event["response"]["status"]
            self._requests_by_id[key]["media_type"] = event["response"]["mimeType"]
        elif method == "Network.loadingFailed":
            if key in self._requests_by_id:
                self._requests_by_id[key]["error"] = event["errorText"] or event.get("blockedReason")
            self._pending.pop(key, None)
        elif method == "Network.loadingFinished":
            self._pending.pop(key, None)
        else:
            return
        self._last_activity = time.monotonic()

    def _drop(self, gone):
        self._pending = {key: pending for key, pending in self._pending.items() if not gone(pending)}

    def _forget_contexts(self, session):
        self._contexts = {key: context for key, context in self._contexts.items() if key[0] != session}

    # The end

    def close(self):
        """Ends the browser and returns what its network log says it tried to reach.

        (host names, addresses connected to): unlike the requests of pages this also
        holds preconnects, prefetched names and the browser's own doings.
        """
        try:
            if getattr(self, "_socket", None) is not None:
                self._send("Browser.close", {})
            else:
                self.process.terminate()
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired, websocket.WebSocketException):
            self.process.kill()
            self.process.wait()
        reached = read_net_log(self.net_log)
        shutil.rmtree(self.profile, ignore_errors=True)
        return reached

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.path.exists(self.profile):
            self.close()


class Opened(Chromium):
    """One that `process` started, with --remote-debugging-port=0 and that profile and network log.

    Closing it waits until `process` has ended too.
    """

    def __init__(self, process, profile, net_log, quiet=0.5):
        self.quiet, self.process, self.profile, self.net_log = quiet, process, str(profile), str(net_log)
        self._connect()


def read_net_log(path):
    """Host names asked for or resolved, and addresses connected to, from Chromium's --log-net-log file."""
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return set(), set()
    try:
        log = json.loads(text)
    except ValueError:
        # A browser that was killed leaves the list of events open.
        log = json.loads(text.rstrip().rstrip(",") + "]}")
    names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    hosts, addresses = set(), set()
    for event in log["events"]:
        name, parameters = names.get(event["type"], ""), event.get("params", {})
        # A stream job is a request or a preconnect; the resolver's events are prefetched names too.
        if name in ("URL_REQUEST_START_JOB", "HTTP_STREAM_JOB_CONTROLLER"):
            hosts.add(urllib.parse.urlsplit(parameters.get("url", "")).hostname)
        elif name.startswith("HOST_RESOLVER") and "host" in parameters:
            hosts.add(urllib.parse.urlsplit("//" + parameters["host"].split("://")[-1]).hostname)
        elif name == "TCP_CONNECT_ATTEMPT" and "address" in parameters:
            addresses.add(parameters["address"])
    return hosts - {None}, addresses
