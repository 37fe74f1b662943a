"""Every transform against what others compute: Pillow's Image.transform, ImageEnhance, ImageOps and JPEG, and NumPy."""
import colorsys
import io
import itertools
import math
import os
import pathlib
import subprocess

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from support import GRAFT, ScratchTest
from parity.test_pillow import noisy_picture

TOOL = str(pathlib.Path(GRAFT).parent / "tests" / "graft_transforms")
FILL = (10, 200, 90)


def pixels(image):
    return np.asarray(image).astype(float)


def bilinear(image, xs, ys):
    """The picture at continuous places, pixel centres at halves; FILL outside. In double precision."""
    source = pixels(image)
    height, width = source.shape[:2]
    inside = (xs >= 0) & (xs < width) & (ys >= 0) & (ys < height)
    x, y = np.where(inside, xs, 0) - 0.5, np.where(inside, ys, 0) - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    at = lambda dx, dy: source[np.clip(top + dy, 0, height - 1), np.clip(left + dx, 0, width - 1)]
    value = (at(0, 0) * (1 - fx) + at(1, 0) * fx) * (1 - fy) + (at(0, 1) * (1 - fx) + at(1, 1) * fx) * fy
    return np.where(inside[..., None], value, np.array(FILL, float))


def about_centre(matrix, width, height):
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = (-width / 2, -height / 2), (width / 2, height / 2)
    return back @ matrix @ to


def turned(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


class Transforms(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.picture = noisy_picture(np.random.default_rng(3), 201, 157)
        cls.picture.save(cls.base / "picture.png")

    def results(self, commands, picture="picture.png", **environment):
        """{name: command} → {name: what it makes of the picture}"""
        lines = "".join(f"{self.base / name}.png {command}\n" for name, command in commands.items())
        subprocess.run([TOOL, str(self.base / picture)], input=lines, text=True, check=True, capture_output=True, env={**os.environ, **environment})
        return {name: pixels(Image.open(self.base / f"{name}.png")) for name in commands}

    def compare(self, found, expected, most=1.0, **what):
        with self.subTest(**what):
            self.assertEqual(found.shape, expected.shape)
            self.assertLessEqual(np.abs(found - expected).max(), most)

    def test_movements_equal_pillows(self):
        w, h = self.picture.size
        shear = np.array([[1, math.tan(math.radians(8)), 0], [math.tan(math.radians(-5)), 1, 0], [0, 0, 1]])
        matrices = {"moved": np.array([[1, 0, 12.25], [0, 1, -7.5], [0, 0, 1]]), "turned": about_centre(turned(17), w, h),
                    "upside": about_centre(turned(180), w, h), "slanted": about_centre(shear, w, h), "magnified": about_centre(np.diag([0.6, 0.45, 1]), w, h),
                    "perspective": np.array([[0.9, 0.05, 4], [-0.04, 0.95, 6], [4e-4, -3e-4, 1]])}
        found = self.results({name: "warp " + " ".join(map(repr, m.ravel().tolist())) for name, m in matrices.items()})
        for name, m in matrices.items():
            expected = self.picture.transform((w, h), Image.PERSPECTIVE, tuple((m / m[2, 2]).ravel()[:8]), Image.BILINEAR, fillcolor=FILL)
            # A place within rounding of the border may fall to either side of it.
            border = np.abs(found[name] - pixels(expected)).max(-1) > 1
            self.assertLessEqual(border.mean(), 2e-4, name)

    def test_movements_one_after_the_other_are_sampled_once(self):
        w, h = self.picture.size
        first, second = about_centre(turned(30), w, h), about_centre(turned(-30), w, h)
        numbers = [" ".join(map(repr, m.ravel().tolist())) for m in (first, second)]
        same = self.results({"there_and_back": "warp " + " ".join(numbers)})["there_and_back"]
        self.compare(same, pixels(self.picture))  # nothing was lost on the way, not even the corners

    def test_lens_distortion_is_brown_s(self):
        w, h = self.picture.size
        for k1, k2 in ((0.2, 0.05), (-0.25, 0), (0, -0.1)):
            y, x = np.mgrid[0:h, 0:w] + 0.5
            dx, dy = x - w / 2, y - h / 2
            r2 = (dx**2 + dy**2) / (w**2 / 4 + h**2 / 4)
            factor = 1 + k1 * r2 + k2 * r2**2
            expected = bilinear(self.picture, w / 2 + dx * factor, h / 2 + dy * factor)
            found = self.results({"lens": f"lens {k1} {k2}"})["lens"]
            outside = np.abs(found - expected).max(-1) > 1.5
            self.assertLessEqual(outside.mean(), 2e-4, (k1, k2))

    def test_smaller_pictures_are_averages(self):
        w, h = self.picture.size
        for scale in (1.7, 3.4, 5.3, 9.1):
            m = about_centre(turned(20) @ np.diag([scale, scale, 1]), w, h)
            found = self.results({"small": "warp " + " ".join(map(repr, m.ravel().tolist()))})["small"]
            steps = (np.arange(16) + 0.5) / 16
            expected = np.zeros_like(found)
            for sy, sx in itertools.product(steps, steps):
                y, x = np.mgrid[0:h, 0:w]
                xs, ys = x + sx, y + sy
                expected += bilinear(self.picture, m[0, 0] * xs + m[0, 1] * ys + m[0, 2], m[1, 0] * xs + m[1, 1] * ys + m[1, 2]) / 256
            inside = np.abs(expected - FILL).max(-1) > 20  # where no border is averaged in
            self.assertLess(np.abs(found - expected)[inside].mean(), 3.0, scale)
            aliased = pixels(self.picture.transform((w, h), Image.AFFINE, tuple(m.ravel()[:6]), Image.BILINEAR, fillcolor=FILL))
            self.assertLess(np.abs(found - expected)[inside].mean(), np.abs(aliased - expected)[inside].mean() / 3, scale)

    def test_tones_are_pillows_to_the_bit(self):
        enhancers = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color,
                     "sharpness": ImageEnhance.Sharpness}
        commands = {f"{name}_{factor}": f"tone {name} {factor}" for name in enhancers for factor in (0.1, 0.75, 1.9)}
        for key, found in self.results(commands).items():
            name, factor = key.split("_")
            self.compare(found, pixels(enhancers[name](self.picture).enhance(float(factor))), most=0, tone=key)

    def test_hue_turns_as_colorsys_has_it(self):
        for turns in (0.25, -0.4):
            exact = np.array([colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value) for hue, saturation, value in
                              (colorsys.rgb_to_hsv(*p) for p in pixels(self.picture).reshape(-1, 3) / 255)]).reshape(157, 201, 3) * 255
            self.compare(self.results({"hue": f"tone hue {turns}"})["hue"], exact, most=0.51, turns=turns)

    def test_tables_of_colours_are_pillows_to_the_bit(self):
        dark = self.picture.point(lambda v: 40 + v // 3)
        dark.save(self.base / "dark.png")
        expected = {"posterize:bits=3": ImageOps.posterize(dark, 3), "solarize:threshold=90": ImageOps.solarize(dark, 90), "autocontrast": ImageOps.autocontrast(dark),
                    "equalize": ImageOps.equalize(dark), "gray": dark.convert("L").convert("RGB")}
        found = self.results({name.split(":")[0]: f"transform {name}:probability=1 1" for name in expected}, "dark.png")
        for name, image in expected.items():
            self.compare(found[name.split(":")[0]], pixels(image), most=0, transform=name)

    def test_jpeg_is_libjpegs(self):
        for quality in (10, 60, 95):
            file = io.BytesIO()
            self.picture.save(file, "JPEG", quality=quality)
            found = self.results({"jpeg": f"transform jpeg:low={quality}:high={quality}:probability=1 1"})["jpeg"]
            self.compare(found, pixels(Image.open(file)), quality=quality)

    def test_blur_is_a_gaussian(self):
        for sigma in (0.5, 1.5, 3):
            reach = math.ceil(3 * sigma)
            weights = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * sigma**2))
            weights /= weights.sum()
            expected = pixels(self.picture)
            for axis in (0, 1):
                padded = np.pad(expected, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="reflect")
                expected = sum(wt * np.take(padded, range(i, i + expected.shape[axis]), axis) for i, wt in enumerate(weights))
            found = self.results({"blur": f"transform blur:low={sigma}:high={sigma}:probability=1 1"})["blur"]
            self.compare(found, expected, most=1.5, sigma=sigma)

    def test_noise_is_normal(self):
        Image.new("RGB", (201, 157), (128, 128, 128)).save(self.base / "grey.png")
        found = self.results({f"noise{key}": f"transform noise:sigma=0.2:probability=1 {key}" for key in range(6)}, "grey.png")
        strengths = []
        for values in found.values():
            noise = values - 128
            strength = noise.std()
            strengths.append(strength)
            self.assertLess(np.abs(noise.mean()), 4 * strength / math.sqrt(noise.size) + 0.1)
            inside = np.abs(noise) <= strength
            self.assertAlmostEqual(inside.mean(), 0.6827, delta=0.05 if strength > 8 else 0.3)
            self.assertLess(np.abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]), 0.02)
        self.assertLessEqual(max(strengths), 0.2 * 255 + 1)
        self.assertGreater(max(strengths) - min(strengths), 3)

    def test_erasing_paints_one_rectangle(self):
        before, areas = pixels(self.picture), []
        for key in range(12):
            found = self.results({"erased": f"transform erase:smallest=0.1:largest=0.3:probability=1 {key}"})["erased"]
            changed = (found != before).any(-1) | (found == FILL).all(-1)
            rows, columns = np.where(changed.any(1))[0], np.where(changed.any(0))[0]
            self.assertTrue(changed[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].all())
            self.assertTrue((found[changed] == FILL).all())
            areas.append(changed.mean())
        self.assertGreater(min(areas), 0.08)
        self.assertLess(max(areas), 0.32)

    def test_random_movements_stay_in_their_range(self):
        """A ramp tells from where each pixel came."""
        w, h = 200, 160
        y, x = np.mgrid[0:h, 0:w]
        Image.fromarray(np.stack([x, y, np.full_like(x, 60)], -1).astype(np.uint8)).save(self.base / "ramp.png")
        middle = (slice(70, 90), slice(90, 110))
        angles, shifts = [], []
        for key in range(30):
            found = self.results({"rotated": f"transform rotate:degrees=25 {key}", "moved": f"transform translate:x=0.1:y=0.2 {key}"}, "ramp.png")
            part = found["rotated"][middle]
            across = np.gradient(part[..., 0], axis=1).mean(), np.gradient(part[..., 1], axis=1).mean()
            angles.append(math.degrees(math.atan2(across[1], across[0])))
            self.assertAlmostEqual(math.hypot(*across), 1, delta=0.03)
            shifts.append((found["moved"][middle][..., :2] - np.stack([x, y], -1)[middle]).mean((0, 1)))
        self.assertLessEqual(max(map(abs, angles)), 26)
        self.assertGreater(max(angles), 12)
        self.assertLess(min(angles), -12)
        most = np.abs(shifts).max(0)
        self.assertTrue(12 < most[0] <= 20.5 and 18 < most[1] <= 32.5, most)

    def test_instruction_sets_give_the_same_bits(self):
        texts = ["crop", "resized-crop", "rotate:degrees=180", "perspective:probability=1", "lens", "stretch:most=6", "color-jitter", "noise:probability=1",
                 "sharpness:probability=1", "gray:probability=1", "equalize:probability=1", "resized-crop,shear,flip,color-jitter,erase,pca-lighting"]
        commands = {f"{i}_{key}": f"transform {text} {key}" for i, text in enumerate(texts) for key in range(4)}
        best = self.results(commands)
        for cap in ("SSE41", "AVX2"):
            for name, found in self.results(commands, ONEDNN_MAX_CPU_ISA=cap).items():
                self.compare(found, best[name], most=0, transform=commands[name], cap=cap)
