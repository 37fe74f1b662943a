"""Evaluation that names pictures: files of predictions and curves, parts side by side, runs, classes by their folder."""
import csv
import json
import math
import shutil
import unittest
import xml.dom.minidom

from support import BUNDLED, ScratchTest, graft, graft_json


def average_precision(scored):
    """Of (score, is true) pairs: the sum of precision times gain in recall, equal scores together."""
    found, total, previous = 0, 0.0, None
    yes = sum(true for _, true in scored)
    ranked = sorted(scored, key=lambda pair: -pair[0])
    for i, (score, true) in enumerate(ranked):
        found += true
        if i + 1 == len(ranked) or ranked[i + 1][0] != score:
            total += (found - (previous or 0)) / yes * found / (i + 1)
            previous = found
    return total


class Evaluate(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 6, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 3, "--quiet")

    def test_every_picture_is_named_the_worst_mistake_first(self):
        table = self.base / "pictures.csv"
        told = graft_json("evaluate", self.run_folder, self.pictures, "--pictures", table, "--mistakes", 3)
        rows = list(csv.DictReader(table.read_text().splitlines()))
        self.assertEqual(len(rows), told["images"])
        right = [row["right"] == "1" for row in rows]
        self.assertAlmostEqual(sum(right) / len(rows), told["top1"])
        self.assertEqual(right, sorted(right))
        losses = [float(row["loss"]) for row in rows if row["right"] == "0"]
        self.assertEqual(losses, sorted(losses, reverse=True))
        self.assertAlmostEqual(sum(float(row["loss"]) for row in rows) / len(rows), told["loss"], places=5)
        for row in rows:
            self.assertEqual(row["class"], row["path"].split("/")[-2])
            self.assertAlmostEqual(-math.log(float(row["class_score"])), float(row["loss"]), places=4)
            self.assertEqual(row["rank"] == "1", row["right"] == "1")
        self.assertEqual([m["path"] for m in told["mistakes"]], [row["path"] for row in rows[:3]])
        for k, accuracy in enumerate(told["top"], 1):
            self.assertAlmostEqual(accuracy, sum(int(row["rank"]) <= k for row in rows) / len(rows))
        lines = self.base / "pictures.jsonl"
        graft("evaluate", self.run_folder, self.pictures, "--pictures", lines, "--quiet")
        self.assertEqual([json.loads(line)["path"] for line in lines.read_text().splitlines()], [row["path"] for row in rows])

    def test_a_run_is_judged_by_pictures_that_it_was_not_trained_on(self):
        plain, run_folder = self.base / "plain", self.base / "plain_run"
        shutil.copytree(self.pictures / "train", plain)
        told = graft_json("finetune", BUNDLED, plain, "-o", run_folder, "--epochs", 2, "--val-split", 0.3, "--no-report")
        for arguments in ((run_folder,), (run_folder, plain), (run_folder, plain, "--split", "val")):
            evaluated = graft_json("evaluate", *arguments)
            self.assertEqual(evaluated["split"], "val")
            self.assertEqual(evaluated["top1"], told["best_val_top1"])
        self.assertEqual(graft_json("evaluate", run_folder, "--split", "all")["images"], 48)

    def test_figures_of_classes_are_those_of_the_answers(self):
        table, scores = self.base / "answers.csv", {}
        told = graft_json("evaluate", self.run_folder, self.pictures, "--pictures", table)
        rows = list(csv.DictReader(table.read_text().splitlines()))
        for line in graft("classify", self.run_folder, self.pictures / "val", "--top", 6, "--format", "jsonl", "--quiet").stdout.splitlines():
            entry = json.loads(line)
            scores[entry["path"]] = {top["label"]: top["score"] for top in entry["top"]}
        f1s = []
        for of in told["per_class"]:
            name = of["class"]
            true, answered = ({row["path"] for row in rows if row[key] == name} for key in ("class", "answer"))
            both = len(true & answered)
            self.assertEqual((of["images"], of["predicted"]), (len(true), len(answered)))
            self.assertAlmostEqual(of["recall"], both / len(true))
            f1s.append(2 * both / (len(true) + len(answered)))
            self.assertAlmostEqual(of["f1"], f1s[-1])
            scored = [(scores[row["path"]][name], row["class"] == name) for row in rows]
            self.assertAlmostEqual(of["average_precision"], average_precision(scored), places=4)
            wins = sum((a > b) + (a == b) / 2 for a, yes in scored if yes for b, other in scored if not other)
            self.assertAlmostEqual(of["roc_auc"], wins / (len(true) * (len(rows) - len(true))), places=4)
        self.assertAlmostEqual(told["macro_f1"], sum(f1s) / len(f1s))
        self.assertLessEqual(told["macro_f1_interval"][0], told["macro_f1"])
        self.assertGreaterEqual(told["macro_f1_interval"][1], told["macro_f1"])
        self.assertEqual(sum(pair["images"] for pair in told["confused"]), sum(row["right"] == "0" for row in rows))

    def test_a_run_knows_its_data_and_its_parts(self):
        unsplit, run = self.pictures / "train", self.base / "split-by-itself"
        report = graft_json("finetune", BUNDLED, unsplit, "-o", run, "--epochs", 2, "--val-split", 0.25, "--seed", 3)
        told = graft_json("evaluate", run, "--split", "val")
        self.assertEqual(told["images"], 12)  # a quarter of each class
        self.assertAlmostEqual(told["top1"], report["best_val_top1"])
        each = graft_json("evaluate", run, "--split", "each")
        self.assertEqual({split: of["images"] for split, of in each["splits"].items()}, {"train": 36, "val": 12})
        self.assertAlmostEqual(each["splits"]["val"]["loss"], told["loss"])
        columns = graft("evaluate", run, "--split", "each", "--quiet").stdout.splitlines()
        self.assertEqual(columns[0].split(), ["train", "val"])
        missing = graft("evaluate", BUNDLED, check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no labelled pictures are named", missing.stderr)

    def test_a_part_of_the_classes_and_one_class(self):
        some = self.base / "some"
        for name in ("heart", "wave"):
            (some / name).parent.mkdir(exist_ok=True)
            (some / name).symlink_to(self.pictures / "val" / name)
        whole, part = (graft_json("evaluate", self.run_folder, data, "--pictures", self.base / f"{data.name}.csv") for data in (self.pictures, some))
        self.assertEqual(part["images"], 12)
        of_whole = {of["class"]: of["recall"] for of in whole["per_class"]}
        for of in part["per_class"]:
            if of["images"]:
                self.assertAlmostEqual(of["recall"], of_whole[of["class"]])
        one = graft("evaluate", self.run_folder, self.pictures / "val" / "heart", "--json")
        self.assertIn('taken for "heart"', one.stderr)
        told = json.loads(one.stdout)
        self.assertAlmostEqual(told["top1"], of_whole["heart"])
        self.assertNotIn("roc_auc", told)
        other = graft("evaluate", self.run_folder, self.pictures / "val" / "heart" / "..", check=False)
        self.assertEqual(other.returncode, 0, other.stderr)

    def test_labels_name_outputs(self):
        names = self.base / "names.txt"
        order = sorted(p.name for p in (self.pictures / "val").iterdir())
        names.write_text("\r\n".join(order[1:] + order[:1]) + "\r\n")
        turned = graft_json("evaluate", self.run_folder, self.pictures, "--labels", names)
        self.assertLess(turned["top1"], 0.3)
        names.write_text("\n".join(order))
        self.assertEqual(graft_json("evaluate", self.run_folder, self.pictures, "--labels", names)["top1"], graft_json("evaluate", self.run_folder, self.pictures)["top1"])

    def test_curves(self):
        table, drawn = self.base / "curves.csv", self.base / "curves.svg"
        told = graft_json("evaluate", self.run_folder, self.pictures, "--curves", table)
        by_class = {}
        for row in csv.DictReader(table.read_text().splitlines()):
            by_class.setdefault(row["class"], []).append({key: float(value) for key, value in row.items() if key != "class"})
        for of in told["per_class"]:
            points = by_class[of["class"]]
            self.assertEqual((points[-1]["true_positive_rate"], points[-1]["false_positive_rate"]), (1, 1))
            self.assertEqual([p["threshold"] for p in points], sorted((p["threshold"] for p in points), reverse=True))
            area = sum((b["false_positive_rate"] - a["false_positive_rate"]) * (b["true_positive_rate"] + a["true_positive_rate"]) / 2
                       for a, b in zip([{"true_positive_rate": 0, "false_positive_rate": 0}] + points, points))
            self.assertAlmostEqual(area, of["roc_auc"], places=6)
        graft("evaluate", self.run_folder, self.pictures, "--curves", drawn, "--quiet")
        self.assertEqual(xml.dom.minidom.parse(str(drawn)).documentElement.tagName, "svg")

    def test_wrong_names_are_refused_before_work(self):
        for option, name in (("--pictures", "x.txt"), ("--curves", "x.csvg")):
            refused = graft("evaluate", self.run_folder, self.pictures, option, self.base / name, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(option, refused.stderr)
            self.assertFalse((self.base / name).exists())


if __name__ == "__main__":
    unittest.main()
