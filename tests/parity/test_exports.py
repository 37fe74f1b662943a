"""What graft exports, as others run it: ONNX's checker, ONNX Runtime and OpenVINO, on every form of the file."""
import json
import unittest

import numpy as np
import onnx
from PIL import Image

from support import BUNDLED, ScratchTest, graft, graft_json, pillow_pixels, pixel_network, session


def openvino_run(path, feed):
    import openvino
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(iter(model(feed).values()))


def runtime_run(path, feed):
    return session(path).run(None, feed)[0]


class Exports(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.base / "data"
        graft("generate", cls.data, "--set", "demo", "--train", 6, "--val", 4, "--side", 96, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.data, "-o", cls.run_folder, "--epochs", 4, "--quiet")
        cls.networks = {"tuned": cls.run_folder}
        for name in ("resnet-18", "squeezenet-1.1", "mobilenet-v2"):
            cls.networks[name] = cls.base / f"{name}.onnx"
            graft("new", name, "--classes", 10, "-o", cls.networks[name])

    def export(self, name, *options):
        path = self.base / f"{name}{''.join(options)}.onnx"
        graft("export", self.networks[name], *options, "-o", path, "--quiet")
        onnx.checker.check_model(str(path), full_check=True)
        return path

    def infer(self, model, x):
        np.save(self.base / "x.npy", x)
        graft("infer", model, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
        return np.load(self.base / "y.npy")

    def assert_same(self, got, expected, tolerance):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)
        k = min(5, expected.shape[1])
        np.testing.assert_array_equal(np.sort(np.argsort(-got, 1)[:, :k]), np.sort(np.argsort(-expected, 1)[:, :k]))

    def test_float32_and_float16_files_in_batches(self):
        random = np.random.default_rng(1)
        for name in self.networks:
            for options in ((), ("--fp16",), ("--external-data",)):
                path = self.export(name, *options)
                for batch in (1, 3):
                    with self.subTest(network=name, options=options, batch=batch):
                        side = session(path).get_inputs()[0].shape[2]
                        x = random.standard_normal((batch, 3, side, side), dtype=np.float32)
                        feed = {session(path).get_inputs()[0].name: x}
                        expected = self.infer(path, x)
                        for run in (runtime_run, openvino_run):
                            self.assert_same(run(path, feed), expected, 1e-4)
            full, half = (self.base / f"{name}{o}.onnx" for o in ("", "--fp16"))
            self.assertLess(half.stat().st_size, 0.62 * full.stat().st_size)

    def pictures(self):
        """Wide, tall, smaller than the crop, and of exactly its size."""
        whole = Image.open(next((self.data / "val" / "heart").iterdir()))
        for size in ((130, 90), (90, 301), (50, 40), (64, 64), (640, 480)):
            path = self.base / f"picture_{size[0]}x{size[1]}.png"
            whole.resize(size).save(path)
            yield path

    def test_preprocessing_inside_gives_what_classify_gives(self):
        preprocessing = json.loads({p.key: p.value for p in onnx.load(self.run_folder / "model.onnx").metadata_props}["graft.preprocessing"])
        variants = {"rgb": [], "bgr": ["--preprocess", "caffe"], "no-resize": ["--resize", "0"]}
        for name, options in variants.items():
            path = self.base / f"whole-{name}.onnx"
            graft("export", self.run_folder, "--with-preprocessing", *options, "-o", path, "--quiet")
            onnx.checker.check_model(str(path), full_check=True)
            for picture in self.pictures():
                with self.subTest(variant=name, picture=picture.name):
                    line = json.loads(graft("extract", self.run_folder / "model.onnx", picture, *options, "--layer", "head", "-o", self.base / "s.npy", "--quiet", "--json").stdout)
                    self.assertEqual(line["skipped"] if "skipped" in line else 0, 0)
                    expected = np.load(self.base / "s.npy").reshape(1, -1)
                    pixels = np.asarray(Image.open(picture).convert("RGB"))[None]
                    scores = runtime_run(path, {"picture": pixels})
                    scale = np.abs(expected).max()
                    # One grey level here and there, where eight-bit weights round otherwise than float32.
                    np.testing.assert_allclose(scores, expected, rtol=0, atol=0.02 * scale)
                    self.assertEqual(scores.argmax(), expected.argmax())
                    # A sum that ends on half a grey level falls to either side, by its order of addition.
                    np.testing.assert_allclose(openvino_run(path, {"picture": pixels}), scores, rtol=0, atol=2e-3 * scale)
                    np.testing.assert_allclose(self.infer(path, pixels), scores, rtol=0, atol=2e-3 * scale)
        self.assertEqual(preprocessing["crop"], [64, 64])

    def test_preprocessing_inside_takes_batches_and_grey_networks(self):
        graft("new", "lenet5", "-o", self.base / "lenet5.onnx")
        graft("export", self.base / "lenet5.onnx", "--with-preprocessing", "-o", self.base / "lenet5-whole.onnx", "--quiet")
        pixels = np.random.default_rng(2).integers(0, 256, (3, 70, 50, 3), dtype=np.uint8)
        scores = runtime_run(self.base / "lenet5-whole.onnx", {"picture": pixels})
        self.assertEqual(scores.shape, (3, 10))
        for i in range(3):
            Image.fromarray(pixels[i]).save(self.base / "grey.png")
            graft("extract", self.base / "lenet5.onnx", self.base / "grey.png", "--layer", "output", "-o", self.base / "s.npy", "--quiet")
            np.testing.assert_allclose(scores[i], np.load(self.base / "s.npy").reshape(-1), rtol=0, atol=0.02 * np.abs(scores).max())

    def test_pixels_inside_the_graph_equal_pillows_to_a_grey_level(self):
        """A network that only hands its input on shows the picture that it would see."""
        identity = self.base / "identity.onnx"
        value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 3, 56, 56])
        graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["x"], ["y"])], "g", [value("x")], [value("y")])
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), identity)
        (self.base / "plain.json").write_text(json.dumps({"resize": 64, "crop": [56, 56], "colour": "rgb", "scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}))
        graft("export", identity, "--with-preprocessing", "--preprocess", self.base / "plain.json", "-o", self.base / "pixels.onnx", "--quiet")
        for picture in self.pictures():
            if "50x40" in picture.name or "64x64" in picture.name:
                continue  # Pillow's reference does not enlarge for the crop
            seen = runtime_run(self.base / "pixels.onnx", {"picture": np.asarray(Image.open(picture).convert("RGB"))[None]})
            reference = pillow_pixels(picture, 64, 56).transpose(2, 0, 1)[None].astype(np.float32)
            self.assertLessEqual(np.abs(seen - reference).max(), 1, picture.name)

    def test_every_interpolation_inside_the_graph_is_graft_own(self):
        network = pixel_network(self.base / "seen.onnx", 56, 56)
        for options in (["nearest"], ["bicubic"], ["lanczos"], ["bilinear", "--fit", "squash"]):
            how = ["--preprocess", "unit", "--resize", 64, "--interpolation", *options]
            graft("export", network, "--with-preprocessing", *how, "-o", self.base / "inside.onnx", "--quiet")
            for picture in self.pictures():
                with self.subTest(options=options, picture=picture.name):
                    graft("extract", network, picture, "--layer", "same", *how, "-o", self.base / "s.npy", "--quiet")
                    seen = runtime_run(self.base / "inside.onnx", {"picture": np.asarray(Image.open(picture).convert("RGB"))[None]})
                    difference = np.abs(seen.reshape(-1) - np.load(self.base / "s.npy").reshape(-1)) * 255
                    if options == ["nearest"]:  # a pixel's middle between two others falls to either
                        self.assertLess((difference > 0.5).mean(), 0.05)
                    else:
                        self.assertLess(difference.max(), 1.5)
        refused = graft("export", network, "--with-preprocessing", "--preprocess", "unit", "--fit", "letterbox", "-o", self.base / "no.onnx", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("letterboxed pictures cannot be made inside the graph", refused.stderr)

    def test_metadata_survives_and_a_written_file_reads_as_the_same_graph(self):
        first = self.export("tuned")
        again = self.base / "again.onnx"
        graft("export", first, "-o", again, "--quiet")
        self.assertEqual(first.read_bytes(), again.read_bytes())
        properties = {p.key: p.value for p in onnx.load(again).metadata_props}
        self.assertEqual(json.loads(properties["graft.labels"]), sorted(p.name for p in (self.data / "train").iterdir()))
        self.assertIn("graft.preprocessing", properties)
        self.assertTrue(graft_json("inspect", first, "--diff", again)["same"])
        inside = self.base / "whole-again.onnx"
        graft("export", self.run_folder, "--with-preprocessing", "-o", inside, "--quiet")
        # graft runs such a file as the model that it was made of, with the same pictures and answers.
        for command in (["classify", self.data / "val" / "heart"], ["evaluate", self.data]):
            whole, plain = (graft_json(command[0], model, *command[1:]) for model in (inside, self.run_folder / "model.onnx"))
            for said in (whole, plain):
                said.pop("notes")
            self.assertEqual(whole.keys(), plain.keys())
            for one, other in zip(whole.get("results", []), plain.get("results", []), strict=True):
                self.assertEqual((one["path"], one["label"]), (other["path"], other["label"]))
                self.assertAlmostEqual(one["score"], other["score"], places=5)
        self.assertAlmostEqual(whole["loss"], plain["loss"], places=5)

    def test_an_export_can_end_in_probabilities(self):
        plain, probabilities = self.base / "scores.onnx", self.base / "probabilities.onnx"
        graft("export", self.run_folder, "-o", plain, "--quiet")
        graft("export", self.run_folder, "-o", probabilities, "--softmax", "--quiet")
        x = np.random.default_rng(2).standard_normal((3, 3, 64, 64)).astype(np.float32)
        scores, found = (session(path).run(None, {session(path).get_inputs()[0].name: x})[0] for path in (plain, probabilities))
        expected = np.exp(scores - scores.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)
        self.assertLess(np.abs(found - expected).max(), 1e-6)
        answers = [graft_json("classify", path, self.data / "val" / "heart")["results"] for path in (plain, probabilities)]
        for one, other in zip(*answers, strict=True):
            self.assertEqual(one["label"], other["label"])
            self.assertAlmostEqual(one["score"], other["score"], places=5)
        for arguments, said in (((probabilities, "-o", self.base / "twice.onnx", "--softmax"), "ends in probabilities already"), ((plain, "-o", self.base / "model.pb"), "does not end in .onnx")):
            refused = graft("export", *arguments, check=False)
            self.assertIn(refused.returncode, (1, 2))
            self.assertIn(said, refused.stderr)


if __name__ == "__main__":
    unittest.main()
