"""graft index and find: the nearest pictures are those whose features are, whatever asks."""
import csv
import io
import json
import unittest

import numpy as np

from support import BUNDLED, PictureTest, graft, graft_json


class Find(PictureTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.features, cls.index = cls.base / "features.npz", cls.base / "pictures.index"
        graft("extract", BUNDLED, cls.pictures / "train", "-o", cls.features, "--quiet")
        cls.told = graft_json("index", cls.features, "-o", cls.index)

    def test_the_nearest_are_those_of_the_features(self):
        self.assertEqual((self.told["pictures"], self.told["bytes"]), (24, self.index.stat().st_size))
        arrays = np.load(self.features)
        rows = arrays["features"] / np.linalg.norm(arrays["features"], axis=1, keepdims=True)
        told = graft_json("find", BUNDLED, self.pictures / "val", "--in", self.index, "--count", 4)
        self.assertEqual((told["pictures"], told["indexed"]), (18, 24))
        graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "val.npz", "--quiet")
        own = np.load(self.base / "val.npz")
        for path, row, result in zip(own["paths"], own["features"], told["results"]):
            self.assertEqual(result["path"], path)
            cosines = rows @ row / np.linalg.norm(row)
            best = np.argsort(-cosines)[:4]
            self.assertEqual([n["path"] for n in result["neighbours"]], list(arrays["paths"][best]))
            np.testing.assert_allclose([n["similarity"] for n in result["neighbours"]], cosines[best], atol=1e-4)
            self.assertEqual(result["neighbours"][0]["label"], result["neighbours"][0]["path"].split("/")[-2])

    def test_a_picture_of_the_index_finds_itself(self):
        picture = next((self.pictures / "train").rglob("*.png"))
        done = graft("find", BUNDLED, picture, "--in", self.index, "--count", 2)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], str(picture))
        self.assertIn(f"1.000  {picture}  ({picture.parent.name})", lines[1])
        rows = list(csv.DictReader(io.StringIO(graft("find", BUNDLED, picture, "--in", self.index, "--format", "csv").stdout)))
        self.assertEqual([row["rank"] for row in rows], ["1", "2", "3", "4", "5"])
        self.assertEqual(rows[0]["path"], str(picture))
        line = json.loads(graft("find", BUNDLED, picture, "--in", self.index, "--format", "jsonl").stdout)
        self.assertEqual(line["neighbours"][0]["path"], str(picture))

    def test_the_index_says_how_its_pictures_were_prepared(self):
        other, index = self.base / "other.npz", self.base / "other.index"
        graft("extract", BUNDLED, self.pictures / "train", "-o", other, "--preprocess", "tf", "--layer", "pool", "--quiet")
        graft("index", other, "-o", index, "--quiet")
        picture = next((self.pictures / "train").rglob("*.png"))
        told = graft_json("find", BUNDLED, picture, "--in", index, "--count", 1)
        self.assertAlmostEqual(told["results"][0]["neighbours"][0]["similarity"], 1, places=4)
        refused = graft("find", BUNDLED, picture, "--in", index, "--preprocess", "unit", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("was made with another preprocessing", refused.stderr)

    def test_other_networks_and_other_files_are_refused(self):
        picture = next((self.pictures / "train").rglob("*.png"))
        run = self.base / "run"
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--freeze", "none", "--epochs", 1, "--no-report", "--quiet")
        for arguments, said in (((run, picture, "--in", self.index), "is of another network (\"graft-small.onnx\")"), ((BUNDLED, picture, "--in", self.features), "is no index"),
                                ((BUNDLED, picture, "--in", self.base / "none"), "cannot be opened")):
            refused = graft("find", *arguments, check=False)
            self.assertEqual(refused.returncode, 1, refused.stderr)
            self.assertIn(said, refused.stderr)
        unread = graft("find", BUNDLED, self.base / "nothing.png", "--in", self.index, "--json", check=False)
        self.assertEqual(unread.returncode, 3)  # as classify
        self.assertIn("nothing.png", json.loads(unread.stdout)["results"][0]["error"])
        damaged = self.base / "damaged.index"
        damaged.write_bytes(self.index.read_bytes()[:-700])
        self.assertEqual(graft("find", BUNDLED, picture, "--in", damaged, check=False).returncode, 1)
        refused = graft("index", self.features, "-o", self.features, check=False)
        self.assertEqual(refused.returncode, 2)
        np.load(self.features)

    def test_features_without_a_model_are_taken_with_a_note(self):
        plain = self.base / "plain.csv"
        graft("extract", BUNDLED, self.pictures / "train", "-o", plain, "--quiet")
        index = self.base / "plain.index"
        self.assertIn("does not say which model and preprocessing made it", graft("index", plain, "-o", index).stderr)
        picture = next((self.pictures / "train").rglob("*.png"))
        told = graft_json("find", BUNDLED, picture, "--in", index, "--count", 1)
        self.assertEqual(told["results"][0]["neighbours"][0]["path"], str(picture))
        self.assertTrue(any("taken for granted" in note for note in told["notes"]), told["notes"])


if __name__ == "__main__":
    unittest.main()
