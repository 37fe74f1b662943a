"""Grad-CAM against pytorch-grad-cam's own maps, rollout against its formula on ONNX Runtime's attention."""
import json
import unittest

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from support import DATA, ROOT, ScratchTest, graft, graft_json, needs_data, session, unpacked

FIXTURE = ROOT / "tests" / "fixtures" / "gradcam.json"
SIDE = 224


def crop(path):
    picture = Image.open(path).convert("RGB")
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    return picture.crop((left, top, left + SIDE, top + SIDE))


class Explain(ScratchTest):
    @needs_data
    def test_grad_cam_is_pytorch_grad_cams(self):
        model = unpacked() / "models" / "resnet50_v1_pruned.onnx"
        for case in json.loads(FIXTURE.read_text()):
            folder = self.base / f"{case['picture']}-{case['class']}"
            folder.mkdir()
            crop(DATA / "imagenet-sample" / case["picture"]).save(folder / "crop.png")
            told = graft_json("explain", model, folder / "crop.png", "-o", folder / "out", "--class", case["class"], "--preprocess", "imagenet", "--arrays")
            self.assertEqual(told["method"], "grad-cam")
            found = np.load(told["results"][0]["map"])
            self.assertEqual(found.shape, (SIDE, SIDE))
            self.assertLess(np.abs(found[4::8, 4::8].ravel() - np.array(case["map"])).max(), 1e-3, case["picture"])

    def test_rollout_is_the_product_of_attentions(self):
        model = self.base / "deit.onnx"
        graft("new", "vit-tiny-16", "-o", model, "--classes", 5, "--seed", 3, "--quiet")
        random = np.random.default_rng(0)
        picture = self.base / "noise.png"
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(picture)
        told = graft_json("explain", model, picture, "-o", self.base / "rollout", "--preprocess", "tf", "--arrays")
        self.assertEqual((told["method"], told["layer"]), ("attention-rollout", "12 attentions"))
        graph = onnx.load(model)
        softmaxes = [node.output[0] for node in graph.graph.node if node.op_type == "Softmax"]
        graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in softmaxes)
        onnx.save(graph, self.base / "attentions.onnx")
        pixels = (np.asarray(Image.open(picture), dtype=np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        attentions = session(self.base / "attentions.onnx").run(softmaxes, {graph.graph.input[0].name: pixels})
        rollout = np.eye(197)
        for attention in attentions:
            rollout = (0.5 * attention[0].mean(axis=0) + 0.5 * np.eye(197)) @ rollout
        places = rollout[0, 1:].reshape(14, 14)
        places = (places - places.min()) / np.ptp(places)
        found = np.load(told["results"][0]["map"])
        # Bilinear enlargement by 16: places' own values stand around the middles of their squares.
        middles = (found[7::16, 7::16] + found[8::16, 7::16] + found[7::16, 8::16] + found[8::16, 8::16]) / 4
        self.assertLess(np.abs(middles[1:-1, 1:-1] - places[1:-1, 1:-1]).max(), 0.08)
        self.assertGreater(np.corrcoef(middles.ravel(), places.ravel())[0, 1], 0.99)

    def test_what_cannot_be_explained_is_named(self):
        model = self.base / "small.onnx"
        graft("new", "lenet5", "-o", model, "--classes", 3, "--quiet")
        picture = self.base / "grey.png"
        Image.new("RGB", (40, 40), (90, 90, 90)).save(picture)
        for arguments, said in ((["--class", "cat"], 'knows no class "cat"'), (["--class", 7], "has 3 outputs"), (["--layer", "nowhere"], 'no layer "nowhere"'),
                                (["--method", "attention-rollout"], "does not attend")):
            refused = graft("explain", model, picture, "-o", self.base / "refused", "--preprocess", "unit", *arguments, check=False)
            self.assertIn(refused.returncode, (1, 2), refused.stderr)
            self.assertIn(said, refused.stderr)
        bad = self.base / "bad.png"
        bad.write_text("no picture")
        done = graft("explain", model, bad, picture, "-o", self.base / "some", "--preprocess", "unit", "--json", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(json.loads(done.stdout)["unreadable"]), 1)
        self.assertTrue((self.base / "some" / "grey.png").exists())


if __name__ == "__main__":
    unittest.main()
