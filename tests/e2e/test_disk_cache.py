"""Features on disk: what one command computed, the next one reads, to the same bits; and nothing is read that does not fit."""
import os
import shutil
import unittest

import numpy as np

from support import BUNDLED, PictureTest, graft, graft_json


class DiskCache(PictureTest):
    def setUp(self):
        self.cache = self.base / "features"
        shutil.rmtree(self.cache, ignore_errors=True)

    def finetune(self, run, *more):
        return graft_json("finetune", BUNDLED, self.pictures, "-o", self.base / run, "--overwrite", "--no-report", "--disk-cache", self.cache, *more)

    def test_another_head_starts_at_once_and_ends_in_the_same_bytes(self):
        options = ("--epochs", 3, "--head", "mlp")
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / "without", "--no-report", "--disk-cache", "off", "--quiet", *options)
        first, second = self.finetune("first", *options), self.finetune("second", *options)
        self.assertEqual(first["features_from_disk"], 0)  # what this run wrote itself does not count
        self.assertGreater(second["features_from_disk"], first["features_from_disk"])
        self.assertTrue(any("were on disk, 0 were computed" in note for note in second["notes"]), second["notes"])
        whole = (self.base / "without" / "model.onnx").read_bytes()
        for run in ("first", "second"):
            self.assertEqual((self.base / run / "model.onnx").read_bytes(), whole, run)

    def test_the_default_reads_what_it_kept(self):
        self.finetune("chosen", "--budget", 5)
        again = self.finetune("chosen-again", "--budget", 5)
        self.assertTrue(any(" 0 were computed" in note for note in again["notes"]), again["notes"])
        self.assertEqual((self.base / "chosen" / "model.onnx").read_bytes(), (self.base / "chosen-again" / "model.onnx").read_bytes())
        told = graft_json("evaluate", self.base / "chosen", self.pictures, "--disk-cache", self.cache)
        self.assertTrue(any("features of 18 views were on disk, 0 were computed" in note for note in told["notes"]), told["notes"])

    def test_commands_share_rows(self):
        def features(name, *more):
            done = graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / name, *more)
            return np.load(self.base / name)["features"], done.stderr
        plain, said = features("plain.npz")
        self.assertNotIn("disk", said)
        kept, said = features("kept.npz", "--disk-cache", self.cache)
        self.assertIn("features are kept for the next run", said)
        read, said = features("read.npz", "--disk-cache", self.cache)
        self.assertIn("features of 18 views were on disk, 0 were computed", said)
        np.testing.assert_allclose(kept, plain, rtol=1e-5, atol=1e-5)  # batches of 32 and of 18
        np.testing.assert_array_equal(read, kept)
        # Other pixels have other rows.
        resized, said = features("resized.npz", "--disk-cache", self.cache, "--resize", 80)
        self.assertNotIn("were on disk", said)
        np.testing.assert_allclose(resized, features("resized-plain.npz", "--resize", 80)[0], rtol=1e-5, atol=1e-5)
        self.assertGreater(np.abs(resized - plain).max(), 0.01)
        # Another cut of the same pictures, too, in one view as it is.
        cut, said = features("cut.npz", "--disk-cache", self.cache, "--views", "center:70")
        self.assertNotIn("were on disk", said)
        np.testing.assert_allclose(cut, features("cut-plain.npz", "--views", "center:70")[0], rtol=1e-5, atol=1e-5)
        # A copy under another name has the same.
        copies = self.base / "copies"
        shutil.copytree(self.pictures / "val", copies)
        self.assertIn("features of 18 views were on disk", graft("extract", BUNDLED, copies, "-o", self.base / "c.npz", "--disk-cache", self.cache).stderr)

        run = self.base / "run"
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--overwrite", "--no-report", "--epochs", 2, "--disk-cache", self.cache, "--quiet")
        cached, plain = (graft_json("evaluate", run, self.pictures, "--disk-cache", where) for where in (self.cache, "off"))
        self.assertTrue(any("features of 18 views were on disk" in note for note in cached["notes"]), cached["notes"])
        self.assertAlmostEqual(cached["loss"], plain["loss"], places=6)
        self.assertEqual(cached["confusion"], plain["confusion"])
        names = [[entry["path"] for entry in graft_json("suggest", run, self.pictures / "val", "--count", 3, "--disk-cache", where)["results"]]
                 for where in (self.cache, "off")]
        self.assertEqual(names[0], names[1])

    def test_trained_networks_have_rows_of_their_own(self):
        run = self.base / "trained"
        graft("finetune", BUNDLED, self.pictures, "-o", run, "--no-report", "--epochs", 1, "--freeze", "none", "--disk-cache", self.cache, "--quiet")
        self.assertFalse(self.cache.exists())
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / "reported", "--epochs", 1, "--freeze", "none", "--disk-cache", self.cache, "--quiet")
        self.assertFalse(self.cache.exists())  # nor of the report
        rows = []
        for model in (BUNDLED, run / "model.onnx"):
            graft("extract", model, self.pictures / "val", "-o", self.base / "f.npz", "--disk-cache", self.cache, "--quiet")
            rows.append(np.load(self.base / "f.npz")["features"])
        self.assertFalse(np.array_equal(*rows))

    def test_what_cannot_be_kept_is_said_and_costs_nothing(self):
        blocked = self.base / "file"
        blocked.write_text("no folder")
        done = graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "f.npz", "--disk-cache", blocked)
        self.assertIn("features are not kept on disk: ", done.stderr)
        self.assertEqual(blocked.read_text(), "no folder")
        graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "f.npz", "--disk-cache", self.cache, "--quiet")
        rows = next(self.cache.glob("*.rows"))
        damaged = bytearray(rows.read_bytes())
        damaged[5] ^= 0xff
        rows.write_bytes(damaged)
        done = graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "g.npz", "--disk-cache", self.cache)
        self.assertIn("features of 17 views were on disk, 1 were computed", done.stderr)
        np.testing.assert_allclose(np.load(self.base / "f.npz")["features"], np.load(self.base / "g.npz")["features"], rtol=1e-5, atol=1e-5)
        refused = graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "f.npz", "--disk-cache", self.cache, "--disk-cache-limit", "lots", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--disk-cache-limit", refused.stderr)

    def test_what_is_not_graft_s_stays(self):
        self.cache.mkdir()
        own = [self.cache / name for name in ("backup.keys", "my.rows", "0" * 31 + ".rows", "notes.txt")]
        for path in own:
            path.write_bytes(b"x" * 3_000_000)
        graft("extract", BUNDLED, self.pictures / "val", "-o", self.base / "f.npz", "--disk-cache", self.cache, "--disk-cache-limit", "20K", "--quiet")
        self.assertEqual([path.stat().st_size for path in own], [3_000_000] * 4)
        self.assertEqual(len(list(self.cache.iterdir())), 6)

    def test_an_output_that_cannot_be_written(self):
        folder = self.base / "folder.npz"
        folder.mkdir()
        refused = graft("extract", BUNDLED, self.pictures / "val", "-o", folder, "--disk-cache", self.cache, check=False)
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("folder.npz", refused.stderr)

    def test_unreadable_pictures_are_told_each_time(self):
        broken = self.base / "broken"
        shutil.copytree(self.pictures / "val", broken)
        next(broken.rglob("*.png")).write_bytes(b"\x89PNG\r\n\x1a\nno picture")
        for expected in (17, 17):
            told = graft("extract", BUNDLED, broken, "-o", self.base / "f.npz", "--disk-cache", self.cache, check=False)
            self.assertEqual(told.returncode, 3)
            self.assertIn("skipped", told.stderr)
            self.assertEqual(len(np.load(self.base / "f.npz")["features"]), expected)

    def test_the_usual_folder(self):
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.base / "xdg")}
        environment.pop("GRAFT_DISK_CACHE")
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / "usual", "--overwrite", "--no-report", "--epochs", 1, "--quiet", env=environment)
        self.assertTrue(list((self.base / "xdg" / "graft" / "features").glob("*.rows")))


if __name__ == "__main__":
    unittest.main()
