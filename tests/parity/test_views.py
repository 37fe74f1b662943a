"""Views at test time against crops that Pillow makes: --views of classify, evaluate and extract."""
import json

import numpy as np
from PIL import Image, ImageOps

from parity.test_pillow import noisy_picture
from support import ScratchTest, graft, pixel_network

CROP = 48


class Views(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.network = pixel_network(cls.base / "same.onnx", CROP, CROP)
        cls.pictures = {}
        random = np.random.default_rng(5)
        for w, h in ((100, 75), (64, 90), (48, 48)):
            cls.pictures[cls.base / f"{w}x{h}.png"] = noisy_picture(random, w, h)
        for path, image in cls.pictures.items():
            image.save(path)

    def seen(self, views, *more):
        """Mean of the views of each picture, as pixels: the network hands its input on."""
        graft("extract", self.network, *self.pictures, "-o", self.base / "f.npy", "--layer", "same", "--preprocess", "unit", "--resize", 56, "--quiet",
              "--views", views, *more)
        return np.load(self.base / "f.npy").reshape(-1, 3, CROP, CROP).transpose(0, 2, 3, 1) * 255

    @staticmethod
    def crops(image, side, corners):
        w, h = (side * n // min(image.size) for n in image.size)
        image = image.resize((w, h), Image.BILINEAR)
        places = [(round((w - CROP) / 2), round((h - CROP) / 2))]
        if corners:
            places = [(0, 0), (w - CROP, 0), (0, h - CROP), (w - CROP, h - CROP)] + places
        return [image.crop((x, y, x + CROP, y + CROP)) for x, y in places]

    def check(self, views, sides, corners, mirrored):
        for found, image in zip(self.seen(views), self.pictures.values()):
            crops = [crop for side in sides for crop in self.crops(image, side, corners)]
            if mirrored:
                crops += [ImageOps.mirror(crop) for crop in crops]
            expected = np.mean([np.asarray(crop).astype(float) for crop in crops], axis=0)
            with self.subTest(views=views, size=image.size):
                self.assertLessEqual(np.abs(found - expected).max(), 1.001)

    def test_views_are_torchvisions_crops(self):
        self.check("center", [56], False, False)
        self.check("flip", [56], False, True)
        self.check("five-crop", [56], True, False)
        self.check("ten-crop", [56], True, True)

    def test_sides_are_those_that_are_given(self):
        self.check("center:60", [60], False, False)
        self.check("five-crop:50:64", [50, 64], True, False)
        self.check("multi-scale", [55, 62, 69, 75], False, True)  # 256, 288, 320, 352 for crops of 224

    def test_wrong_views_are_named(self):
        for views, text in (("six-crop", "is no views"), ("ten-crop:20", "needs sides from 48"), ("ten-crop:", "ends without a side"), ("ten-crop:x", "needs sides")):
            done = graft("extract", self.network, *self.pictures, "-o", self.base / "g.npy", "--preprocess", "unit", "--views", views, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"--views: \"{views}\" {text}", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        done = graft("extract", self.network, *self.pictures, "-o", self.base / "g.npy", "--preprocess", "unit", "--views", "ten-crop", "--fit", "letterbox", check=False)
        self.assertIn("letterboxed pictures are whole", done.stderr)
        self.assertFalse((self.base / "g.npy").exists())
