"""graft's pictures against Pillow's: the evaluation view, to one grey level."""
import pathlib
import unittest

import numpy as np
from PIL import Image

from support import graft, imagenet_input, pillow_pixels, scratch, session


class Pillow(unittest.TestCase):
    def test_resize_and_crop_equal_pillow_to_one_grey_level(self):
        import onnx
        from onnx import TensorProto, helper
        with scratch() as name:
            base = pathlib.Path(name)
            # A network that gives its input back, so that extract shows what the network sees.
            graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"], name="same")], "g",
                                      [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 224, 224])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 224, 224])])
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), base / "same.onnx")
            rng = np.random.default_rng(1)
            for w, h in ((500, 375), (375, 500), (640, 480), (1023, 517), (256, 256), (100, 80), (224, 224)):
                smooth = Image.fromarray(rng.integers(0, 256, (h // 8 + 1, w // 8 + 1, 3), dtype=np.uint8)).resize((w, h), Image.BICUBIC)
                noisy = np.clip(np.asarray(smooth).astype(int) + rng.integers(-30, 30, (h, w, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(base / f"{w}x{h}.png")
            paths = sorted(base.glob("*.png"))
            graft("extract", base / "same.onnx", *paths, "-o", base / "f.npy", "--layer", "same", "--preprocess", "unit", "--quiet")
            for path, row in zip(paths, np.load(base / "f.npy")):
                seen = np.rint(row.reshape(3, 224, 224) * 255).transpose(1, 2, 0)
                difference = np.abs(seen - pillow_pixels(path, 256, 224).astype(float)).max()
                self.assertLessEqual(difference, 1, path.name)


if __name__ == "__main__":
    unittest.main()
