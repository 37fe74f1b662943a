"""One training step of ResNet-18: every parameter's gradient against PyTorch's (computed in double precision), to 1e-3."""
import json
import os
import pathlib
import subprocess
import unittest

import numpy as np

from parity.gradient_case import FIXTURE, batch, open_model, summary
from support import GRAFT, scratch

TOOL = os.environ.get("GRAFT_GRADIENTS", str(pathlib.Path(GRAFT).parent / "tests" / "graft_gradients"))


class PyTorchGradients(unittest.TestCase):
    def test_resnet18(self):
        import onnx
        with scratch() as name:
            base = pathlib.Path(name)
            onnx.save(open_model(), base / "m.onnx")
            fixture = json.loads(FIXTURE.read_text())
            x, seed = batch(fixture["seed"])
            np.save(base / "x.npy", x)
            np.save(base / "seed.npy", seed)
            subprocess.run([TOOL, base / "m.onnx", base / "x.npy", base / "seed.npy", base / "g.npz"], check=True)
            gradients, expected = np.load(base / "g.npz"), fixture["gradients"]
            self.assertEqual(set(gradients.files), set(expected))
            self.assertEqual(len(expected), 62)
            for parameter, wanted in expected.items():
                got = summary(parameter, gradients[parameter])
                self.assertLess(abs(got["norm"] - wanted["norm"]) / wanted["norm"], 1e-3, parameter)
                for a, b in zip(got["products"], wanted["products"]):
                    self.assertLess(abs(a - b) / wanted["norm"], 1e-3, parameter)


if __name__ == "__main__":
    unittest.main()
