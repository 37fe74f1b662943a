"""--head prototype: each class by the mean of its pictures, from one picture a class on."""
import shutil
import unittest

import numpy as np

from support import BUNDLED, ScratchTest, graft, graft_json


class PrototypeHead(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 6, "--val", 5, "--quiet")
        cls.classes = sorted(path.name for path in (cls.pictures / "train").iterdir())

    def few(self, count):
        """The same with so many training pictures a class."""
        folder = self.base / f"few{count}"
        shutil.copytree(self.pictures / "val", folder / "val")
        for name in self.classes:
            (folder / "train" / name).mkdir(parents=True)
            for path in sorted((self.pictures / "train" / name).iterdir())[:count]:
                shutil.copy(path, folder / "train" / name)
        return folder

    def test_a_picture_has_the_class_of_the_nearest_mean(self):
        run = self.base / "run"
        told = graft_json("finetune", BUNDLED, self.pictures, "-o", run, "--head", "prototype", "--preprocess", "imagenet", "--no-report")
        rows, labels = {}, {}
        for part in ("train", "val"):
            graft("extract", BUNDLED, self.pictures / part, "-o", self.base / f"{part}.npz", "--preprocess", "imagenet", "--quiet")
            archive = np.load(self.base / f"{part}.npz", allow_pickle=False)
            rows[part], labels[part] = archive["features"].astype(np.float64), archive["labels"]
        mean, deviation = rows["train"].mean(0), rows["train"].std(0)
        scale = np.where(deviation > 0, 1 / np.sqrt(np.maximum(deviation, 1e-30) * np.sqrt((deviation ** 2).mean())), 0)
        train, val = (rows["train"] - mean) * scale, (rows["val"] - mean) * scale
        means = np.stack([train[labels["train"] == c].mean(0) for c in range(len(self.classes))])
        nearest = ((val[:, None] - means) ** 2).sum(2).argmin(1)
        self.assertAlmostEqual(told["best_val_top1"], (nearest == labels["val"]).mean(), places=6)
        self.assertEqual(told["recipe"]["epochs"], 0)

    def test_one_picture_a_class_is_enough(self):
        run = self.base / "one"
        done = graft("finetune", BUNDLED, self.few(1), "-o", run, "--head", "prototype", "--preprocess", "imagenet", "--no-report")
        self.assertIn("how sure the model is, is a guess", done.stderr + done.stdout)
        answers = graft_json("classify", run, self.pictures / "val")["results"]
        right = sum(f"/{answer['label']}/" in answer["path"] for answer in answers)
        self.assertGreater(right / len(answers), 2 / len(self.classes))  # twice as good as chance
        self.assertTrue(all(0 < answer["score"] < 1 for answer in answers))

    def test_nothing_of_a_training_goes_with_it(self):
        for words in (["--epochs", 3], ["--freeze", "none"], ["--auto", 5]):
            done = graft("finetune", BUNDLED, self.pictures, "-o", self.base / "none", "--head", "prototype", *words, check=False)
            self.assertEqual((done.returncode == 0, "which nothing trains" in done.stderr), (False, True), done.stderr)
            self.assertFalse((self.base / "none").exists())


if __name__ == "__main__":
    unittest.main()
