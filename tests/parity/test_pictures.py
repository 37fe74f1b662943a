"""Every picture format that is read, against Pillow: pixels, orientation, profiles, and what is refused."""
import io
import json
import unittest

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from support import ScratchTest, graft, pixel_network

pillow_heif.register_heif_opener()
WIDTH, HEIGHT = 96, 64


def scene():
    """Smooth colours with some noise: what lossy formats are made for."""
    random = np.random.default_rng(3)
    small = Image.fromarray(random.integers(0, 256, (9, 13, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((WIDTH, HEIGHT), Image.BICUBIC)).astype(int)
    return Image.fromarray(np.clip(pixels + random.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8))


def with_alpha(image):
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    return image


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def text_pnm(image, kind):
    numbers = np.asarray(image).ravel()
    body = "".join("01"[int(n == 0)] for n in numbers) if kind == "P1" else " ".join(map(str, numbers))
    depth = "" if kind == "P1" else "255\n"
    return f"{kind} # a comment\n{image.width} {image.height}\n{depth}{body}\n".encode()


def run_length_bmp(image):
    """BI_RLE8, as Pillow reads but does not write it: runs, plain stretches with padding, ends of lines."""
    image = image.convert("P")
    body = b""
    for row in np.asarray(image)[::-1]:
        at = 0
        while at < len(row):
            stretch = row[at:at + 5]
            if len(stretch) >= 3:
                body += bytes([0, len(stretch)]) + stretch.tobytes() + b"\0" * (len(stretch) % 2)
            else:
                body += b"".join(bytes([1, v]) for v in stretch)
            at += len(stretch)
        body += b"\0\0"
    body += b"\0\1"
    palette = np.zeros((256, 4), np.uint8)
    colours = np.frombuffer(bytes(image.getpalette()), np.uint8).reshape(-1, 3)
    palette[:len(colours), :3] = colours[:, ::-1]
    offset = 14 + 40 + 1024
    word = lambda v, n=4: int(v).to_bytes(n, "little")
    header = b"BM" + word(offset + len(body)) + word(0) + word(offset)
    info = word(40) + word(image.width) + word(image.height) + word(1, 2) + word(8, 2) + word(1) + word(len(body)) + word(0) * 2 + word(256) * 2
    return header + info + palette.tobytes() + body


def formats():
    """name → (bytes, tolerance in grey levels)"""
    image = scene()
    grey, palette, bits = image.convert("L"), image.convert("P", palette=Image.ADAPTIVE), image.convert("1")
    alpha = with_alpha(image)
    turned = Image.Exif()
    turned[274] = 6
    others = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    made = {
        "baseline.jpg": saved(image, "JPEG", quality=90), "progressive.jpg": saved(image, "JPEG", progressive=True),
        "grey.jpg": saved(grey, "JPEG"), "full_chroma.jpg": saved(image, "JPEG", subsampling=0), "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "restarts.jpg": saved(image, "JPEG", restart_marker_blocks=2),
        "rgb.png": saved(image, "PNG"), "alpha.png": saved(alpha, "PNG"), "grey.png": saved(grey, "PNG"), "grey_alpha.png": saved(alpha.convert("LA"), "PNG"),
        "palette.png": saved(palette, "PNG"), "palette_transparent.png": saved(palette, "PNG", transparency=3), "bits.png": saved(bits, "PNG"),
        "grey_transparent.png": saved(grey, "PNG", transparency=100), "animated.png": saved(image, "PNG", **others),
        "lossy.webp": saved(image, "WEBP"), "lossless.webp": saved(image, "WEBP", lossless=True), "alpha.webp": saved(alpha, "WEBP"), "animated.webp": saved(image, "WEBP", **others),
        "palette.gif": saved(palette, "GIF"), "interlaced.gif": saved(image, "GIF", interlace=True), "animated.gif": saved(image, "GIF", **others), "transparent.gif": saved(alpha, "GIF"),
        "lzw.tif": saved(image, "TIFF", compression="tiff_lzw"), "deflate.tif": saved(image, "TIFF", compression="tiff_deflate"), "jpeg.tif": saved(image, "TIFF", compression="jpeg"),
        "fax.tif": saved(bits, "TIFF", compression="group4"), "palette.tif": saved(palette, "TIFF", compression="packbits"), "cmyk.tif": saved(image.convert("CMYK"), "TIFF"),
        "alpha.tif": saved(alpha, "TIFF"), "grey.tif": saved(grey, "TIFF"),
        "rgb.bmp": saved(image, "BMP"), "palette.bmp": saved(palette, "BMP"), "bits.bmp": saved(bits, "BMP"), "alpha.bmp": saved(alpha, "BMP"), "runs.bmp": run_length_bmp(image),
        "binary.ppm": saved(image, "PPM"), "binary.pgm": saved(grey, "PPM"), "binary.pbm": saved(bits, "PPM"),
        "text.ppm": text_pnm(image, "P3"), "text.pgm": text_pnm(grey, "P2"), "text.pbm": text_pnm(bits, "P1"),
        **{f"turned.{kind}": saved(image, name, exif=turned) for kind, name in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"))},
    }
    made = {name: (data, 0) for name, data in made.items()}
    for name in ("baseline.jpg", "alpha.png", "lossy.webp", "palette.gif", "lzw.tif", "rgb.bmp"):
        made["trailing_" + name] = (made[name][0] + b"\0more than the picture\xff\xd9" * 500, 0)
    # What a phone's motion photo holds behind the picture is a film.
    made["named_otherwise.png"] = made["baseline.jpg"]
    made["photo.heic"] = (saved(image, "HEIF", quality=90), 2)
    made["turned.avif"] = (saved(image, "AVIF", exif=turned, subsampling="4:4:4"), 3)
    return made


class Pictures(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.networks = {}

    def pixels(self, path, width, height, *options):
        """What a network sees of a file that has its size: H×W×3."""
        if (width, height) not in self.networks:
            self.networks[width, height] = pixel_network(self.base / f"{width}x{height}.onnx", width, height)
        (self.base / "plain.json").write_text(json.dumps({"resize": 0, "colour": "rgb", "scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}))
        done = graft("extract", self.networks[width, height], path, "--layer", "same", "-o", self.base / "f.npy", "--preprocess", self.base / "plain.json", "--quiet", *options, check=False)
        self.assertEqual(done.returncode, 0, f"{path}: {done.stderr}")
        return np.load(self.base / "f.npy").reshape(3, height, width).transpose(1, 2, 0)

    def test_every_format_gives_pillows_pixels(self):
        for name, (data, tolerance) in formats().items():
            with self.subTest(name):
                path = self.base / name
                path.write_bytes(data)
                with Image.open(path) as opened:
                    expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(float)
                height, width = expected.shape[:2]
                self.assertEqual((width, height), (HEIGHT, WIDTH) if "turned" in name else (WIDTH, HEIGHT))
                self.assertLessEqual(np.abs(self.pixels(path, width, height) - expected).max(), tolerance)

    def test_all_orientations_of_all_containers(self):
        image = scene()
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[274] = orientation
            for kind, name in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
                with self.subTest(orientation=orientation, kind=kind):
                    path = self.base / f"orientation{orientation}.{kind}"
                    path.write_bytes(saved(image, name, exif=exif))
                    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(float)
                    np.testing.assert_array_equal(self.pixels(path, expected.shape[1], expected.shape[0]), expected)

    def test_sixteen_bits_keep_their_upper_half(self):
        levels = (np.asarray(scene().convert("L")).astype(np.uint16) << 8) + 77
        for kind, name in (("png", "PNG"), ("tif", "TIFF"), ("pgm", "PPM")):
            with self.subTest(kind):
                path = self.base / f"deep.{kind}"
                Image.fromarray(levels.astype(np.int32) if kind == "pgm" else levels).save(path, name)
                self.assertLessEqual(np.abs(self.pixels(path, WIDTH, HEIGHT)[..., 0] - (levels >> 8)).max(), 1)

    def test_a_background_shows_through(self):
        path = self.base / "over.png"
        alpha = with_alpha(scene())
        alpha.save(path)
        for text, colour in (("#ffffff", (255, 255, 255)), ("10,200,30", (10, 200, 30))):
            over = Image.new("RGBA", alpha.size, colour + (255,))
            over.alpha_composite(alpha)
            expected = np.asarray(over.convert("RGB")).astype(float)
            self.assertLessEqual(np.abs(self.pixels(path, WIDTH, HEIGHT, "--background", text) - expected).max(), 1)

    def test_profiles_become_srgb(self):
        image = scene()
        # sRGB's own primaries in another order: a profile that visibly moves colours.
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        swapped = bytearray(srgb.tobytes())
        tags = {bytes(swapped[132 + 12 * i:136 + 12 * i]): 132 + 12 * i for i in range(int.from_bytes(swapped[128:132], "big"))}
        red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
        swapped[red + 4:red + 12], swapped[blue + 4:blue + 12] = swapped[blue + 4:blue + 12], swapped[red + 4:red + 12]
        profile = ImageCms.ImageCmsProfile(io.BytesIO(bytes(swapped)))
        expected = np.asarray(ImageCms.profileToProfile(image, profile, srgb, ImageCms.Intent.PERCEPTUAL)).astype(float)
        self.assertGreater(np.abs(expected - np.asarray(image)).max(), 50)
        for kind, name, options in (("png", "PNG", {}), ("tif", "TIFF", {}), ("webp", "WEBP", {"lossless": True})):
            with self.subTest(kind):
                path = self.base / f"profile.{kind}"
                path.write_bytes(saved(image, name, icc_profile=bytes(swapped), **options))
                self.assertLessEqual(np.abs(self.pixels(path, WIDTH, HEIGHT) - expected).max(), 1)
                np.testing.assert_array_equal(self.pixels(path, WIDTH, HEIGHT, "--icc", "off"), np.asarray(image))
                path.write_bytes(saved(image, name, icc_profile=srgb.tobytes(), **options))
                np.testing.assert_array_equal(self.pixels(path, WIDTH, HEIGHT), np.asarray(image))

    def test_what_cannot_be_read_is_named_with_the_reason(self):
        image = scene()
        half = lambda data: data[:len(data) // 2]
        noise = bytes(np.random.default_rng(5).integers(0, 256, 4000, dtype=np.uint8))
        png = bytearray(saved(image, "PNG"))
        png[60] ^= 0xff
        cases = {
            "half.jpg": (half(saved(image, "JPEG")), "is truncated"), "half_progressive.jpg": (half(saved(image, "JPEG", progressive=True)), "is truncated"),
            "half.png": (half(saved(image, "PNG")), "is truncated"), "half.webp": (half(saved(image, "WEBP")), "is truncated"), "half.gif": (half(saved(image, "GIF")), "is truncated"),
            "half.bmp": (half(saved(image, "BMP")), "is truncated"), "half.ppm": (half(saved(image, "PPM")), "is truncated"), "half.pgm": (half(text_pnm(image.convert("L"), "P2")), "is truncated"),
            "half.heic": (half(saved(image, "HEIF")), "is truncated"), "half.tif": (half(saved(image, "TIFF", compression="tiff_lzw")), "cannot be decoded"),
            "damaged.png": (bytes(png), "cannot be decoded"), "empty.jpg": (b"", "is empty"), "noise.jpg": (noise, "is not a JPEG"),
            "marker.jpg": (b"\xff\xd8\xff" + noise, None), "bomb.png": (saved(Image.new("1", (20000, 20000)), "PNG"), "over the limit of 200 megapixels"),
            "twelve_bits.jpg": (saved(image, "JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "12 bits a channel"),
            "float.tif": (saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"), "floating-point"),
        }
        network = pixel_network(self.base / "any.onnx", WIDTH, HEIGHT)
        for name, (data, reason) in cases.items():
            with self.subTest(name):
                (self.base / name).write_bytes(data)
                done = graft("classify", network, self.base / name, "--preprocess", "unit", "--format", "jsonl", check=False)
                self.assertEqual(done.returncode, 3, done.stderr)
                error = json.loads(done.stdout)["error"]
                self.assertEqual(error.count(name), 1)
                if reason:
                    self.assertIn(reason, error)

    def test_a_jpeg_comes_at_a_part_of_its_size_where_that_suffices(self):
        """8 by 8 pixels of a large JPEG are decoded as one where the network sees less than that of them."""
        small = scene()
        large = small.resize((WIDTH * 16, HEIGHT * 16), Image.BICUBIC)
        path = self.base / "large.jpg"
        large.save(path, quality=95)
        network = pixel_network(self.base / "crop.onnx", 56, 56)
        seen = {}
        for options in ((), ("--exact-decode",)):
            graft("extract", network, path, "--layer", "same", "-o", self.base / "f.npy", "--preprocess", "unit", "--quiet", *options)
            seen[options] = np.load(self.base / "f.npy").reshape(3, 56, 56) * 255
        image = Image.open(path).convert("RGB").resize((96, 64), Image.BILINEAR)
        exact = np.asarray(image.crop((20, 4, 76, 60))).transpose(2, 0, 1).astype(float)
        self.assertLessEqual(np.abs(seen["--exact-decode",] - exact).max(), 1)
        difference = np.abs(seen[()] - exact)
        self.assertGreater(difference.max(), 0)
        self.assertLess(difference.mean(), 1.5)


if __name__ == "__main__":
    unittest.main()
