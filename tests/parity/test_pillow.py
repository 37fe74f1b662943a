"""graft's pictures against Pillow's: the evaluation view, to one grey level."""
import pathlib
import unittest

import numpy as np
from PIL import Image

from support import graft, pillow_pixels, pixel_network, scratch

RESAMPLING = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}


def noisy_picture(random, width, height):
    smooth = Image.fromarray(random.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    noise = random.integers(-30, 30, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(smooth).astype(int) + noise, 0, 255).astype(np.uint8))


def letterboxed(image, side, filter, bars):
    """All of it inside side × side, its size rounded to whole pixels."""
    scale = side / max(image.size)
    inside = image.resize([max(1, int(n * scale + 0.5)) for n in image.size], filter)
    whole = Image.new("RGB", (side, side), bars)
    whole.paste(inside, ((side - inside.width) // 2, (side - inside.height) // 2))
    return whole


class Pillow(unittest.TestCase):
    def test_resize_and_crop_equal_pillow_to_one_grey_level(self):
        with scratch() as name:
            base = pathlib.Path(name)
            pixel_network(base / "same.onnx", 224, 224)
            rng = np.random.default_rng(1)
            for w, h in ((500, 375), (375, 500), (640, 480), (1023, 517), (256, 256), (100, 80), (224, 224)):
                noisy_picture(rng, w, h).save(base / f"{w}x{h}.png")
            paths = sorted(base.glob("*.png"))
            graft("extract", base / "same.onnx", *paths, "-o", base / "f.npy", "--layer", "same", "--preprocess", "unit", "--quiet")
            for path, row in zip(paths, np.load(base / "f.npy")):
                seen = np.rint(row.reshape(3, 224, 224) * 255).transpose(1, 2, 0)
                difference = np.abs(seen - pillow_pixels(path, 256, 224).astype(float)).max()
                self.assertLessEqual(difference, 1, path.name)

    def test_every_interpolation_and_fit_equals_pillow(self):
        random = np.random.default_rng(2)
        bars = (10, 200, 90)
        with scratch() as name:
            base = pathlib.Path(name)
            network = pixel_network(base / "same.onnx", 96, 96)
            pictures = {base / f"{w}x{h}.png": noisy_picture(random, w, h) for w, h in ((250, 187), (131, 330), (120, 40), (96, 96), (1, 700))}
            for path, image in pictures.items():
                image.save(path)
            for kind, filter in RESAMPLING.items():
                for fit in ("crop", "squash", "letterbox"):
                    graft("extract", network, *pictures, "-o", base / "f.npy", "--layer", "same", "--preprocess", "unit", "--resize", 110, "--quiet",
                          "--interpolation", kind, "--fit", fit, "--background", ",".join(map(str, bars)))
                    for (path, image), row in zip(pictures.items(), np.load(base / "f.npy")):
                        with self.subTest(interpolation=kind, fit=fit, picture=path.name):
                            if fit == "letterbox":
                                expected = letterboxed(image, 96, filter, bars)
                            elif fit == "squash":
                                expected = image.resize((110, 110), filter).crop((7, 7, 103, 103))
                            else:
                                w, h = (110 * n // min(image.size) for n in image.size)
                                left, top = round((w - 96) / 2), round((h - 96) / 2)
                                expected = image.resize((w, h), filter).crop((left, top, left + 96, top + 96))
                            seen = np.rint(row.reshape(3, 96, 96) * 255).transpose(1, 2, 0)
                            self.assertLessEqual(np.abs(seen - np.asarray(expected).astype(float)).max(), 1)


if __name__ == "__main__":
    unittest.main()
