"""Real pretrained networks on real pictures; skipped, visibly, where the data folder is absent."""
import json
import pathlib
import unittest

import numpy as np

from support import DATA, graft, imagenet_input, needs_data, pillow_pixels, scratch, session, unpacked


@needs_data
class RealData(unittest.TestCase):
    def setUp(self):
        self.folder = scratch()
        self.base = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def test_ants_and_bees_reach_96_percent(self):
        report = graft("finetune", DATA / "models/mobilenet_v2_trunk.onnx", DATA / "hymenoptera", "-o", self.base / "run", "--preprocess", "tf", "--json", "--quiet", check=False)
        self.assertEqual(report.returncode, 0, report.stderr)
        result = json.loads(report.stdout)
        self.assertGreaterEqual(result["best_val_top1"], 0.96)
        self.assertEqual(len(result["unreadable"]) + len(result["not_pictures"]), 0)  # its GIF is a picture, of a text

    def test_cifar_networks_agree_with_onnx_runtime_picture_by_picture(self):
        for name in ("cifar10_resnet20", "cifar10_resnet56"):
            model = DATA / "models" / f"{name}.onnx"
            lines = [json.loads(l) for l in graft("classify", model, DATA / "cifar10-sample/test", "--format", "jsonl", "--quiet", "--preprocess", "imagenet").stdout.splitlines()]
            self.assertEqual(len(lines), 1000)
            runtime = session(model)
            decoded = {l["path"]: imagenet_input(pillow_pixels(l["path"], 0, 32)) for l in lines}
            expected = runtime.run(None, {runtime.get_inputs()[0].name: np.concatenate([decoded[l["path"]] for l in lines])})[0].argmax(1)
            self.assertEqual([l["index"] for l in lines], expected.tolist())

    def test_resnet50_names_imagenet_pictures_as_onnx_runtime_does(self):
        model = unpacked() / "models/resnet50_v1_pruned.onnx"
        lines = [json.loads(l) for l in graft("classify", model, DATA / "imagenet-sample", "--format", "jsonl", "--quiet", "--preprocess", "imagenet").stdout.splitlines()]
        self.assertEqual(len(lines), 200)
        truth = [int(pathlib.Path(l["path"]).name[:3]) for l in lines]
        top1 = sum(l["index"] == t for l, t in zip(lines, truth))
        top5 = sum(t in [e["index"] for e in l["top"]] for l, t in zip(lines, truth))
        self.assertGreaterEqual(top1, 170)
        self.assertGreaterEqual(top5, 192)
        runtime = session(model)
        same = 0
        for line in lines:
            scores = runtime.run(None, {runtime.get_inputs()[0].name: imagenet_input(pillow_pixels(line["path"], 256, 224))})[0]
            same += scores.argmax() == line["index"]
        self.assertEqual(same, len(lines))

    def test_resnet50_golden_features(self):
        folder = unpacked() / "models"
        graft_features = self.base / "pool.npy"
        import onnx  # to cut the network at its pooled features
        model = onnx.load(folder / "resnet50_v1_pruned.onnx")
        output = next(n.output[0] for n in model.graph.node if n.op_type == "GlobalAveragePool")
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["N", 2048, 1, 1]))
        onnx.save(model, self.base / "cut.onnx")
        graft("infer", self.base / "cut.onnx", "--input", folder / "resnet50_golden_input.npy", "--output", graft_features)
        golden, got = np.load(folder / "resnet50_golden_pool.npy").ravel(), np.load(graft_features).ravel()
        self.assertLess(np.abs(got - golden).max(), 1e-5)

    def test_every_broken_onnx_file_ends_in_a_model_or_one_line(self):
        for path in sorted((unpacked() / "odd-onnx").iterdir()):
            with self.subTest(path.name):
                done = graft("inspect", path, "--json", check=False)
                if done.returncode == 0:
                    json.loads(done.stdout)
                else:
                    self.assertEqual(done.returncode, 1, done.stderr[-300:])
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr[-600:])
                    self.assertTrue(done.stderr.startswith("graft: error: "))

    def test_every_odd_picture_ends_in_a_picture_or_one_line(self):
        done = graft("classify", DATA / "models/cifar10_resnet20.onnx", *sorted(p for p in (DATA / "odd-images").rglob("*") if p.is_file()), "--format", "jsonl", "--quiet", "--preprocess", "imagenet", check=False)
        self.assertEqual(done.returncode, 3)
        lines = [json.loads(l) for l in done.stdout.splitlines()]
        self.assertEqual(len(lines), sum(p.is_file() for p in (DATA / "odd-images").rglob("*")))
        self.assertGreater(sum("label" in l for l in lines), 20)

    def test_exif_orientations_end_upright(self):
        for kind in ("Landscape", "Portrait"):
            graft("extract", DATA / "models/cifar10_resnet20.onnx", *[DATA / f"odd-images/exif/{kind}_{i}.jpg" for i in range(1, 9)], "-o", self.base / "f.npy", "--quiet", "--preprocess", "imagenet")
            features = np.load(self.base / "f.npy")
            for row in features[1:]:
                self.assertGreater(np.corrcoef(row, features[0])[0, 1], 0.95)


if __name__ == "__main__":
    unittest.main()
