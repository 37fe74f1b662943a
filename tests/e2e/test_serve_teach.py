"""Teaching on the server's page: classes, pictures, training, an answer and the model, by REST and in a real browser."""
import os
import shutil
import time
import unittest

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import headless_browser
from serving import Server
from support import BUNDLED, PictureTest, graft, graft_json

BINARY = "application/octet-stream"


class Teach(PictureTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.figures = cls.base / "figures"
        graft("generate", cls.figures, "--set", "demo", "--train", 12, "--val", 4, "--quiet")

    def setUp(self):
        self.folder = self.base / "things"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.own = self.base / "tmp"
        self.own.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = str(self.own)
        self.server = Server(BUNDLED, "--teach", self.folder)
        del os.environ["TMPDIR"]
        self.addCleanup(self.server.close)

    def shown(self, name, part="train"):
        return sorted((self.figures / part / name).iterdir())

    def give(self, name, path):
        return self.server.json(f"/v1/teach/classes/{name}", path.read_bytes(), BINARY)

    def train(self):
        self.assertEqual(self.server.ask("/v1/teach/train", b"", method="POST")[0], 202)
        deadline = time.time() + 120
        while time.time() < deadline:
            _, told = self.server.json("/v1/teach")
            if not told["running"]:
                return told
            time.sleep(0.1)
        self.fail("the training does not end")

    def test_it_learns_what_it_is_given(self):
        self.assertEqual(self.server.json("/v1/teach")[1], {"classes": [], "running": False, "phase": "", "done": 0, "total": 0, "error": "", "trained": None})
        self.assertTrue(self.server.json("/v1/models")[1]["teaches"])
        self.assertEqual(self.server.ask("/v1/teach/model.onnx")[0], 404)
        for name in ("sun", "pair"):
            for path in self.shown(name):
                status, told = self.give(name, path)
                self.assertEqual(status, 200, told)
                kept = self.folder / name / told["results"][0]["picture"]
                self.assertEqual(kept.read_bytes(), path.read_bytes())
        status, again = self.give("sun", self.shown("sun")[0])  # the same picture twice is one
        self.assertEqual(status, 200)
        _, told = self.server.json("/v1/teach")
        self.assertEqual(told["classes"], [{"name": "pair", "pictures": 12}, {"name": "sun", "pictures": 12}])
        told = self.train()
        self.assertEqual(told["error"], "")
        self.assertGreater(told["trained"]["accuracy"], 0.7)
        self.assertEqual(told["trained"]["pictures"], 4)
        right = 0
        for name in ("sun", "pair"):
            for path in self.shown(name, "val"):
                status, answer = self.server.json("/v1/classify?model=taught", path.read_bytes(), BINARY)
                self.assertEqual(status, 200, answer)
                right += answer["results"][0]["label"] == name
        self.assertGreaterEqual(right, 6)
        status, headers, model = self.server.ask("/v1/teach/model.onnx")
        self.assertIn('filename="model.onnx"', headers["Content-Disposition"])
        saved = self.base / "downloaded.onnx"
        saved.write_bytes(model)
        self.assertEqual(graft_json("inspect", saved)["classes"], ["pair", "sun"])
        # Once more with a class more: the model that is served is the new one.
        for path in self.shown("heart"):
            self.give("third", path)
        self.assertEqual(self.train()["error"], "")
        self.assertEqual(len([model for model in self.server.json("/v1/models")[1]["models"] if model["name"] == "taught"][0]["labels"]), 3)

    def test_what_is_wrong_is_said_and_nothing_is_written_elsewhere(self):
        picture = self.shown("sun")[0].read_bytes()
        for name in ("..%2Fout", "%2e%2e", ".hidden", "a%00b", "%2Ftmp%2Fx", "x" * 101, "a%5Cb", "%ff", "train", "Valid", "__MACOSX"):
            status, _, body = self.server.ask(f"/v1/teach/classes/{name}", picture, BINARY)
            self.assertIn(status, (400, 404), body)
        self.assertEqual(self.server.ask("/v1/teach/classes/sun", b"no picture", BINARY)[0], 422)
        self.assertEqual(self.server.ask("/v1/teach/classes/sun", picture[:400], BINARY)[0], 422)  # its header alone is good
        self.assertEqual(self.server.ask("/v1/teach/classes/sun", b"<html>", "text/html")[0], 415)
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertEqual([path for path in self.base.iterdir() if path.name in ("out", "x")], [])
        (self.folder / "empty").mkdir()  # takes no part
        told = self.train()  # of nothing
        self.assertNotIn(str(self.folder), told["error"])
        (self.folder / "empty").rmdir()
        self.assertNotEqual(told["error"], "")
        self.assertIsNone(told["trained"])
        # A link out of the folder is no class.
        (self.folder / "link").symlink_to(self.figures / "train" / "sun")
        before = sorted((self.figures / "train" / "sun").iterdir())
        self.assertEqual(self.server.ask("/v1/teach/classes/link", picture, BINARY)[0], 500)
        self.assertEqual(sorted((self.figures / "train" / "sun").iterdir()), before)

    def test_only_what_was_put_there_is_taken_away(self):
        own = self.folder / "sun" / "mine.png"
        own.parent.mkdir(parents=True)
        own.write_bytes(self.shown("sun")[1].read_bytes())
        status, told = self.give("sun", self.shown("sun")[0])
        kept = told["results"][0]["picture"]
        for name in ("mine.png", "..%2Fsun%2Fmine.png", "taught-0.png", "taught-" + "0" * 32 + ".png", "%2e%2e"):
            self.assertEqual(self.server.ask(f"/v1/teach/classes/sun/{name}", method="DELETE")[0], 404, name)
        self.assertEqual(self.server.json("/v1/teach/classes/sun")[1]["pictures"], [kept])
        self.assertEqual(self.server.ask(f"/v1/teach/classes/sun/{kept}")[2], self.shown("sun")[0].read_bytes())
        for name in ("mine.png", "%2e%2e"):
            self.assertEqual(self.server.ask(f"/v1/teach/classes/sun/{name}")[0], 404)
        self.assertEqual(self.server.ask(f"/v1/teach/classes/sun/{kept}", method="DELETE")[0], 200)
        self.assertEqual(self.server.ask(f"/v1/teach/classes/sun/{kept}", method="DELETE")[0], 404)
        self.assertEqual([path.name for path in own.parent.iterdir()], ["mine.png"])

    def test_one_training_at_a_time_and_the_server_ends_in_its_midst(self):
        for name in ("sun", "pair", "heart"):
            for path in self.shown(name):
                self.give(name, path)
        self.assertEqual(self.server.ask("/v1/teach/train", b"", method="POST")[0], 202)
        self.assertEqual(self.server.ask("/v1/teach/train", b"", method="POST")[0], 409)
        self.assertEqual(self.server.ask("/v1/teach/stop", b"", method="POST")[0], 202)
        self.assertEqual(len(list(self.own.iterdir())), 1)
        os.environ["TMPDIR"] = str(self.own)
        killed = Server(BUNDLED, "--teach", self.folder)
        killed.process.kill()
        killed.process.communicate(timeout=60)
        self.assertEqual(len(list(self.own.iterdir())), 2)
        Server(BUNDLED, "--teach", self.folder).close()  # takes away what the killed one left, and not what is in use
        del os.environ["TMPDIR"]
        self.assertEqual(len(list(self.own.iterdir())), 1)
        status, said = self.server.close()
        self.assertEqual(status, 0, said)
        self.assertEqual(list(self.own.iterdir()), [])

    def test_routes_are_there_only_when_asked_for(self):
        for path, methods in self.server.json("/openapi.json")[1]["paths"].items():
            for method in methods if path.startswith("/v1/teach") and "stop" not in path and "train" not in path else ():
                asked = path.replace("{name}", "sun").replace("{picture}", "none.png")
                self.assertNotIn(self.server.ask(asked, b"" if method == "post" else None, "application/json" if method == "post" else None, method=method.upper())[0], (405, 500), path)
        plain = Server(BUNDLED)
        self.addCleanup(plain.close)
        self.assertFalse(plain.json("/v1/models")[1]["teaches"])
        self.assertEqual(plain.ask("/v1/teach")[0], 404)
        self.assertFalse([path for path in plain.json("/openapi.json")[1]["paths"] if "teach" in path])
        split = graft("serve", BUNDLED, "--teach", self.figures, check=False)
        self.assertEqual(split.returncode, 1)
        self.assertIn("is split already", split.stderr)
        taken = graft("serve", f"taught={BUNDLED}", "--teach", self.folder, check=False)
        self.assertIn("give this one another name", taken.stderr)

    def test_in_a_browser(self):
        browser = headless_browser()
        self.addCleanup(browser.quit)
        wait = lambda until: WebDriverWait(browser, 60).until(until)
        browser.get(self.server.address)
        wait(lambda b: b.find_element(By.CSS_SELECTOR, "#teach a").is_displayed())
        browser.find_element(By.CSS_SELECTOR, "#teach a").click()
        wait(lambda b: b.find_element(By.TAG_NAME, "h1").text == "Teach it")
        self.assertFalse(browser.find_element(By.ID, "train").is_enabled())
        for name in ("sun", "pair"):
            browser.find_element(By.ID, "class-name").send_keys(name + "\n")
            box = wait(lambda b: b.find_element(By.CSS_SELECTOR, f'.class[data-name="{name}"]'))
            box.find_element(By.TAG_NAME, "input").send_keys("\n".join(map(str, self.shown(name))))
            wait(lambda b: box.find_element(By.CSS_SELECTOR, ".count").text == "12 pictures")
        remove = browser.find_element(By.CSS_SELECTOR, '.class[data-name="sun"] .pictures button')
        self.assertTrue(remove.get_attribute("aria-label").startswith("Take "))
        remove.click()
        wait(lambda b: b.find_element(By.CSS_SELECTOR, '.class[data-name="sun"] .count').text == "11 pictures")
        self.assertEqual(len(list((self.folder / "sun").iterdir())), 11)
        wait(lambda b: b.find_element(By.ID, "train").is_enabled())
        browser.find_element(By.ID, "train").click()
        wait(lambda b: b.find_element(By.ID, "status").text.startswith("Learnt. It is right on "))
        browser.find_element(By.ID, "try-file").send_keys(str(self.shown("pair", "val")[0]))
        wait(lambda b: b.find_elements(By.CSS_SELECTOR, "#answers .label"))
        label = browser.find_element(By.CSS_SELECTOR, "#answers .label").text
        asked = self.server.json("/v1/classify?model=taught", self.shown("pair", "val")[0].read_bytes(), BINARY)[1]
        self.assertEqual(label, asked["results"][0]["label"])
        # What was given is there again after the page was left.
        browser.refresh()
        wait(lambda b: len(b.find_elements(By.CSS_SELECTOR, '.class[data-name="pair"] .pictures img')) == 12)
        self.assertEqual(len(browser.find_elements(By.CSS_SELECTOR, '.class[data-name="sun"] .pictures img')), 11)
        self.assertTrue(browser.find_element(By.ID, "try").is_displayed())
        # On a phone nothing is wider than the screen.
        browser.set_window_size(360, 700)
        self.assertLessEqual(browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0)
        if os.environ.get("GRAFT_SCREENSHOTS"):
            browser.set_window_size(1000, 900)
            browser.save_screenshot(os.path.join(os.environ["GRAFT_SCREENSHOTS"], "teach.png"))
        self.assertEqual([entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")], [])


if __name__ == "__main__":
    unittest.main()
