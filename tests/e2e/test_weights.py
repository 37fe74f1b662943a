"""graft new --weights: networks from nothing, filled from safetensors files as PyTorch's users have them."""
import json
import struct
import unittest

import numpy as np
import onnx
from onnx import numpy_helper

from support import ScratchTest, graft, session

random = np.random.default_rng(11)


def write_safetensors(path, tensors, half=False):
    """The format: the header's length, the header, the data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, values in tensors.items():
        raw = (values.astype(np.float16) if half and values.dtype == np.float32 else values).tobytes()
        kind = "I64" if values.dtype == np.int64 else "F16" if half else "F32"
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Weights(ScratchTest):
    def new(self, name, *more):
        path = self.base / f"{name}.onnx"
        done = graft("new", name, "-o", path, "--classes", 10, "--seed", 3, "--json", *more)
        return path, done

    def parameters(self, path):
        return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer if t.data_type == 1 and len(t.dims) > 0}

    def test_weights_carry_over_by_name(self):
        for name in ("vit-tiny-16", "efficientnet-b0", "shufflenet-v2-0.5"):
            with self.subTest(name):
                path, _ = self.new(name)
                wanted = {n: random.standard_normal(v.shape).astype(np.float32) * 0.05 + (1 if n.endswith("running_var") else 0)
                          for n, v in self.parameters(path).items() if not n.endswith(".mask")}
                for half in (False, True):
                    write_safetensors(self.base / "w.safetensors", {**wanted, "features.0.1.num_batches_tracked": np.array(5, np.int64)}, half)
                    path, done = self.new(name, "--weights", self.base / "w.safetensors")
                    report = json.loads(done.stdout)["weights"]
                    self.assertEqual((report["missing"], report["unused"], report["taken"]), ([], [], len(wanted)))
                    for n, v in self.parameters(path).items():
                        if n in wanted:
                            np.testing.assert_array_equal(v, wanted[n].astype(np.float16).astype(np.float32) if half else wanted[n], n)
                x = random.standard_normal((2, 3, 224, 224)).astype(np.float32)
                np.save(self.base / "x.npy", x)
                graft("infer", path, "--input", self.base / "x.npy", "--output", self.base / "y.npy")
                peer = session(path)
                expected = peer.run(None, {peer.get_inputs()[0].name: x})[0]
                self.assertLess(np.abs(np.load(self.base / "y.npy") - expected).max(), 1e-4 * np.abs(expected).max())

    def test_a_resnet_takes_torchvisions_names(self):
        names = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (10, 512), "fc.bias": (10,)}

        def norm(name, n):
            names.update({f"{name}.{part}": (n,) for part in ("weight", "bias", "running_mean", "running_var")})

        norm("bn1", 64)
        for layer, n in enumerate((64, 128, 256, 512), 1):
            for block in range(2):
                into = n if block or layer == 1 else n // 2
                for k, width in ((1, into), (2, n)):
                    names[f"layer{layer}.{block}.conv{k}.weight"] = (n, width, 3, 3)
                    norm(f"layer{layer}.{block}.bn{k}", n)
                if into != n:
                    names[f"layer{layer}.{block}.downsample.0.weight"] = (n, into, 1, 1)
                    norm(f"layer{layer}.{block}.downsample.1", n)
        tensors = {n: random.random(s).astype(np.float32) for n, s in names.items()}
        write_safetensors(self.base / "w.safetensors", tensors)
        _, done = self.new("resnet-18", "--weights", self.base / "w.safetensors")
        report = json.loads(done.stdout)["weights"]
        self.assertEqual((report["taken"], report["missing"], report["unused"]), (len(names), [], []))
        # What a file lacks stays as it was drawn, which a line and the exit status say.
        del tensors["layer1.1.bn1.running_var"]
        write_safetensors(self.base / "w.safetensors", tensors)
        done = graft("new", "resnet-18", "-o", self.base / "r.onnx", "--classes", 10, "--weights", self.base / "w.safetensors", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertIn("stay as they were drawn: layer1.1.bn1.running_var", done.stderr)

    def test_another_number_of_classes_keeps_the_head(self):
        path, _ = self.new("shufflenet-v2-0.5")
        wanted = self.parameters(path)
        wanted["fc.weight"], wanted["fc.bias"] = np.zeros((1000, 1024), np.float32), np.zeros(1000, np.float32)
        write_safetensors(self.base / "w.safetensors", wanted)
        _, done = self.new("shufflenet-v2-0.5", "--weights", self.base / "w.safetensors")
        self.assertEqual(len(json.loads(done.stdout)["weights"]["other_shapes"]), 2)
        self.assertIn("1000×1024, not 10×1024", done.stderr)

    def test_files_that_do_not_fit(self):
        path = self.base / "w.safetensors"
        write_safetensors(path, {"conv_proj.weight": np.zeros((3, 3), np.float32)})
        for content, said in ((path.read_bytes(), "none of the weights"), (path.read_bytes()[:-8], "truncated"), (b"PK\3\4 a zip", "safetensors format"),
                              (struct.pack("<Q", 1 << 60) + b"{}", "safetensors format"), (b"", "safetensors format")):
            path.write_bytes(content)
            done = graft("new", "vit-tiny-16", "-o", self.base / "never.onnx", "--weights", path, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)
            self.assertFalse((self.base / "never.onnx").exists())
        write_safetensors(path, {"pos_embed": np.zeros((1, 50, 192), np.float32)})
        self.assertIn("1×50×192, not 1×197×192", graft("new", "vit-tiny-16", "-o", self.base / "never.onnx", "--weights", path, check=False).stderr)


if __name__ == "__main__":
    unittest.main()
