"""The program as a user meets it: generated pictures, every subcommand, bad input, kill and resume."""
import csv
import json
import os
import re
import signal
import subprocess
import time
import unittest

import numpy as np

from support import BUNDLED, GRAFT, ScratchTest, graft, graft_json, session


class Program(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 5, "--quiet")
        cls.run_folder = cls.base / "run"
        cls.report = graft_json("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 8)

    def test_finetune_writes_what_it_promises(self):
        for name in ("model.onnx", "checkpoint.safetensors", "history.csv", "metrics.json", "config.toml"):
            self.assertTrue((self.run_folder / name).is_file(), name)
        self.assertGreater(self.report["best_val_top1"], 0.3)
        self.assertTrue(self.report["features_cached"])
        rows = list(csv.DictReader((self.run_folder / "history.csv").read_text().splitlines()))
        self.assertEqual(len(rows), 8)
        self.assertLess(float(rows[-1]["train_loss"]), float(rows[0]["train_loss"]))

    def test_config_repeats_the_run(self):
        again = self.base / "again"
        text = (self.run_folder / "config.toml").read_text().replace(str(self.run_folder), str(again))
        (self.base / "config.toml").write_text(text)
        graft("finetune", "--config", self.base / "config.toml")
        self.assertEqual((again / "model.onnx").read_bytes(), (self.run_folder / "model.onnx").read_bytes())

    def test_evaluate_agrees_with_the_training_report(self):
        result = graft_json("evaluate", self.run_folder / "model.onnx", self.pictures)
        self.assertAlmostEqual(result["top1"], self.report["best_val_top1"], places=6)
        self.assertEqual(result["images"], 30)
        self.assertEqual(sum(map(sum, result["confusion"])), 30)
        self.assertEqual(len(result["per_class"]), 6)

    def test_classify_gives_every_format(self):
        picture = next((self.pictures / "val" / "heart").iterdir())
        line = json.loads(graft("classify", self.run_folder / "model.onnx", picture, "--format", "jsonl", "--quiet").stdout)
        self.assertEqual(line["path"], str(picture))
        self.assertEqual(len(line["top"]), 5)
        self.assertAlmostEqual(line["top"][0]["score"], line["score"])
        rows = list(csv.DictReader(graft("classify", self.run_folder / "model.onnx", self.pictures / "val", "--format", "csv", "--quiet").stdout.splitlines()))
        self.assertEqual(len(rows), 30)
        listed = graft("classify", self.run_folder / "model.onnx", "-", "--quiet", input=f"{picture}\n").stdout
        self.assertIn(line["label"], listed)

    def test_classify_names_what_it_skips(self):
        bad = self.base / "bad.png"
        bad.write_text("no picture at all, only text")
        done = graft("classify", self.run_folder / "model.onnx", bad, "--format", "jsonl", "--quiet", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("error", json.loads(done.stdout))
        self.assertIn("bad.png", done.stderr)

    def test_extract_writes_features_labels_and_paths(self):
        out = self.base / "f.npz"
        graft("extract", self.run_folder / "model.onnx", self.pictures / "val", "-o", out, "--quiet")
        arrays = np.load(out)
        self.assertEqual(arrays["features"].shape, (30, 96))
        self.assertEqual(arrays["labels"].dtype, np.int64)
        self.assertEqual(sorted(set(arrays["labels"])), list(range(6)))
        self.assertTrue(str(arrays["paths"][0]).endswith(".png"))
        graft("extract", self.run_folder / "model.onnx", self.pictures / "val", "-o", self.base / "f.npy", "--layer", "stage2.block2.relu2", "--quiet")
        self.assertEqual(np.load(self.base / "f.npy").shape, (30, 48 * 16 * 16))

    def test_extract_goes_on_where_it_was_interrupted_and_appends(self):
        folder = self.base / "many"
        folder.mkdir()
        pictures = sorted((self.pictures / "val").rglob("*.png"))
        for i in range(1200):
            (folder / f"{i:04}.png").symlink_to(pictures[i % len(pictures)])
        command = ["extract", self.run_folder / "model.onnx", folder, "--batch", "32"]
        whole, out = self.base / "whole.npz", self.base / "parts.npz"
        graft(*command, "-o", whole, "--quiet")
        rows = self.base / "parts.npz.part.rows"
        running = subprocess.Popen([GRAFT, *map(str, command), "-o", str(out), "--quiet"])
        while running.poll() is None and not (rows.exists() and rows.stat().st_size > 20000):
            time.sleep(0.005)
        running.kill()
        running.wait()
        self.assertFalse(out.exists(), "it ended before it could be interrupted")
        done = graft(*command, "-o", out, "--json")
        report = json.loads(done.stdout)
        self.assertGreater(report["continued"], 64)
        self.assertEqual(report["pictures"], 1200)
        self.assertIn(f"goes on where an interrupted run ended: {report['continued']} pictures", done.stderr)
        self.assertEqual(out.read_bytes(), whole.read_bytes())
        self.assertFalse(rows.exists())
        more = self.pictures / "val"
        report = json.loads(graft("extract", self.run_folder / "model.onnx", more, "--append", "-o", out, "--json").stdout)
        self.assertEqual((report["kept"], report["pictures"]), (1200, 1230))
        arrays, before = np.load(out), np.load(whole)
        self.assertTrue(np.array_equal(arrays["features"][:1200], before["features"]))
        self.assertEqual(len(arrays["paths"]), 1230)
        refused = graft("extract", self.run_folder / "model.onnx", more, "--append", "-o", out, "--layer", "stage2.block2.relu2", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("was made by another model or other settings", refused.stderr)

    def test_export_passes_onnx_and_agrees_with_onnx_runtime(self):
        import onnx
        out = self.base / "deploy.onnx"
        graft("export", self.run_folder, "-o", out, "--quiet")
        for path in (out, self.run_folder / "model.onnx"):
            onnx.checker.check_model(str(path), full_check=True)
        self.assertNotIn("BatchNormalization", {n.op_type for n in onnx.load(out).graph.node})
        x = np.random.default_rng(0).standard_normal((3, 3, 64, 64), dtype=np.float32)
        np.save(self.base / "x.npy", x)
        for path in (out, self.run_folder / "model.onnx"):
            graft("infer", path, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
            runtime = session(path)
            expected = runtime.run(None, {runtime.get_inputs()[0].name: x})[0]
            self.assertLess(np.abs(np.load(self.base / "y.npy") - expected).max(), 1e-4)

    def test_inspect_counts_parameters(self):
        table = graft_json("inspect", BUNDLED)
        self.assertEqual(table["parameters"], sum(l["parameters"] for l in table["layers"]))
        stem = table["layers"][0]
        self.assertEqual((stem["op"], stem["output_shape"], stem["parameters"]), ("Conv", [-1, 24, 32, 32], 24 * 3 * 9))
        self.assertEqual(stem["multiply_adds"], 32 * 32 * 24 * 27)

    def test_a_profile_tells_what_each_kernel_does(self):
        told = graft("bench", BUNDLED, "--profile", "--seconds", 0.2, "--batch", 4, env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}).stderr
        rows = re.findall(r"^ *([\d.]+) ms +([\d.]+) % +([\d.]*) GFLOP/s +([\d.]+) MB +(\d+) % of (arithmetic|memory) +(\w+)( \S+)?$", told, re.M)
        kernels, sums = ([row for row in rows if bool(row[7]) == named] for named in (True, False))
        self.assertAlmostEqual(sum(float(row[1]) for row in kernels), 100, delta=2)
        self.assertAlmostEqual(sum(float(row[0]) for row in kernels), sum(float(row[0]) for row in sums), delta=0.05)
        self.assertEqual([float(row[0]) for row in kernels], sorted((float(row[0]) for row in kernels), reverse=True))
        # Multiply-adds and bytes are those of the layer's shapes: the stem reads 4 pictures and its weights, and writes its result.
        layers = {layer["name"]: layer for layer in graft_json("inspect", BUNDLED)["layers"]}
        for ms, _, gflops, megabytes, *_, name in (row for row in kernels if row[6] == "Conv"):
            layer = layers[name.strip()]
            self.assertAlmostEqual(float(gflops) * float(ms) * 1e6, 8 * layer["multiply_adds"], delta=1e6 * (0.051 * float(ms) + 0.00051 * float(gflops)), msg=name)  # as they are rounded
        self.assertRegex(told, r"this machine at most: \d+ GFLOP/s in float32 tiles, [\d.]+ GB/s of memory")

    def test_bench_and_gradcheck_and_preview(self):
        for more in ([], ["--train"]):
            result = graft_json("bench", BUNDLED, "--batch", 4, "--seconds", 0.2, *more)
            for key in ("images_per_s", "median_s", "min_s", "max_s", "runs", "peak_rss_mib", "batch", "dtype", "device"):
                self.assertIn(key, result)
        self.assertEqual(graft_json("bench", BUNDLED, "--runs", 4)["runs"], 4)
        check = graft_json("gradcheck", BUNDLED)
        self.assertLess(check["max_relative_error"], 0.02)
        sheet = self.base / "sheet.png"
        graft("preview", self.pictures, "-o", sheet, "--crop", 64, "--augment", "strong")
        self.assertEqual(sheet.read_bytes()[:4], b"\x89PNG")

    def test_killed_and_resumed_gives_the_same_bits(self):
        def arguments(out):
            return ["finetune", BUNDLED, self.pictures, "-o", out, "--epochs", 40, "--freeze", "none", "--dropout", 0.2, "--quiet"]
        whole, killed = self.base / "whole", self.base / "killed"
        graft(*arguments(whole))
        process = subprocess.Popen([GRAFT, *map(str, arguments(killed))])
        deadline = time.time() + 120
        while not (killed / "checkpoint.safetensors").exists() and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertFalse((killed / "metrics.json").exists(), "the run ended before it was killed")
        graft(*arguments(killed), "--resume")
        self.assertEqual((killed / "model.onnx").read_bytes(), (whole / "model.onnx").read_bytes())

    def test_a_device_that_is_named_must_be_there(self):
        done = graft("bench", BUNDLED, "--device", "cuda", "--seconds", "0.1", "--json", check=False)
        if done.returncode == 0:
            self.skipTest("this machine has a GPU")
        lines = done.stderr.strip().splitlines()
        self.assertEqual((done.returncode, len(lines)), (2, 1), done.stderr)
        self.assertTrue(lines[0].startswith("graft: error: --device: cuda: "), lines[0])
        self.assertIn("use --device auto", lines[0])
        self.assertEqual(graft_json("bench", BUNDLED, "--seconds", "0.1")["device"], "cpu")

    def test_bad_input_gets_one_clear_line(self):
        truncated = self.base / "truncated.onnx"
        truncated.write_bytes(BUNDLED.read_bytes()[:100000])
        text = self.base / "text.onnx"
        text.write_text("hello")
        empty, one = self.base / "empty", self.base / "one"
        empty.mkdir()
        (one / "only").mkdir(parents=True)
        (one / "only" / "1.png").write_text("x")
        hollow = self.base / "hollow"
        (hollow / "a").mkdir(parents=True)
        (hollow / "b").mkdir()
        (hollow / "a" / "1.png").write_text("x")
        unreadable = self.base / "unreadable"
        for name in ("a", "b"):
            (unreadable / name).mkdir(parents=True)
            for i in range(3):
                (unreadable / name / f"{i}.png").write_text("no picture at all, only text")
        cases = {
            "missing model": (["classify", "missing.onnx", "x.png"], "cannot be opened"),
            "not ONNX": (["inspect", text], "is not an ONNX model"),
            "truncated": (["inspect", truncated], "truncated"),
            "missing data": (["finetune", BUNDLED, self.base / "nowhere", "-o", self.base / "r"], "does not exist"),
            "empty folder": (["finetune", BUNDLED, empty, "-o", self.base / "r"], "holds no class folders"),
            "one class": (["finetune", BUNDLED, one, "-o", self.base / "r"], "only one class"),
            "hollow class": (["finetune", BUNDLED, hollow, "-o", self.base / "r"], "has no training picture"),
            "unreadable pictures": (["finetune", BUNDLED, unreadable, "-o", self.base / "r"], "none of the training pictures can be read"),
            "unknown freeze": (["finetune", BUNDLED, self.pictures, "-o", self.base / "r", "--freeze", "some"], "unknown policy"),
            "no such layer": (["extract", BUNDLED, self.pictures, "-o", self.base / "f.npy", "--layer", "nowhere"], "has no layer"),
            "other device": (["bench", BUNDLED, "--device", "gpu"], "no such device"),
            "half type on the processor": (["bench", BUNDLED, "--device", "cpu", "--dtype", "fp16"], "computes in fp32 or bf16"),
        }
        for name, (arguments, expected) in cases.items():
            with self.subTest(name):
                done = graft(*arguments, check=False)
                self.assertIn(done.returncode, (1, 2), done.stderr)
                last = done.stderr.strip().splitlines()[-1]
                self.assertTrue(last.startswith("graft: error: "), last)
                self.assertIn(expected, last)
        self.assertEqual(graft("finetune", check=False).returncode, 2)

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small disk needs root")
    def test_a_full_disk_leaves_nothing_half(self):
        disk = self.base / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True).returncode != 0:
            self.skipTest("cannot mount here")
        try:
            done = graft("export", self.run_folder, "-o", disk / "m.onnx", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("No space left on device", done.stderr)
            self.assertEqual(list(disk.iterdir()), [])
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_float16_weights_halve_the_file_and_keep_the_answers(self):
        half = self.base / "half.onnx"
        graft("export", BUNDLED, "-o", half, "--fp16", "--quiet")
        self.assertLess(half.stat().st_size, 0.6 * BUNDLED.stat().st_size)
        x = np.random.default_rng(0).standard_normal((3, 3, 64, 64), dtype=np.float32)
        np.save(self.base / "half_x.npy", x)
        answers = {}
        for name, path in {"whole": BUNDLED, "half": half}.items():
            graft("infer", path, "--input", self.base / "half_x.npy", "--output", self.base / f"{name}.npy")
            answers[name] = np.load(self.base / f"{name}.npy")
        scale = np.abs(answers["whole"]).max()
        self.assertLess(np.abs(answers["half"] - answers["whole"]).max() / scale, 5e-3)
        self.assertGreater(np.abs(answers["half"] - answers["whole"]).max(), 0)
        runtime = session(half)
        expected = runtime.run(None, {runtime.get_inputs()[0].name: x})[0]
        self.assertLess(np.abs(answers["half"] - expected).max() / scale, 1e-4)

    def test_models_as_text(self):
        a, b, dot = self.base / "a.onnx", self.base / "b.onnx", self.base / "a.dot"
        graft("new", "lenet5", "-o", a, "--quiet")
        graft("new", "lenet5", "--classes", 12, "-o", b, "--quiet")
        graft("inspect", a, "--graph", dot)
        text = dot.read_text()
        self.assertTrue(text.startswith("digraph model {") and text.rstrip().endswith("}"))
        self.assertIn('label="Conv\\nc1\\nc1.weight 6×1×5×5', text)
        self.assertEqual(text.count(" -> "), len(graft_json("inspect", a)["layers"]) + 1)
        self.assertTrue(graft_json("inspect", a, "--diff", a)["same"])
        lines = graft_json("inspect", a, "--diff", b)["differences"]
        self.assertTrue(any("output.weight" in line and "10×84" in line and "12×84" in line for line in lines), lines)

    def test_new_builds_what_papers_describe(self):
        path = self.base / "googlenet.onnx"
        graft("new", "googlenet", "-o", path, "--quiet")
        self.assertEqual(graft_json("inspect", path)["parameters"], 6624904)
        failed = graft("new", "resnet-51", "-o", path, check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("resnet-50", failed.stderr)


if __name__ == "__main__":
    unittest.main()
