"""`graft check`: what is wrong with a set of labelled pictures."""
import csv
import json
import shutil
import unittest

from PIL import Image

from support import BUNDLED, ScratchTest, graft, graft_json


class Check(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = cls.base / "data"
        graft("generate", cls.data, "--set", "demo", "--train", 24, "--val", 6, "--side", 96, "--quiet")

    def findings(self, *options, data=None):
        report = graft("check", data or self.data, "--json", "--quiet", *options, check=False)
        self.assertIn(report.returncode, (0, 3), report.stderr)
        return json.loads(report.stdout)

    def copied(self, name):
        shutil.copytree(self.data, self.base / name)
        return self.base / name

    def test_copies_leaks_contradictions_and_broken_files_are_found(self):
        data = self.copied("spoilt")
        classes = sorted(p.name for p in (data / "train").iterdir())
        first, second, third, fourth = sorted((data / "train" / classes[0]).iterdir())[:4]
        shutil.copy(first, first.with_name("copy.png"))
        Image.open(second).convert("RGB").resize((80, 80)).save(second.with_name("smaller.jpg"), quality=90)
        shutil.copy(third, data / "val" / classes[0] / "leaked.png")
        shutil.copy(fourth, data / "train" / classes[1] / "contradicts.png")
        (data / "train" / classes[0] / "broken.png").write_bytes(first.read_bytes()[:200])
        (data / "train" / classes[0] / "notes.txt").write_text("text")
        report = self.findings("--fix-list", self.base / "fix.csv", "--html", self.base / "page.html", data=data)
        kinds = {f["path"].rsplit("/", 1)[-1]: f["kind"] for f in report["findings"]}
        partners = {f.get("other", "").rsplit("/", 1)[-1]: f["kind"] for f in report["findings"]}
        found = {**partners, **kinds}
        self.assertEqual(found["copy.png"], "duplicate")
        self.assertEqual(found["smaller.jpg"], "near-duplicate")
        self.assertEqual(found["leaked.png"], "leak")
        self.assertEqual(found["contradicts.png"], "two-classes")
        self.assertEqual(found["broken.png"], "unreadable")
        self.assertEqual(len(report["unreadable"]), 1)
        self.assertEqual(len(report["not_pictures"]), 1)
        rows = list(csv.DictReader((self.base / "fix.csv").read_text().splitlines()))
        self.assertEqual(len(rows), len(report["findings"]))
        page = (self.base / "page.html").read_text()
        self.assertIn("data:image/jpeg;base64,", page)
        self.assertNotIn("http", page)  # nothing is fetched
        text = graft("check", data, "--quiet", check=False)
        self.assertEqual(text.returncode, 3)
        self.assertIn("The same picture in two classes (1)", text.stdout)

    def test_wrong_labels_are_found_by_a_models_features(self):
        data = self.copied("mislabelled")
        classes = sorted(p.name for p in (data / "train").iterdir())
        moved = []
        for i, name in enumerate(classes):
            picture = sorted((data / "train" / name).iterdir())[5]
            target = data / "train" / classes[(i + 1) % len(classes)] / f"moved_{name}.png"
            picture.rename(target)
            moved.append(target.name)
        report = self.findings("--model", BUNDLED, data=data)
        doubts = [f["path"].rsplit("/", 1)[-1] for f in report["findings"] if f["kind"] == "label"]
        most = doubts[:max(len(moved), report["pictures"] // 10)]
        self.assertGreaterEqual(len(set(moved) & set(most)), 0.8 * len(moved), doubts)

    def test_a_good_set_is_said_to_be_one(self):
        self.assertIn("nothing found that needs to be looked at", graft("check", self.data, "--quiet").stdout)
        self.assertEqual(self.findings()["findings"], [])


if __name__ == "__main__":
    unittest.main()
