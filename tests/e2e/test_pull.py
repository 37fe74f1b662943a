"""graft pull against a server on the loopback that truncates, corrupts, redirects, stalls, resumes, and answers 404, 416, 429 and 503."""
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
import unittest

from support import GRAFT, ScratchTest, graft

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Server(http.server.ThreadingHTTPServer):
    """`files`: path to content. `faults`: path to a list of what goes wrong, one for each request."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.seen = {}, {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # connections that the client gave up


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        server, path = self.server, self.path.split("?")[0]
        server.seen.append((path, dict(self.headers)))
        fault = server.faults[path].pop(0) if server.faults.get(path) else None
        content = server.files.get(path)
        if isinstance(fault, int):
            return self.answer(fault, b"no", **({"Retry_After": "1"} if fault == 429 else {}))
        if isinstance(fault, str) and fault.startswith("to "):
            return self.answer(302, Location=fault[3:])
        if content is None:
            return self.answer(404, b"nothing here")
        first = 0
        if self.headers.get("Range") and fault != "whole":
            first = int(self.headers["Range"].split("=")[1].split("-")[0])
            if first >= len(content):
                return self.answer(416)
        part = content[first:]
        if fault == "corrupt":
            part = bytes([part[0] ^ 1]) + part[1:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if fault != "cut quietly":
            self.send_header("Content-Length", str(len(part)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if fault in ("cut", "cut quietly", "stall"):
            self.wfile.write(part[:len(part) // 2])
            self.wfile.flush()
            if fault == "stall":
                time.sleep(3)
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(part)


class Pull(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.base / "small.onnx"
        graft("new", "lenet5", "-o", cls.model, "--quiet")
        cls.content = cls.model.read_bytes()
        cls.sum = hashlib.sha256(cls.content).hexdigest()

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.cache = self.base / self.id().rsplit(".", 1)[1]
        self.environment = {**{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}, "GRAFT_CACHE": str(self.cache), "HF_ENDPOINT": self.server.url}

    def pull(self, *arguments, check=True):
        return graft("pull", *arguments, "--wait", 0.05, "--timeout", 1, check=check, env=self.environment)

    def report(self, *arguments):
        return json.loads(self.pull(*arguments, "--json").stdout)

    def url(self, name="small.onnx"):
        self.server.files["/" + name] = self.content
        return f"{self.server.url}/{name}"

    def assert_nothing_half(self):
        self.assertEqual([p for p in self.cache.rglob("*") if p.is_file() and p.suffix != ".part"], [])

    def test_what_is_whole_is_kept_and_not_fetched_again(self):
        url = self.url()
        report = self.report(url, "--sha256", self.sum.upper())
        self.assertEqual((report["bytes"], report["sha256"], report["verified"], report["tries"]), (len(self.content), self.sum, True, 1))
        self.assertEqual(pathlib.Path(report["path"]).read_bytes(), self.content)
        requests = len(self.server.seen)
        self.assertTrue(self.report(url)["was_there"])
        self.assertEqual(len(self.server.seen), requests)
        self.assertIn("SHA-256 " + self.sum, self.pull(url, "--again").stderr)  # nothing says which it should have

    def test_failures_that_pass_are_tried_again(self):
        for fault in ("cut", "cut quietly", "corrupt", "stall", 429, 500, 503, 408):
            with self.subTest(fault):
                name = f"{fault}.onnx".replace(" ", "_")
                url = self.url(name)
                self.server.faults["/" + name] = [fault]
                started = time.time()
                done = self.pull(url, "--sha256", self.sum, "--json")
                report = json.loads(done.stdout)
                self.assertEqual(report["sha256"], self.sum)
                self.assertEqual(report["tries"], 2)
                # Without a length nothing tells that it is short, but the checksum.
                self.assertIn("another checksum" if fault in ("cut quietly", "corrupt") else "try 2 of 5", done.stderr)
                if fault == 429:  # as long as the server asks for
                    self.assertGreater(time.time() - started, 0.9)

    def test_a_broken_transfer_goes_on_where_it_stopped(self):
        url = self.url()
        self.server.faults["/small.onnx"] = ["cut"]
        self.assertEqual(self.pull(url, "--sha256", self.sum, "--tries", 1, check=False).returncode, 1)
        self.assert_nothing_half()
        half = sum(p.stat().st_size for p in self.cache.rglob("*.part"))
        self.assertEqual(half, len(self.content) // 2)
        report = self.report(url, "--sha256", self.sum)
        self.assertEqual((report["resumed_at"], report["sha256"]), (half, self.sum))
        self.assertEqual(self.server.seen[-1][1]["Range"], f"bytes={half}-")
        # A server that does not resume sends all; one that is asked for more than there is says so.
        for fault, left in (("whole", self.content[:1000]), (None, self.content + b"more than there is")):
            with self.subTest(fault):
                path = pathlib.Path(report["path"])
                path.unlink()
                (path.parent / "small.onnx.part").write_bytes(left)
                self.server.faults["/small.onnx"] = [fault]
                self.assertEqual(self.report(url, "--sha256", self.sum)["sha256"], self.sum)
                self.assertEqual(path.read_bytes(), self.content)

    def test_what_an_earlier_run_left_of_another_file_is_thrown_away(self):
        url = self.url()
        first = self.report(url)
        path = pathlib.Path(first["path"])
        path.unlink()
        (path.parent / "small.onnx.part").write_bytes(b"x" * 500)
        done = self.pull(url, "--sha256", self.sum)
        self.assertIn("of another file", done.stderr)
        self.assertEqual(path.read_bytes(), self.content)

    def test_another_checksum_leaves_nothing(self):
        url = self.url()
        self.server.faults["/small.onnx"] = ["corrupt", "corrupt"]
        done = self.pull(url, "--sha256", self.sum, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nothing is kept of it", done.stderr)
        self.assertEqual([p for p in self.cache.rglob("*") if p.is_file()], [])

    def test_answers_that_stay_are_said_at_once(self):
        for fault, said in ((404, "is not there (404)"), (403, "HF_TOKEN"), (401, "HF_TOKEN"), (410, "is not there (410)")):
            with self.subTest(fault):
                url = self.url()
                self.server.faults["/small.onnx"] = [fault]
                seen = len(self.server.seen)
                done = self.pull(url, check=False)
                self.assertEqual((done.returncode, len(self.server.seen)), (1, seen + 1))
                self.assertIn(said, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
        self.server.faults["/small.onnx"] = [503] * 3
        done = self.pull(self.url(), "--tries", 3, check=False)
        self.assertIn("answers 503, after 3 tries", done.stderr)
        gone = self.url()
        self.server.shutdown()
        self.server.server_close()
        self.assertIn("cannot be fetched", self.pull(gone, "--tries", 2, check=False).stderr)
        self.server = Server()  # for the clean-up

    def test_redirections_are_followed_but_not_round_in_circles(self):
        self.url("elsewhere.onnx")
        url = self.url()
        self.server.faults["/small.onnx"] = ["to " + self.server.url + "/elsewhere.onnx"]
        self.assertEqual(self.report(url, "--sha256", self.sum)["sha256"], self.sum)
        self.server.faults["/round.onnx"] = ["to /round.onnx"] * 20
        self.assertIn("redirects", self.pull(self.url("round.onnx"), check=False).stderr)
        self.server.faults["/file.onnx"] = [f"to file://{self.model}"]
        self.assertEqual(self.pull(self.url("file.onnx"), check=False).returncode, 1)

    def hub(self, repository, files, revision="main"):
        """Serves a repository of Hugging Face."""
        siblings = []
        for name, content in files.items():
            self.server.files[f"/{repository}/resolve/{revision}/{name}"] = content
            siblings.append({"rfilename": name, "size": len(content), "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}})
        self.server.files[f"/api/models/{repository}/revision/{revision}"] = json.dumps({"id": repository, "siblings": siblings}).encode()

    def test_repositories_of_hugging_face(self):
        self.hub("someone/net", {"README.md": b"read me", "onnx/model.onnx": self.content, "onnx/model_fp16.onnx": self.content[:99]})
        self.environment["HF_TOKEN"] = "secret"
        report = self.report("hf:someone/net")
        self.assertEqual((report["sha256"], report["verified"]), (self.sum, True))
        self.assertTrue(report["path"].endswith("hf/someone/net/main/onnx/model.onnx"), report["path"])
        self.assertEqual(self.server.seen[-1][1]["Authorization"], "Bearer secret")
        self.assertEqual(self.report("hf:someone/net/onnx/model_fp16.onnx")["bytes"], 99)
        self.hub("someone/two", {"a.onnx": self.content, "b.onnx": self.content}, revision="v1")
        self.assertIn("a.onnx, b.onnx", self.pull("hf:someone/two@v1", check=False).stderr)
        self.assertEqual(self.report("hf:someone/two@v1/b.onnx")["sha256"], self.sum)
        self.assertIn("is not there", self.pull("hf:nobody/nothing", check=False).stderr)
        for wrong in ("hf:someone", "hf:some/../one", "hf:a/b@../../x/y"):
            self.assertEqual(self.pull(wrong, check=False).returncode, 1, wrong)
        # What the hub says of a file holds.
        self.server.files["/someone/net/resolve/main/onnx/model.onnx"] = self.content[::-1]
        self.assertIn("has the SHA-256", self.pull("hf:someone/net", "--again", check=False).stderr)

    def test_mirrors_are_tried_in_turn(self):
        self.hub("someone/net", {"model.onnx": self.content})
        self.environment["GRAFT_MIRRORS"] = "http://127.0.0.1:9 " + self.server.url
        del self.environment["HF_ENDPOINT"]
        done = self.pull("hf:someone/net/model.onnx", "--json")
        self.assertEqual(json.loads(done.stdout)["url"], f"{self.server.url}/someone/net/resolve/main/model.onnx")
        self.assertIn("next mirror", done.stderr)
        self.assertEqual(pathlib.Path(json.loads(done.stdout)["path"]).read_bytes(), self.content)

    def test_proxies_are_obeyed(self):
        self.server.files["http://models.invalid/small.onnx"] = self.content  # as a proxy is asked
        self.environment["http_proxy"] = self.server.url
        self.assertEqual(self.report("http://models.invalid/small.onnx", "--sha256", self.sum)["sha256"], self.sum)

    def test_names_of_the_zoo(self):
        listed = json.loads(graft("pull", "--list", "resnet18", "--json", env=self.environment).stdout)["models"]
        both = {m["reference"]: m for m in listed if m["name"] == "resnet18"}
        self.assertEqual(sorted(both), ["zoo:timm/resnet18", "zoo:torch_hub/resnet18"])
        timm = both["zoo:timm/resnet18"]
        self.assertEqual((timm["family"], timm["preprocessing"]["interpolation"], len(timm["sha256"])), ("resnet", "bicubic", 64))
        # timm cuts sides to whole ones, torchvision's are whole: 224/0.9, 299/0.874.
        for name, resize, fit in (("zoo:beit_base_patch16_224", 248, "crop"), ("zoo:torch_hub/inception_v3", 342, "crop"), ("zoo:dm_nfnet_f0", 213, "squash")):
            found = json.loads(graft("pull", "--list", name.split("/")[-1].removeprefix("zoo:"), "--json", env=self.environment).stdout)["models"]
            said = next(m for m in found if m["reference"] == name)["preprocessing"]
            self.assertEqual((said["resize"], said.get("fit", "crop")), (resize, fit), name)
        self.assertIn("say which: zoo:timm/resnet18, zoo:torch_hub/resnet18", self.pull("resnet18", check=False).stderr)
        self.assertIn("is squeezenet1.0 meant?", self.pull("sqeezenet1.0", check=False).stderr)
        # What is served under a name must have its size and its checksum.
        row = json.loads(graft("pull", "--list", "shufflenet-v2-12-qdq", "--json", env=self.environment).stdout)["models"][0]
        path = row["url"].removeprefix("https://huggingface.co")
        self.server.files[path] = b"\0" * row["bytes"]
        self.assertIn("has the SHA-256", self.pull(row["reference"], check=False).stderr)
        self.server.files[path] = b"\0" * (row["bytes"] + 1)
        self.assertIn("larger than", self.pull(row["reference"], check=False).stderr)
        self.server.files[path] = self.content
        self.assertIn("the answer ends after", self.pull(row["reference"], "--tries", 1, check=False).stderr)
        self.assert_nothing_half()
        self.assertIn("it is another file", self.pull(row["reference"], "--from", self.model, check=False).stderr)
        # A command that is given a name fetches it.
        done = subprocess.run([GRAFT, "inspect", row["reference"]], capture_output=True, text=True,
                              env={**self.environment, "HF_ENDPOINT": self.server.url + "/none"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not there (404)", done.stderr)

    def test_addresses_stand_for_files_in_commands(self):
        url = self.url()
        table = json.loads(graft("inspect", url, "--json", env=self.environment).stdout)
        self.assertGreater(table["parameters"], 1000)
        self.server.files.clear()
        self.assertEqual(json.loads(graft("inspect", url, "--json", env=self.environment).stdout)["parameters"], table["parameters"])

    def test_files_from_elsewhere(self):
        report = self.report(self.server.url + "/never-served.onnx", "--from", self.model, "--sha256", self.sum)
        self.assertEqual(pathlib.Path(report["path"]).read_bytes(), self.content)
        self.assertEqual(self.server.seen, [])
        self.assertIn("it is another file", self.pull(self.server.url + "/x.onnx", "--from", self.model, "--sha256", "0" * 64, check=False).stderr)

    def test_where_models_are_kept(self):
        url = self.url()
        del self.environment["GRAFT_CACHE"]
        for name, folder in (("XDG_CACHE_HOME", "graft/models"), ("HOME", ".cache/graft/models")):
            environment = {k: v for k, v in self.environment.items() if k not in ("XDG_CACHE_HOME", "HOME")}
            environment[name] = str(self.base / ("at_" + name))
            path = graft("pull", url, "--quiet", env=environment).stdout.strip()
            self.assertTrue(path.startswith(f"{self.base}/at_{name}/{folder}/url/"), path)


if __name__ == "__main__":
    unittest.main()
