"""How pictures are varied and looked at: --augment, --views, preview and bench --data."""
import json
import pathlib
import re

import numpy as np

from support import BUNDLED, ScratchTest, graft, graft_json

MIX = """
[[transform]]
name = "resized-crop"
smallest = 0.4

[[transform]]
chance = 0.7
some = [1, 2]
of = [
  {name = "rotate", degrees = 20, weight = 2},
  {name = "color-jitter", hue = 0.1},
  {of = [{name = "blur"}, {name = "noise"}]},
]
"""


class Augmentation(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--train", 6)
        (cls.base / "mix.toml").write_text(MIX)

    def train(self, augment, out, *more):
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / out, "--augment", augment, "--epochs", 2, "--freeze", "none", "--overwrite", "--no-report", "--quiet", *more)
        return (self.base / out / "model.onnx").read_bytes()

    def test_a_file_of_transforms_trains_and_is_kept(self):
        self.train(self.base / "mix.toml", "mix")
        self.assertEqual((self.base / "mix" / "augment.toml").read_text(), MIX)

    def test_threads_change_no_pixel(self):
        for augment in ("rand", self.base / "mix.toml"):
            one, two = (self.train(augment, f"threads{n}", "--threads", n) for n in (1, 2))
            self.assertEqual(one, two)

    def test_every_recipe_trains(self):
        names = re.findall(r"(?<![\w.-])[\w-]+(?= \|)", re.search(r"--augment.*?transforms separated", graft("finetune", "--help").stdout, re.S)[0])
        self.assertIn("bn-accelerated", names)
        for name in names:
            graft("preview", self.pictures, "-o", self.base / "r.png", "--augment", name, "--crop", 48, "--pictures", 2, "--views", 2)
        for name in ("trivial", "inception"):
            self.train(name, name)

    def test_help_tells_recipes(self):
        self.assertIn("strong: resized-crop,flip,color-jitter,pca-lighting", graft("help", "transform").stdout)
        self.assertIn("trivialaugment", graft("help", "transform", "trivial").stdout)

    def test_a_file_that_is_called_like_a_transform_is_none(self):
        (self.base / "flip").write_text("a file")
        graft("preview", self.pictures, "-o", "flipped.png", "--augment", "flip", "--pictures", 1, "--views", 1, cwd=self.base)

    def test_a_wrong_file_ends_in_one_line(self):
        (self.base / "bad.toml").write_text('[[transform]]\nname = "rotate"\ndegrees = 500\n')
        done = graft("finetune", BUNDLED, self.pictures, "-o", self.base / "bad", "--augment", self.base / "bad.toml", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bad.toml:3: ", done.stderr)
        self.assertIn("degrees", done.stderr)
        self.assertFalse((self.base / "bad" / "model.onnx").exists())
        done = graft("finetune", BUNDLED, self.pictures, "-o", self.base / "bad", "--augment", "none.toml", check=False)
        self.assertIn("none.toml: cannot be read", done.stderr)

    def test_preview_refuses_in_one_line(self):
        picture = next(self.pictures.rglob("*.*g"))
        before = picture.read_bytes()
        for arguments, text in ((["-o", "s.png", "--augment", "flip:probability=2"], "probability"), (["-o", "s.png", "--augment", "RandomHorizontalFlip"], "unknown transform"),
                                (["-o", "s.png", "--augment", "a/long/path/of/nothing.toml"], "cannot be read"), (["-o", "s.gif"], ".html, .png or .jpg"),
                                (["-o", picture], "is one of the pictures"), (["-o", "s.png", "--pictures", 50, "--views", 50, "--crop", 2048], "over 100 megapixels")):
            done = graft("preview", self.pictures, *arguments, check=False, cwd=self.base)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn(text, done.stderr)
        self.assertEqual(picture.read_bytes(), before)
        self.assertEqual(graft("preview", self.pictures, "-o", "s.png", "--all", "--each", check=False).returncode, 2)

    def test_preview_takes_what_has_no_labels(self):
        flat = self.base / "flat"
        flat.mkdir()
        for i, picture in enumerate([*self.pictures.rglob("*.*g")][:3]):
            (flat / f"{i}{picture.suffix}").write_bytes(picture.read_bytes())
        (flat / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
        done = graft("preview", flat, "-o", self.base / "flat.html", "--json", "--fit", "letterbox", "--background", "#102030", "--model", BUNDLED, check=False)
        result = json.loads(done.stdout)
        self.assertEqual((done.returncode, result["pictures"], len(result["unreadable"])), (3, 3, 1))
        (self.base / "values.csv").write_text("path,size\n" + "".join(f"flat/{i}{picture.suffix},{i}.5\n" for i, picture in enumerate([*self.pictures.rglob("*.*g")][:3])))
        graft("preview", self.base / "values.csv", "-o", self.base / "values.png")
        self.assertGreater(graft_json("bench", "--data", self.base / "values.csv", "--seconds", 0.2)["training"]["images_per_s"], 0)

    def test_without_a_crop_pictures_are_cut_as_for_evaluation(self):
        done = graft("finetune", BUNDLED, self.pictures, "-o", self.base / "uncropped", "--augment", "rotate", "--epochs", 1, "--freeze", "none")
        self.assertIn("nothing that always crops", done.stderr)

    def test_a_run_is_repeated_from_what_it_kept(self):
        file = self.base / "kept.toml"
        file.write_text(MIX)
        first = self.train(file, "kept", "--seed", 3)
        file.unlink()
        graft("finetune", "--config", self.base / "kept" / "config.toml", "-o", self.base / "again", "--quiet")
        self.assertEqual((self.base / "again" / "model.onnx").read_bytes(), first)
        self.train("default", "kept")
        self.assertFalse((self.base / "kept" / "augment.toml").exists())

    def test_another_file_is_another_run(self):
        file = self.base / "changing.toml"
        file.write_text('[[transform]]\nname = "resized-crop"\n')
        arguments = ("finetune", BUNDLED, self.pictures, "-o", self.base / "resumed", "--augment", file, "--epochs", 2, "--freeze", "none", "--quiet")
        graft(*arguments)
        file.write_text('[[transform]]\nname = "crop"\n')
        done = graft(*arguments, "--resume", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_views_are_averaged_and_told(self):
        model = self.base / "viewed" / "model.onnx"
        self.train("default", "viewed")
        plain, ten = (graft_json("evaluate", model, self.pictures, *more) for more in ([], ["--views", "ten-crop:72"]))
        self.assertEqual((plain["views"], ten["views"]), ("center", "ten-crop:72"))
        self.assertNotEqual(plain["loss"], ten["loss"])
        picture = next(self.pictures.rglob("*.*g"))
        lines = [json.loads(graft("classify", model, picture, "--format", "jsonl", "--quiet", *more).stdout) for more in ([], ["--views", "flip"], ["--views", "center"])]
        self.assertNotEqual(lines[0]["score"], lines[1]["score"])
        self.assertAlmostEqual(lines[0]["score"], lines[2]["score"], places=5)
        for views in ("flip", "five-crop"):
            one, many = ([*self.pictures.rglob("*.*g")][:n] for n in (1, 5))
            for paths, out in ((one, "one.npy"), (many, "many.npy")):
                graft("extract", model, *paths, "-o", self.base / out, "--views", views, "--quiet")
            np.testing.assert_allclose(np.load(self.base / "one.npy")[0], np.load(self.base / "many.npy")[0], rtol=1e-4, atol=1e-5)

    def test_preview_shows_each_transform_with_its_settings(self):
        page, sheet = self.base / "sheet.html", self.base / "sheet.png"
        for output in (page, sheet):
            graft("preview", self.pictures, "-o", output, "--augment", self.base / "mix.toml", "--each", "--crop", 48, "--pictures", 2, "--views", 3)
        html = page.read_text()
        for text in ("degrees = 20 degrees", "smallest = 0.4", "hue = 0.1 turns", "<th scope=\"col\">noise alone", "as evaluation sees it"):
            self.assertIn(text, html)
        self.assertEqual(html.count("<img"), 2 * (1 + 5 + 3))
        self.assertNotRegex(html, r"(src|href)=\"(?!data:)")
        self.assertEqual(sheet.read_bytes()[:4], b"\x89PNG")
        graft("preview", self.pictures, "-o", page, "--all", "--crop", 32, "--pictures", 1)
        listed = re.findall(r"^  ([a-z-]+):?", graft("help", "transform").stdout.split("Recipes of")[0], re.M)
        self.assertGreater(len(listed), 20)
        for name in ("trivialaugment", "lens", "jpeg", "equalize"):
            self.assertIn(f">{name} alone<", page.read_text())
        self.assertGreaterEqual(page.read_text().count("<th scope=\"col\""), len(listed))

    def test_bench_tells_the_stages_of_loading(self):
        result = graft_json("bench", "--data", self.pictures, "--seconds", 0.4, "--threads", 2)
        for kind in ("evaluation", "training"):
            for key in ("read_s", "decode_s", "transform_s", "floats_s", "images_per_s"):
                self.assertGreater(result[kind][key], 0)
        self.assertEqual(graft("bench", check=False).returncode, 2)
        done = graft("bench", "--data", self.base / "nowhere", check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
