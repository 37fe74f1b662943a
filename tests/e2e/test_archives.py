"""Tar archives as Python's tarfile writes them, against the same pictures in folders."""
import json
import tarfile

import numpy as np

from support import BUNDLED, ScratchTest, graft, graft_json


class Archives(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder_set = cls.base / "pictures"
        graft("generate", cls.folder_set, "--train", 5, "--quiet")

    def tar_of_folders(self, name, format):
        with tarfile.open(self.base / name, "w", format=format) as tar:
            tar.add(self.folder_set / "val", arcname="a-folder-whose-name-is-so-long-that-old-archives-cannot-hold-it/" * 3 + "val")
        return self.base / name

    def test_every_format_of_tarfile_gives_the_pictures_of_the_folder(self):
        paths = sorted((self.folder_set / "val").rglob("*.*g"))
        graft("extract", BUNDLED, *paths, "-o", self.base / "folder.npz", "--quiet")
        expected = np.load(self.base / "folder.npz")
        for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            archive = self.tar_of_folders(f"set{format}.tar", format)
            graft("extract", BUNDLED, archive, "-o", self.base / "tar.npz", "--quiet")
            found = np.load(self.base / "tar.npz")
            order = sorted(range(len(found["paths"])), key=lambda i: str(found["paths"][i]).split("val/")[1])
            wanted = sorted(range(len(paths)), key=lambda i: str(paths[i]).split("val/")[1])
            np.testing.assert_array_equal(found["features"][order], expected["features"][wanted])

    def test_a_model_trains_on_shards_as_on_folders(self):
        shards = self.base / "shards"
        shards.mkdir()
        for part in ("train", "val"):
            with tarfile.open(shards / f"set-{part}-000.tar", "w") as tar:
                for i, picture in enumerate(sorted((self.folder_set / part).rglob("*.*g"))):
                    tar.add(picture, arcname=f"{i:06}{picture.suffix}")
                    label = self.base / "label.json"
                    label.write_text(json.dumps({"label": picture.parent.name}))
                    tar.add(label, arcname=f"{i:06}.json")
        graft("finetune", BUNDLED, shards, "-o", self.base / "run", "--epochs", 3, "--augment", "none", "--quiet")
        graft("finetune", BUNDLED, self.folder_set, "-o", self.base / "same", "--epochs", 3, "--augment", "none", "--quiet")
        results = [graft_json("evaluate", self.base / "run" / "model.onnx", data) for data in (shards, self.folder_set)]
        self.assertEqual(results[0]["top1"], results[1]["top1"])
        self.assertEqual(results[0]["loss"], results[1]["loss"])
        self.assertEqual(results[0]["not_pictures"], [])
        # Classes in the same order, but pictures in another: the two runs need not be the same to the bit.
        self.assertEqual(graft_json("evaluate", self.base / "same" / "model.onnx", shards)["images"], results[0]["images"])

    def test_damaged_archives_end_in_one_line(self):
        whole = self.tar_of_folders("whole.tar", tarfile.GNU_FORMAT).read_bytes()
        for name, content in (("cut.tar", whole[: len(whole) // 2 + 100]), ("text.tar", b"not an archive at all" * 100), ("empty.tar", b"")):
            (self.base / name).write_bytes(content)
            for command in (["finetune", BUNDLED, self.base / name, "-o", self.base / "bad"], ["classify", BUNDLED, self.base / name]):
                done = graft(*command, "--quiet", check=False)
                with self.subTest(archive=name, command=command[0]):
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                    self.assertIn(name, done.stderr)
