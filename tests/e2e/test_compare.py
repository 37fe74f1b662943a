"""Runs held against each other."""
import csv
import unittest
import xml.dom.minidom

from support import BUNDLED, ScratchTest, graft, graft_json


class Compare(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 10, "--val", 10, "--quiet")
        cls.runs = []
        for name, epochs, rate in (("poor", 1, 0.0001), ("good", 8, 0.01), ("twin", 8, 0.01)):
            cls.runs.append(cls.base / name)
            graft("finetune", BUNDLED, cls.pictures, "-o", cls.runs[-1], "--epochs", epochs, "--lr", rate, "--no-report", "--quiet")

    def test_says_what_is_chance(self):
        told = graft_json("compare", *self.runs)
        names = [run["run"] for run in told["runs"]]
        self.assertEqual(names, ["poor", "good", "twin"])
        figures = [run["figures"] for run in told["runs"]]
        for run, figure in zip(self.runs, figures):
            self.assertEqual(figure["top1"], graft_json("evaluate", run, self.pictures)["top1"])
        good, twin = (run["against_first"] for run in told["runs"][1:])
        self.assertEqual(good, twin)
        self.assertAlmostEqual(good["score_difference"]["difference"], figures[1]["top1"] - figures[0]["top1"])
        self.assertAlmostEqual(good["loss_difference"]["difference"], figures[1]["loss"] - figures[0]["loss"], places=6)
        self.assertAlmostEqual((good["only_this_right"] - good["only_first_right"]) / 60, good["score_difference"]["difference"])
        self.assertTrue(good["loss_difference"]["beyond_chance"])
        low, high = good["score_difference"]["interval"]
        self.assertTrue(low <= good["score_difference"]["difference"] <= high)
        same = graft_json("compare", *self.runs[1:])["runs"][1]["against_first"]
        self.assertEqual((same["score_difference"]["difference"], same["score_difference"]["beyond_chance"], same["differ"]), (0, False, []))
        settings = {entry["setting"]: entry["values"] for entry in told["settings"]}
        self.assertEqual(settings["epochs"], ["1", "8", "8"])
        self.assertIn("lr", settings)
        self.assertNotIn("data", settings)

    def test_text_curves_and_pictures(self):
        curves, table = self.base / "curves.svg", self.base / "pictures.csv"
        text = graft("compare", *self.runs, "--curves", curves, "--pictures", table, "--quiet").stdout
        for words in ("good against poor, 60 pictures", "settings that differ", "epochs", "top-1", "beyond chance"):
            self.assertIn(words, text)
        drawn = xml.dom.minidom.parse(str(curves)).toxml()
        for name in ("poor", "good", "twin", "validation loss"):
            self.assertIn(name, drawn)
        rows = list(csv.DictReader(table.read_text().splitlines()))
        told = graft_json("compare", *self.runs)
        self.assertEqual({row["path"] for row in rows}, set(told["runs"][1]["against_first"]["differ"]))
        for row in rows:
            self.assertEqual(row["class"], row["path"].split("/")[-2])
            self.assertEqual(row["right in good"] == "1", row["answer of good"] == row["class"])
            self.assertNotEqual(row["answer of good"], row["answer of poor"])

    def test_other_data_and_files(self):
        told = graft_json("compare", self.runs[0] / "model.onnx", self.runs[1], "--data", self.pictures, "--split", "train")
        self.assertEqual((told["split"], told["pictures"]), ("train", 60))
        other = self.base / "other"
        graft("generate", other, "--set", "demo", "--train", 4, "--val", 4, "--seed", 9, "--quiet")
        told = graft_json("compare", *self.runs[:2], "--data", other)
        self.assertTrue(any("was trained on" in note for note in told["notes"]))

    def test_refuses_what_cannot_be_compared(self):
        for arguments, words in (((self.runs[0],), "2 required"), ((self.runs[0], self.base / "none"), "none"),
                                 ((BUNDLED, BUNDLED), "--data"), ((*self.runs, "--curves", "a.png"), ".svg"),
                                 ((self.runs[0], BUNDLED), "class")):
            refused = graft("compare", *arguments, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(words, refused.stderr)


if __name__ == "__main__":
    unittest.main()
