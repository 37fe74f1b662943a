"""torchvision's networks, as both of its exporters write them, against ONNX Runtime: batch 1 and 5, to 1e-4."""
import pathlib
import unittest

import numpy as np

from parity.weights import filled
from support import graft, scratch, session

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "torchvision"


class OnnxRuntime(unittest.TestCase):
    def test_every_network_and_exporter(self):
        import onnx
        paths = sorted(FIXTURES.glob("*_script.onnx.gz")) + sorted(FIXTURES.glob("*_dynamo.onnx.gz"))
        self.assertGreaterEqual(len(paths), 46)
        for path in paths:
            with self.subTest(path.name), scratch() as name:
                base = pathlib.Path(name)
                onnx.save(filled(path), base / "m.onnx")
                graft("export", base / "m.onnx", "-o", base / "written.onnx", "--quiet")
                runtime, written = session(base / "m.onnx"), session(base / "written.onnx")
                side = 299 if path.name.startswith("inception_v3") else 224
                for batch in (1, 5):
                    x = np.random.default_rng(batch).standard_normal((batch, 3, side, side), dtype=np.float32)
                    np.save(base / "x.npy", x)
                    graft("infer", base / "m.onnx", "--input", base / "x.npy", "--output", base / "y.npy")
                    expected = runtime.run(None, {runtime.get_inputs()[0].name: x})[0]
                    got, again = np.load(base / "y.npy"), written.run(None, {written.get_inputs()[0].name: x})[0]
                    scale = float(np.abs(expected).max())
                    self.assertGreater(scale, 1e-9)
                    self.assertLess(np.abs(got - expected).max() / scale, 1e-4)
                    self.assertLess(np.abs(again - expected).max() / scale, 1e-4)


if __name__ == "__main__":
    unittest.main()
