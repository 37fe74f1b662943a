"""What the program's tests share: running graft, finding the real data, reference preprocessing."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
GRAFT = os.environ.get("GRAFT", str(ROOT / "build/release/graft"))
DATA = ROOT.parent / "shared" / "data"
os.environ.setdefault("GRAFT_DISK_CACHE", "off")  # no run finds what another kept, unless a test says so
BUNDLED = ROOT / "models" / "bundled" / "graft-small.onnx"


def graft(*args, check=True, **more):
    """Runs the program; returns the finished process with text output."""
    done = subprocess.run([GRAFT, *map(str, args)], capture_output=True, text=True, timeout=1500, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"graft {' '.join(map(str, args))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done


def graft_json(*args):
    return json.loads(graft(*args, "--json", "--quiet").stdout)


def needs_data(test):
    return unittest.skipUnless(DATA.is_dir(), "the real data folder is not here")(test)


def unpacked():
    """The packed real models, unpacked once below build/."""
    folder = ROOT / "build" / "shared-data"
    folder.parent.mkdir(exist_ok=True)
    subprocess.run([str(DATA / "unpack"), str(folder)], check=True, capture_output=True)
    return folder


def scratch():
    return tempfile.TemporaryDirectory(prefix="graft_test_")


class ScratchTest(unittest.TestCase):
    """Tests that share a temporary folder, `base`."""
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch()
        cls.base = pathlib.Path(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()


class PictureTest(ScratchTest):
    """With a small set of pictures, `pictures`, and one of them, `picture`."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 4, "--val", 3, "--quiet")
        cls.picture = next((cls.pictures / "val").rglob("*.png"))


def session(path):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def pixel_network(path, width, height):
    """Writes a network that gives its input back, so that what is extracted is what a network sees. Returns the path."""
    import onnx
    from onnx import TensorProto, helper
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, height, width])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"], name="same")], "g", [value("x")], [value("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pillow_pixels(path, resize, crop):
    """Decoded by Pillow, short side to `resize`, centre crop: uint8 H×W×3, as torchvision does it."""
    import numpy as np
    from PIL import Image, ImageOps
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if image.size != (crop, crop) and resize:
        w, h = image.size
        size = (resize, int(resize * h / w)) if w <= h else (int(resize * w / h), resize)
        if image.size != size:
            image = image.resize(size, Image.BILINEAR)
        left, top = round((image.size[0] - crop) / 2.0), round((image.size[1] - crop) / 2.0)
        image = image.crop((left, top, left + crop, top + crop))
    return np.asarray(image)


def imagenet_input(pixels):
    import numpy as np
    x = (pixels.astype(np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return x.transpose(2, 0, 1)[None].astype(np.float32)
