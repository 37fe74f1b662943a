"""The one step whose gradients graft and PyTorch both compute: ResNet-18 in training mode on a seeded batch."""
import pathlib
import zlib

import numpy as np

SKELETON = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "torchvision" / "resnet18_train.onnx.gz"
FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "resnet18_gradients.json"


def batch(seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((4, 3, 64, 64), dtype=np.float32), rng.standard_normal((4, 1000), dtype=np.float32) / 100


def open_model():
    """The network with its weights, and its picture's sides left open."""
    from parity.weights import filled
    model = filled(SKELETON)
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "side"
    return model


def summary(name, gradient):
    """What the fixture keeps of a gradient: its norm, and its products with eight seeded directions."""
    flat = gradient.astype(np.float64).ravel()
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    directions = rng.standard_normal((8, flat.size), dtype=np.float32)
    return {"norm": float(np.linalg.norm(flat)), "products": [float(d.astype(np.float64) @ flat) for d in directions]}
