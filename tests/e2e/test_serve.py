"""The server: its interface, KServe's protocol, what it refuses, and how it ends and goes on under load."""
import base64
import concurrent.futures
import http.client
import io
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import unittest
import urllib.error
import urllib.request

import numpy as np
from PIL import Image

from serving import Server
from support import BUNDLED, ScratchTest, graft, graft_json


def multipart(files, fields=()):
    """A body and its type: (name, bytes) each a file, (name, text) each a field."""
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode() for name, text in fields]
    parts += [f'--xyz\r\nContent-Disposition: form-data; name="pictures"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode() + data + b"\r\n" for name, data in files]
    return b"".join(parts) + b"--xyz--\r\n", "multipart/form-data; boundary=xyz"


class Serve(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 4, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 6, "--no-report", "--quiet")
        cls.paths = sorted((cls.pictures / "val").rglob("*.png"))
        cls.server = Server(f"figures={cls.run_folder}", f"other={BUNDLED}", "--examples", cls.pictures / "val", "--unsure", 0.5)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        super().tearDownClass()

    def test_answers_are_those_of_classify(self):
        expected = {result["path"]: result for result in graft_json("classify", self.run_folder, self.pictures / "val")["results"]}
        body, type = multipart([(str(path), path.read_bytes()) for path in self.paths])
        status, told = self.server.json("/v1/classify?top=3", body, type)
        self.assertEqual((status, told["model"], len(told["results"])), (200, "figures", len(self.paths)))
        for path, result in zip(self.paths, told["results"], strict=True):
            wanted = expected[str(path)]
            self.assertEqual(result["name"], str(path))
            self.assertEqual([one["label"] for one in result["top"]], [one["label"] for one in wanted["top"][:3]])
            self.assertAlmostEqual(result["score"], wanted["score"], places=5)
            self.assertEqual(result["unsure"], result["score"] < 0.5)
            if "ood_score" in wanted:
                self.assertAlmostEqual(result["ood_score"], wanted["ood_score"], places=5)

    def test_a_picture_comes_in_three_forms(self):
        data = self.paths[0].read_bytes()
        plain = self.server.json("/v1/classify", data, "image/png")[1]["results"][0]
        as_json = self.server.json("/v1/classify", json.dumps({"pictures": [{"bytes": base64.b64encode(data).decode()}], "top": 5}).encode(), "application/json")[1]["results"][0]
        as_bytes = self.server.json("/v1/classify", data, "application/octet-stream")[1]["results"][0]
        self.assertEqual(plain, as_json)
        self.assertEqual(plain, as_bytes)
        other = self.server.json("/v1/classify?model=other", data, "image/png")
        self.assertEqual((other[0], other[1]["model"]), (200, "other"))

    def test_features_and_explanations(self):
        graft("extract", self.run_folder, self.paths[0], "-o", self.base / "f.npy", "--quiet")
        status, told = self.server.json("/v1/embed", self.paths[0].read_bytes(), "image/png")
        self.assertEqual(status, 200)
        np.testing.assert_allclose(told["results"][0]["features"], np.load(self.base / "f.npy")[0], rtol=1e-5, atol=1e-6)
        status, told = self.server.json("/v1/explain", self.paths[0].read_bytes(), "image/png")
        result = told["results"][0]
        self.assertEqual(status, 200)
        overlay = Image.open(io.BytesIO(base64.b64decode(result["overlay"].split(",")[1])))
        self.assertEqual(overlay.size, (result["width"], result["height"]))
        self.assertEqual(self.server.json("/v1/explain?index=2", self.paths[0].read_bytes(), "image/png")[1]["results"][0]["index"], 2)
        self.assertEqual(self.server.json("/v1/explain?index=77", self.paths[0].read_bytes(), "image/png")[0], 422)

    def test_kserve_gives_what_infer_gives(self):
        x = np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)
        np.save(self.base / "x.npy", x)
        graft("infer", self.run_folder / "model.onnx", "--input", self.base / "x.npy", "--output", self.base / "y.npy", "--quiet")
        expected = np.load(self.base / "y.npy")
        status, about = self.server.json("/v2/models/figures")
        self.assertEqual(status, 200)
        self.assertEqual((about["inputs"][0]["datatype"], about["inputs"][0]["shape"][0], about["outputs"][0]["shape"]), ("FP32", -1, [-1, 6]))
        name = about["inputs"][0]["name"]
        entry = {"name": name, "shape": list(x.shape), "datatype": "FP32"}
        status, told = self.server.json("/v2/models/figures/infer", json.dumps({"id": "seven", "inputs": [{**entry, "data": x.reshape(-1).tolist()}]}).encode(), "application/json")
        self.assertEqual((status, told["id"], told["outputs"][0]["shape"]), (200, "seven", [2, 6]))
        np.testing.assert_allclose(np.reshape(told["outputs"][0]["data"], (2, 6)), expected, rtol=1e-4, atol=1e-5)
        head = json.dumps({"inputs": [{**entry, "parameters": {"binary_data_size": x.nbytes}}], "parameters": {"binary_data_output": True}}).encode()
        status, headers, body = self.server.ask("/v2/models/figures/infer", head + x.tobytes(), "application/octet-stream", {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(status, 200)
        length = int(headers["Inference-Header-Content-Length"])
        np.testing.assert_allclose(np.frombuffer(body[length:], np.float32).reshape(2, 6), expected, rtol=1e-4, atol=1e-5)
        for wrong in ({"inputs": []}, {"inputs": [{**entry, "data": [1, 2]}]}, {"inputs": [{**entry, "shape": [1 << 40, 3, 64, 64], "data": []}]}, {"inputs": [{**entry, "datatype": "INT8", "data": []}]},
                      {"inputs": [{**entry, "name": "none"}]}, {"inputs": [{**entry, "data": ["a"]}]}, {"inputs": 7}, {"id": [], "inputs": [{**entry, "data": x.reshape(-1).tolist()}]}, {"inputs": [{**entry, "data": x.reshape(-1).tolist()}], "outputs": [{"name": about["outputs"][0]["name"]}] * 2},
                      {"inputs": [{**entry, "shape": [2, 3, 1, 1], "data": [0.0] * 6}]}, {"inputs": [{**entry, "shape": [3], "data": [0.0] * 3}]}, {"inputs": [{**entry, "shape": [2, 5, 64, 64], "data": [0.0] * (2 * 5 * 64 * 64)}]}):
            status, told = self.server.json("/v2/models/figures/infer", json.dumps(wrong).encode(), "application/json")
            self.assertEqual(status, 400, wrong)
            self.assertIsInstance(told["error"], str)
        for deep in (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 100000 + b"]" * 100000 + b"}]}", b'{"id": ' + b"[" * 100000 + b"]" * 100000 + b"}"):
            status, told = self.server.json("/v2/models/figures/infer", deep, "application/json")
            self.assertEqual((status, told["error"]), (400, "the body holds lists or objects more than 32 deep"))
        self.assertEqual(self.server.json("/v2/models/none/infer", b"{}", "application/json")[0], 404)
        self.assertEqual(self.server.json("/v2/health/ready")[1], {"ready": True})

    def test_what_is_refused_says_why(self):
        data = self.paths[0].read_bytes()
        bomb = io.BytesIO()
        Image.new("L", (10000, 8000)).save(bomb, "PNG")
        cases = ((404, "/nothing", None, None), (405, "/v1/classify", None, None), (405, "/healthz", b"x", "text/plain"), (415, "/v1/classify", data, "text/plain"), (422, "/v1/classify", b"no picture", "image/png"),
                 (413, "/v1/classify", bomb.getvalue(), "image/png"), (404, "/v1/classify?model=none", data, "image/png"), (400, "/v1/classify?top=many", data, "image/png"), (400, "/v1/classify?top=0", data, "image/png"),
                 (400, "/v1/classify", b"{", "application/json"), (400, "/v1/classify", b'{"pictures": [7]}', "application/json"), (400, "/v1/classify", b'{"pictures": []}', "application/json"),
                 (400, "/v1/classify", b"nonsense", "multipart/form-data; boundary=xyz"), (404, "/v1/examples/../../etc/passwd", None, None), (404, "/v1/examples/999999", None, None), (404, "/v1/examples/-1", None, None))
        for wanted, path, body, type in cases:
            status, headers, text = self.server.ask(path, body, type)
            self.assertEqual(status, wanted, (path, type, text))
            told = json.loads(text)
            self.assertTrue("error" in told or all("error" in result for result in told["results"]), told)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        mixed = self.server.json("/v1/classify", *multipart([("good.png", data), ("bad.png", b"no picture")]))
        self.assertEqual((mixed[0], "label" in mixed[1]["results"][0], mixed[1]["results"][1]["error"]), (200, True, "is not a JPEG, PNG, WebP, GIF, TIFF, HEIC, AVIF, BMP or PNM picture"))
        # Another site's page, and a name that was made to mean this machine.
        self.assertEqual(self.server.ask("/v1/models", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(self.server.ask("/v1/classify", data, "image/png", {"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(self.server.ask("/v1/models", headers={"Host": "10.1.2.3"})[0], 200)

    def test_many_ask_at_once_and_get_their_own_answers(self):
        expected = {str(path): self.server.json("/v1/classify", path.read_bytes(), "image/png")[1]["results"][0]["top"] for path in self.paths}
        before = self.server.ask("/metrics")[2].decode()

        def ask(path):
            return str(path), self.server.json("/v1/classify", path.read_bytes(), "image/png")
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for path, (status, told) in pool.map(ask, self.paths * 20):
                self.assertEqual(status, 200)
                self.assertEqual([one["label"] for one in told["results"][0]["top"]], [one["label"] for one in expected[path]])
                self.assertAlmostEqual(told["results"][0]["score"], expected[path][0]["score"], places=4)

        def value(text, name):
            return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))
        after = self.server.ask("/metrics")[2].decode()
        counted = [value(text, 'graft_requests_total{route="/v1/classify",status="200"}') for text in (before, after)]
        self.assertEqual(counted[1] - counted[0], 20 * len(self.paths))
        batches = [value(text, 'graft_batch_pictures_count{model="figures",job="classify"}') for text in (before, after)]
        self.assertLess(batches[1] - batches[0], 20 * len(self.paths) / 2)  # they ran together

    def test_slow_and_broken_clients_harm_nobody(self):
        server = Server(self.run_folder, "--timeout", 2, "--max-body", 1)
        try:
            slow = []
            for _ in range(300):
                one = socket.create_connection(("127.0.0.1", server.port))
                one.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\n")
                slow.append(one)
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n\r\nabc")
            half.close()
            noise = socket.create_connection(("127.0.0.1", server.port))
            noise.sendall(os.urandom(3000))
            start = time.monotonic()
            self.assertEqual(server.json("/v1/classify", self.paths[0].read_bytes(), "image/png")[0], 200)
            self.assertLess(time.monotonic() - start, 2)
            end = time.monotonic() + 12  # one drips a byte twice a second: it is closed all the same
            closed = False
            while time.monotonic() < end and not closed:
                try:
                    slow[0].sendall(b"X")
                    slow[0].settimeout(0.5)
                    closed = slow[0].recv(10) == b""
                except TimeoutError:
                    pass
                except OSError:
                    closed = True
            self.assertTrue(closed)
            self.assertEqual(self.raw(server, b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 2097152\r\n\r\n"), 413)
            for one in slow:
                one.close()
            noise.close()
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            connection.request("POST", "/v1/classify", body=(bytes(1 << 16) for _ in range(24)), headers={"Content-Type": "image/png"}, encode_chunked=True)
            self.assertEqual(connection.getresponse().status, 413)
            connection.close()
            self.assertEqual(server.json("/v1/classify", self.paths[0].read_bytes(), "image/png")[0], 200)
        finally:
            status, said = server.close()
        self.assertEqual(status, 0, said)

    def raw(self, server, request):
        """The status that these bytes are answered with."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(request)
            return int(client.recv(100).split()[1])

    def test_what_can_be_read_in_two_ways_is_refused(self):
        head = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        for status, request in ((400, head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"), (400, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), (501, head + b"Transfer-Encoding: gzip\r\n\r\n"),
                                (400, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"), (415, head + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"), (404, b"GET /healthz%00/x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                                (404, b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n"), (400, b"GET /v1/models?model=run%00evil HTTP/1.1\r\nHost: localhost\r\n\r\n"), (400, b"GET /v1/models?a=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                                (400, b"POST /v1/classify?top=2&top=3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"), (200, b"GET /v1/models HTTP/1.1\r\nHost: LOCALHOST.\r\n\r\n"), (200, b"GET /v2/models/figures/versions/1/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                                (404, b"GET /v2/models/figures/versions/2/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"), (200, b"GET /v2/models/%66igures HTTP/1.1\r\nHost: localhost\r\n\r\n")):
            self.assertEqual(self.raw(self.server, request), status, request)
        self.assertEqual(self.server.json("/v1/classify?tpo=2", self.paths[0].read_bytes(), "image/png")[0], 400)

    def test_rates_and_queues_have_limits(self):
        server = Server(self.run_folder, "--max-rate", 1)
        try:
            seen = [server.ask("/v1/models")[0] for _ in range(6)]
            self.assertEqual(seen[:2], [200, 200])
            self.assertIn(429, seen[2:])
            self.assertEqual(server.ask("/healthz")[0], 200)
        finally:
            server.close()
        server = Server(self.run_folder, "--max-waiting", 3)
        try:
            body, type = multipart([(f"{i}.png", self.paths[0].read_bytes()) for i in range(4)])
            self.assertEqual(server.ask("/v1/classify", body, type)[0], 413)  # that would never fit
            body, type = multipart([(f"{i}.png", self.paths[0].read_bytes()) for i in range(3)])
            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                replies = list(pool.map(lambda _: server.ask("/v1/explain", body, type), range(48)))
            self.assertEqual({status for status, _, _ in replies}, {200, 503})
            self.assertEqual({headers["Retry-After"] for status, headers, _ in replies if status == 503}, {"1"})
        finally:
            server.close()

    def test_a_token_and_tls(self):
        (self.base / "token").write_text("a-long-enough-token\n")
        certificate, key = self.base / "certificate.pem", self.base / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        server = Server(self.run_folder, "--token-file", self.base / "token", "--tls-certificate", certificate, "--tls-key", key)
        try:
            self.assertTrue(server.address.startswith("https://"))
            context = ssl.create_default_context(cafile=certificate)

            def status(path, headers):
                try:
                    return urllib.request.urlopen(urllib.request.Request(server.address + path, headers=headers), context=context, timeout=20).status
                except urllib.error.HTTPError as error:
                    return error.code
            self.assertEqual([status("healthz", {}), status("v1/models", {}), status("v1/models", {"Authorization": "Bearer wrong"}), status("v1/models", {"Authorization": "Bearer a-long-enough-token"})], [200, 401, 401, 200])
        finally:
            server.close()

    def test_a_changed_model_is_served_and_a_broken_one_is_not(self):
        folder = self.base / "changing"
        folder.mkdir()
        shutil.copy(self.run_folder / "model.onnx", folder / "m.onnx")
        server = Server(folder / "m.onnx")

        def labels():
            return server.json("/v1/models")[1]["models"][0]["labels"]

        def replace(data):
            (folder / "new").write_bytes(data)
            (folder / "new").rename(folder / "m.onnx")
        try:
            first = labels()
            self.assertEqual(len(first), 6)
            replace(b"no model")
            time.sleep(2.5)
            self.assertEqual(labels(), first)
            self.assertIn('graft_reloads_total{model="m",result="refused"} 1', server.ask("/metrics")[2].decode())
            replace(pathlib.Path(BUNDLED).read_bytes())
            deadline = time.monotonic() + 20
            while labels() == first and time.monotonic() < deadline:
                time.sleep(0.2)
            self.assertNotEqual(labels(), first)
        finally:
            status, said = server.close()
        self.assertEqual(status, 0)
        self.assertIn("the changed file is not served", said)

    def ask_without_end(self, server, statuses):
        """A client that keeps its connection and asks until it is closed."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        data = self.paths[0].read_bytes()
        while True:
            try:
                connection.request("POST", "/v1/classify", data, {"Content-Type": "image/png"})
                statuses.append(connection.getresponse())
                statuses[-1] = (statuses[-1].status, statuses[-1].read()[:20])
            except (OSError, http.client.HTTPException):
                statuses[:] = [status for status in statuses if isinstance(status, tuple)]
                connection.close()
                return

    def test_it_ends_well_while_clients_ask(self):
        server = Server(self.run_folder)
        seen = [[] for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for statuses in seen:
                pool.submit(self.ask_without_end, server, statuses)
            time.sleep(1)
            status, said = server.close()
        self.assertEqual(status, 0, said)
        for statuses in seen:
            self.assertGreater(len(statuses), 5)
            self.assertTrue(all(status in (200, 503) and body for status, body in statuses), statuses[-3:])

    def test_a_model_is_replaced_while_clients_ask(self):
        folder = self.base / "replaced"
        folder.mkdir()
        shutil.copy(self.run_folder / "model.onnx", folder / "m.onnx")
        server = Server(folder / "m.onnx")
        seen = [[] for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for statuses in seen:
                pool.submit(self.ask_without_end, server, statuses)
            for i in range(4):
                time.sleep(1.3)
                shutil.copy(BUNDLED if i % 2 == 0 else self.run_folder / "model.onnx", folder / "new")
                (folder / "new").rename(folder / "m.onnx")
            time.sleep(2)
            served = server.ask("/metrics")[2].decode()
            status, said = server.close()
        self.assertEqual(status, 0, said)
        self.assertIn('graft_reloads_total{model="m",result="served"} 4', served)
        self.assertTrue(all(status in (200, 503) for statuses in seen for status, _ in statuses))

    def test_a_name_of_its_own(self):
        server = Server(self.run_folder, "--public-host", "Photos.Example.org")
        try:
            headers = {"Host": "photos.example.org", "Origin": "https://photos.example.org"}
            self.assertEqual(server.ask("/v1/classify", self.paths[0].read_bytes(), "image/png", headers)[0], 200)
            self.assertEqual(server.ask("/v1/models", headers={"Host": "other.example.org"})[0], 403)
        finally:
            server.close()

    def test_wrong_calls_get_one_line(self):
        for arguments, said in (((self.base / "none.onnx",), "none.onnx"), ((self.run_folder, "--host", "nowhere"), "no IP address"), ((self.run_folder, self.run_folder), "two models are called"), ((f"a b={self.run_folder}",), "is no name for an address"), (("x=",), "names no model"), ((self.run_folder, "--device", "cuda:7"), "cuda:7"), ((self.run_folder, "--tls-certificate", self.paths[0], "--tls-key", self.paths[0]), "is no certificate"),
                                ((self.run_folder, "--port", self.server.port), "cannot listen"), ((self.run_folder, "--token-file", self.base / "none"), "cannot be read")):
            done = graft("serve", *arguments, check=False)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stderr.count("error:"), 1)

    def test_the_description_is_of_what_there_is(self):
        status, told = self.server.json("/openapi.json")
        self.assertEqual((status, told["openapi"]), (200, "3.1.0"))
        for path, methods in told["paths"].items():
            for method in methods:
                status = self.server.ask(path.replace("{name}", "figures"), b"" if method == "post" else None, "application/json" if method == "post" else None, method=method.upper())[0]
                self.assertNotIn(status, (404, 405, 500), path)


if __name__ == "__main__":
    unittest.main()
