"""--shard I/N: what N jobs make of their parts is, one behind the other, what one makes of all."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import unittest

import numpy as np

from support import BUNDLED, GRAFT, ROOT, ScratchTest, graft, graft_json


class Shard(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 3, "--val", 1, "--quiet")  # 18 to train
        (cls.pictures / "train" / "notes.txt").write_text("no picture")
        cls.broken = cls.base / "broken"
        shutil.copytree(cls.pictures / "val", cls.broken)
        (cls.broken / "heart" / "half.png").write_bytes(next((cls.broken / "heart").glob("*.png")).read_bytes()[:60])

    def test_answers_are_those_of_one_job_in_its_order(self):
        whole = graft("classify", BUNDLED, self.pictures / "train", "--format", "jsonl", "--quiet").stdout
        for count in (2, 5, 18, 25):
            with concurrent.futures.ThreadPoolExecutor(2) as jobs:
                parts = list(jobs.map(lambda i, n=count: graft("classify", BUNDLED, self.pictures / "train", "--format", "jsonl", "--shard", f"{i}/{n}", "--batch", 1, "--quiet").stdout, range(1, count + 1)))
            answers = [json.loads(line) for line in "".join(parts).splitlines()]
            expected = [json.loads(line) for line in whole.splitlines()]
            self.assertEqual([a["path"] for a in answers], [e["path"] for e in expected], count)
            self.assertEqual([a["label"] for a in answers], [e["label"] for e in expected], count)

    def test_it_is_said_and_what_is_no_picture_is_counted_once(self):
        told = [graft_json("classify", BUNDLED, self.pictures / "train", "--shard", f"{i}/4") for i in range(1, 5)]
        self.assertEqual(told[1]["notes"][0], "shard 2 of 4: pictures 5 to 9 of 18")
        self.assertEqual([len(t["results"]) for t in told], [4, 5, 4, 5])
        self.assertEqual([len(t["not_pictures"]) for t in told], [1, 0, 0, 0])

    def test_features_have_the_classes_of_all(self):
        graft("extract", BUNDLED, self.pictures / "train", "-o", self.base / "all.npz", "--quiet")
        whole = np.load(self.base / "all.npz")
        rows, names = [], []
        for i in (1, 2, 3):
            graft("extract", BUNDLED, self.pictures / "train", "-o", self.base / f"{i}.npz", "--shard", f"{i}/3", "--quiet")
            part = np.load(self.base / f"{i}.npz")
            rows.append(part["features"])
            names += list(part["labels"])
            self.assertEqual(list(part["classes"]), list(whole["classes"]))
        np.testing.assert_allclose(np.concatenate(rows), whole["features"], rtol=1e-5, atol=1e-6)
        self.assertEqual(names, list(whole["labels"]))

    @unittest.skipUnless(shutil.which("parallel"), "GNU parallel is not here")
    def test_gnu_parallel_makes_the_same_answers(self):
        out = self.base / "answers.jsonl"
        subprocess.run([ROOT / "docs/examples/shards/with-parallel", BUNDLED, self.pictures / "train", out, "4", "--jobs", "2"],
                       env={**os.environ, "GRAFT": str(GRAFT)}, check=True, capture_output=True, timeout=300)
        whole = graft("classify", BUNDLED, self.pictures / "train", "--format", "jsonl", "--quiet").stdout
        self.assertEqual([json.loads(line)["path"] for line in out.read_text().splitlines()], [json.loads(line)["path"] for line in whole.splitlines()])

    @unittest.skipUnless(shutil.which("parallel"), "GNU parallel is not here")
    def test_a_broken_picture_is_an_answer_and_no_failed_job(self):
        out = self.base / "broken.jsonl"
        subprocess.run([ROOT / "docs/examples/shards/with-parallel", BUNDLED, self.broken, out, "3", "--jobs", "2"],
                       env={**os.environ, "GRAFT": str(GRAFT)}, check=True, capture_output=True, timeout=300)
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        self.assertEqual((len(answers), sum("error" in a for a in answers)), (7, 1))

    def test_an_array_of_slurm_takes_its_parts(self):
        """SLURM's part is to set these variables, once for each task."""
        (self.base / "bin").mkdir()
        (self.base / "bin/graft").symlink_to(GRAFT)
        rows = []
        for task in (1, 2, 3):
            environment = {**os.environ, "PATH": f"{self.base / 'bin'}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_CPUS_PER_TASK": "1"}
            subprocess.run(["bash", ROOT / "docs/examples/shards/slurm.sbatch", BUNDLED, self.pictures / "train", self.base / "rows"], env=environment, check=True, capture_output=True, timeout=300)
            rows += (self.base / f"rows/{task:04d}.csv").read_text().splitlines()[1:]
        graft("extract", BUNDLED, self.pictures / "train", "-o", self.base / "rows.csv", "--quiet")
        whole = (self.base / "rows.csv").read_text().splitlines()[1:]
        self.assertEqual([row.split(",")[0] for row in rows], [row.split(",")[0] for row in whole])

    def test_wrong_parts_are_refused(self):
        for words in ("0/4", "5/4", "x", "1/", "1/0", "1/4x", "3074457345618258603/3074457345618258603"):
            done = graft("classify", BUNDLED, self.pictures / "val", "--shard", words, check=False)
            self.assertEqual((done.returncode, "is no part: write 1/8 to 8/8" in done.stderr), (2, True), done.stderr)
        done = graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "none.npy", "--shard", "1/25", check=False)
        self.assertEqual((done.returncode, "shard 1 of 25: none of 6 pictures" in done.stderr, (self.base / "none.npy").exists()), (2, True, False), done.stderr)


if __name__ == "__main__":
    unittest.main()
