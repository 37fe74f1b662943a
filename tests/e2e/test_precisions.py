"""bfloat16 and 8-bit integers: the answers, what is told, and other engines on the same files."""
import json
import unittest

import numpy as np

from support import BUNDLED, DATA, PictureTest, graft, graft_json, needs_data, session


def relative(a, b):
    return float(np.sqrt(((a - b) ** 2).mean() / (b ** 2).mean()))


class Precisions(PictureTest):
    def bench_dtype(self):
        return graft_json("bench", BUNDLED, "--dtype", "bf16", "--seconds", 0.1)["dtype"]

    def test_bfloat16_is_told_or_replaced_with_a_note(self):
        done = graft("bench", BUNDLED, "--dtype", "bf16", "--seconds", 0.1, "--json")
        dtype = json.loads(done.stdout)["dtype"]
        self.assertIn(dtype, ("bf16", "fp32"))
        self.assertEqual(dtype == "fp32", "--dtype bf16: this processor does not multiply bfloat16" in done.stderr, done.stderr)

    def test_bfloat16_answers_alike(self):
        paths = sorted((self.pictures / "val").rglob("*.png"))
        floats, halves = self.base / "floats.npz", self.base / "halves.npz"
        graft("extract", BUNDLED, *paths, "-o", floats, "--quiet")
        told = graft_json("extract", BUNDLED, *paths, "-o", halves, "--dtype", "bf16")
        self.assertEqual(told["dtype"], self.bench_dtype())
        a, b = np.load(floats)["features"], np.load(halves)["features"]
        self.assertLess(relative(b, a), 0.02)
        if told["dtype"] == "bf16":
            self.assertGreater(relative(b, a), 1e-5, "nothing was rounded")

    def test_fine_tuning(self):
        rates = {}
        for dtype in ("fp32", "bf16"):
            run = self.base / dtype
            told = graft_json("finetune", BUNDLED, self.pictures, "-o", run, "--epochs", 6, "--freeze", "none", "--dtype", dtype, "--augment", "none", "--no-report")
            self.assertEqual(told["dtype"], dtype if dtype == "fp32" else self.bench_dtype())
            rates[dtype] = graft_json("evaluate", run, self.pictures, "--split", "all")["top1"]
        self.assertGreater(rates["bf16"], rates["fp32"] - 0.15, rates)

    def test_quantized_models_agree_with_onnx_runtime(self):
        small = self.base / "small.onnx"
        told = graft_json("quantize", BUNDLED, self.pictures, "-o", small, "--max-drop", 100)
        self.assertEqual(told["quantized"] + len(told["unsupported_layers"]), told["layer_count"])
        self.assertGreater(told["quantized"], 3)
        self.assertEqual(told["kept_layers"], [])
        self.assertEqual(told["calibrated"] + told["measured"], sum(1 for _ in self.pictures.rglob("*.png")))
        self.assertLess(told["bytes"], 0.5 * told["bytes_before"])
        self.assertLess(told["relative_error"], 0.1)
        x = np.random.default_rng(3).standard_normal((4, 3, 64, 64)).astype(np.float32)
        np.save(self.base / "x.npy", x)
        graft("infer", small, "--input", self.base / "x.npy", "--output", self.base / "y.npy", "--quiet")
        # As the file spells it: what ONNX Runtime fuses saturates on processors without VNNI.
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        engine = onnxruntime.InferenceSession(str(small), options, providers=["CPUExecutionProvider"])
        y = engine.run(None, {engine.get_inputs()[0].name: x})[0]
        self.assertLess(relative(np.load(self.base / "y.npy"), y), 0.03)

    def test_layers_that_cost_too_much_stay(self):
        run = self.base / "classes"
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--epochs", 3, "--no-report", "--quiet")
        told = graft_json("quantize", run / "model.onnx", self.pictures, "-o", self.base / "kept.onnx", "--max-drop", 0)
        self.assertIsNotNone(told["accuracy_before"], "the folders are the model's classes")
        self.assertGreaterEqual(told["accuracy_after"], told["accuracy_before"] - 0.15, "one picture or two are no evidence")
        self.assertEqual(told["quantized"] + len(told["kept_layers"]) + len(told["unsupported_layers"]), told["layer_count"])
        rate = lambda model: graft_json("evaluate", model, self.pictures, "--split", "all")["top1"]
        self.assertGreaterEqual(rate(self.base / "kept.onnx"), rate(run / "model.onnx") - 0.1)

    def test_ways_to_choose_ranges(self):
        for way in ("min-max", "percentile", "entropy"):
            told = graft_json("quantize", BUNDLED, self.pictures, "-o", self.base / f"{way}.onnx", "--max-drop", 100, "--calibration", way)
            self.assertEqual(told["calibration"], way)
            self.assertLess(told["relative_error"], 0.3, way)

    def test_what_cannot_be_quantized(self):
        small = self.base / "twice.onnx"
        graft("quantize", BUNDLED, self.pictures, "-o", small, "--max-drop", 100, "--quiet")
        empty = self.base / "one"
        empty.mkdir()
        (empty / "a.png").write_bytes(self.picture.read_bytes())
        for name, arguments, status, text in (
                ("twice", (small, self.pictures), 1, "quantised already"), ("one picture", (BUNDLED, empty), 1, "two pictures"),
                ("no pictures", (BUNDLED, self.base / "nowhere"), 1, "nowhere"), ("no such way", (BUNDLED, self.pictures, "--calibration", "median"), 2, "calibration"),
                ("no percentile", (BUNDLED, self.pictures, "--calibration", "percentile", "--percentile", "120"), 2, "percentile"),
                ("another way's", (BUNDLED, self.pictures, "--percentile", "99"), 2, "calibration")):
            with self.subTest(name):
                target = self.base / "never.onnx"
                done = graft("quantize", *arguments, "-o", target, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(text, done.stderr)
                self.assertFalse(target.exists())

    def test_its_own_input_is_not_overwritten(self):
        model = self.base / "own.onnx"
        model.write_bytes(BUNDLED.read_bytes())
        done = graft("quantize", model, self.pictures, "-o", model, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertTrue(model.read_bytes() == BUNDLED.read_bytes())
        done = graft("quantize", model, self.pictures, "-o", self.base / "nowhere" / "x.onnx", check=False)
        self.assertIn("is no folder", done.stderr)
        self.assertNotIn("pictures", done.stderr)

    def test_models_that_answer_nothing(self):
        import onnx
        from onnx import numpy_helper
        model = onnx.load(BUNDLED)
        for weight in model.graph.initializer:
            if len(weight.dims) == 4:
                weight.CopyFrom(numpy_helper.from_array(np.full(tuple(weight.dims), np.nan, np.float32), weight.name))
                break
        broken = self.base / "nan.onnx"
        onnx.save(model, broken)
        done = graft("quantize", broken, self.pictures, "-o", self.base / "never.onnx", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NaN", done.stderr)

    def test_weights_that_the_graph_is_given(self):
        """A convolution whose weight is an input, against ONNX Runtime."""
        import onnx
        from onnx import TensorProto, helper
        info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], "g", [info("x", [1, 3, 8, 8]), info("w", [5, 3, 3, 3])], [info("y", [1, 5, 8, 8])])
        path = self.base / "given.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        random = np.random.default_rng(1)
        x, w = (random.standard_normal(shape).astype(np.float32) for shape in ((1, 3, 8, 8), (5, 3, 3, 3)))
        np.save(self.base / "gx.npy", x), np.save(self.base / "gw.npy", w)
        expected = session(path).run(None, {"x": x, "w": w})[0]
        for dtype in ("fp32", "bf16"):
            graft("infer", path, "--input", f"x={self.base / 'gx.npy'}", "--input", f"w={self.base / 'gw.npy'}", "--output", f"y={self.base / 'gy.npy'}", "--dtype", dtype, "--quiet")
            self.assertLess(relative(np.load(self.base / "gy.npy"), expected), 1e-5 if dtype == "fp32" else 0.02)

    @needs_data
    def test_real_answers_in_every_precision(self):
        model, test = DATA / "models/cifar10_resnet20.onnx", DATA / "cifar10-sample/test"
        small = self.base / "cifar.onnx"
        told = graft_json("quantize", model, DATA / "cifar10-sample/train", "-o", small)
        self.assertGreater(told["quantized"], 10)
        accuracy = graft_json("evaluate", model, test)["top1"]
        for name, arguments in (("bf16", (model, test, "--dtype", "bf16")), ("int8", (small, test))):
            self.assertGreater(graft_json("evaluate", *arguments)["top1"], accuracy - 0.006, name)


if __name__ == "__main__":
    unittest.main()
