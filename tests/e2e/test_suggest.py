"""Which pictures to label next."""
import csv
import unittest

from support import BUNDLED, ScratchTest, graft, graft_json


class Suggest(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 20, "--val", 10, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 2, "--no-report", "--quiet")

    def test_names_what_the_model_is_unsure_of(self):
        told = graft_json("suggest", self.run_folder, self.pictures / "train", "--count", 12)
        self.assertEqual((len(told["results"]), told["pictures"]), (12, 120))
        answers = graft_json("classify", self.run_folder, self.pictures / "train", "--top", 2)["results"]
        unsure = {e["path"]: 1 - (e["top"][0]["score"] - e["top"][1]["score"]) for e in answers}
        for entry in told["results"]:
            self.assertAlmostEqual(entry["uncertainty"], unsure[entry["path"]], places=4)
            self.assertEqual(len(entry["top"]), 2)
        named = sum(entry["uncertainty"] for entry in told["results"]) / 12
        self.assertGreaterEqual(named, sum(unsure.values()) / len(unsure))
        self.assertEqual(len({entry["path"] for entry in told["results"]}), 12)
        again = graft_json("suggest", self.run_folder, self.pictures / "train", "--count", 12, "--threads", 1)
        self.assertEqual([e["path"] for e in again["results"]], [e["path"] for e in told["results"]])

    def test_a_trunk_names_pictures_that_stand_for_the_set(self):
        told = graft("suggest", BUNDLED, self.pictures / "train", "--count", 18, "--format", "csv", "--quiet")
        rows = list(csv.DictReader(told.stdout.splitlines()))
        self.assertEqual(len(rows), 18)
        self.assertGreaterEqual(len({row["path"].split("/")[-2] for row in rows}), 4)

    def test_makes_folders_of_them(self):
        folder = self.base / "to_label"
        told = graft_json("suggest", self.run_folder, self.pictures / "val", "--count", 10, "--copy-to", folder)
        for entry in told["results"]:
            self.assertTrue(entry["placed"].startswith(str(folder / entry["top"][0]["label"])))
        self.assertEqual(sum(1 for p in folder.rglob("*") if p.is_file()), 10)

    def test_all_pictures_where_there_are_no_more(self):
        told = graft_json("suggest", self.run_folder, self.pictures / "val", "--count", 1000)
        self.assertEqual(len(told["results"]), 60)
        self.assertTrue(any("no more than were asked for" in note for note in told["notes"]))
        unsure = [entry["uncertainty"] for entry in told["results"]]
        self.assertEqual(unsure, sorted(unsure, reverse=True))

    def test_refuses_what_it_cannot_do(self):
        empty = self.base / "empty"
        empty.mkdir()
        self.assertIn("empty", graft("suggest", self.run_folder, empty, check=False).stderr)
        broken = self.base / "broken.jpg"
        broken.write_bytes(b"none")
        refused = graft("suggest", self.run_folder, broken, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("none of the pictures can be read", refused.stderr)


if __name__ == "__main__":
    unittest.main()
