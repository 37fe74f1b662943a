"""`graft serve` for tests."""
import json
import signal
import subprocess
import urllib.error
import urllib.request

from support import GRAFT


class Server:
    """`graft serve` at a free port, until it is closed."""
    def __init__(self, *arguments):
        self.process = subprocess.Popen([GRAFT, "serve", *map(str, arguments), "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read())
        text = line
        while True:
            try:
                told = json.loads(text)
                break
            except json.JSONDecodeError:
                text += self.process.stdout.readline()
        self.address, self.models = told["address"], told["models"]
        self.port = int(self.address.rstrip("/").rsplit(":", 1)[1])

    def ask(self, path, body=None, type=None, headers=None, method=None):
        """Status, headers and body."""
        request = urllib.request.Request(self.address + path.lstrip("/"), data=body, method=method, headers={**({"Content-Type": type} if type else {}), **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def json(self, *arguments, **more):
        status, _, body = self.ask(*arguments, **more)
        return status, json.loads(body)

    def close(self, sent=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sent)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said
