"""docs/examples/park-or-bird on real pictures: birds among twenty kinds of things, and photos that say where they were taken."""
import io
import os
import subprocess
import unittest

from PIL import Image

from serving import Server
from support import DATA, GRAFT, ROOT, ScratchTest, needs_data

EXAMPLE = ROOT / "docs/examples/park-or-bird"


class ParkOrBird(ScratchTest):
    @needs_data
    def test_birds_and_parks(self):
        out = self.base / "birds"
        subprocess.run([EXAMPLE / "make-model", DATA / "models/mobilenet_v2_trunk.onnx", DATA / "caltech20", out, "ibis", "flamingo_head"],
                       env={**os.environ, "GRAFT": str(GRAFT)}, check=True, capture_output=True, timeout=900)
        server = Server(out / "run", "--places", EXAMPLE / "parks.geojson")
        self.addCleanup(server.close)
        right = total = 0
        for kind in ("bird", "no-bird"):
            for path in sorted((out / "pictures/val" / kind).iterdir())[:30]:
                photo = Image.open(path).convert("RGB")
                exif = Image.Exif()
                exif[0x8825] = {1: "N", 2: (37, 44, 44.88), 3: "W", 4: (119, 32, 30.0)}
                data = io.BytesIO()
                photo.save(data, "JPEG", quality=95, exif=exif)
                result = server.json("/v1/classify", data.getvalue(), "image/jpeg")[1]["results"][0]
                self.assertEqual(result["place"], {"located": True, "inside": ["Yosemite (a rough outline)"]})
                right += result["label"] == kind
                total += 1
        self.assertGreaterEqual(right / total, 0.9)  # half of them are birds

    def test_a_class_that_is_not_there_is_said(self):
        (self.base / "p/train/a").mkdir(parents=True)
        done = subprocess.run([EXAMPLE / "make-model", "m.onnx", self.base / "p", self.base / "o", "bird"], capture_output=True, text=True)
        self.assertEqual((done.returncode, (self.base / "o").exists()), (1, False))
        self.assertIn('no class "bird"', done.stderr)


if __name__ == "__main__":
    unittest.main()
