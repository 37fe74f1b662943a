"""The server's page in a real browser: pictures dropped, pasted and chosen, answers, overlays, two models, phone and dark."""
import time
import unittest

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import headless_browser
from serving import Server
from support import BUNDLED, ScratchTest, graft, graft_json

# A file as a user would drop or paste it.
TRANSFER = """
const done = arguments[arguments.length - 1], [kind, url, name] = arguments;
fetch(url).then(reply => reply.blob()).then(blob => {
  const data = new DataTransfer();
  data.items.add(new File([blob], name, { type: blob.type }));
  const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }) : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.getElementById("drop").dispatchEvent(event);
  done();
});
"""


class Page(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = headless_browser()
        cls.addClassCleanup(cls.browser.quit)
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 2, "--quiet")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 4, "--no-report", "--quiet")
        cls.paths = sorted((cls.pictures / "val").rglob("*.png"))
        cls.server = Server(f"figures={cls.run_folder}", f"other={BUNDLED}", "--examples", cls.pictures / "val")
        cls.addClassCleanup(cls.server.close)
        cls.expected = {result["path"]: result for result in graft_json("classify", cls.run_folder, cls.pictures / "val")["results"]}

    def open(self):
        self.browser.get(self.server.address)
        self.wait(lambda b: b.find_element(By.ID, "title").text == "figures and other")

    def wait(self, until):
        return WebDriverWait(self.browser, 20).until(until)

    def answers(self, count):
        """The answers, the newest first, once all are there."""
        self.wait(lambda b: len(b.find_elements(By.CSS_SELECTOR, ".answer")) == count and all(label.text not in ("", "\u2026") for label in b.find_elements(By.CSS_SELECTOR, ".label")))
        return self.browser.find_elements(By.CSS_SELECTOR, ".answer")

    def tearDown(self):
        self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")], [])

    def test_pictures_come_in_every_way_and_are_answered_by_both_models(self):
        self.open()
        self.assertFalse(self.browser.find_element(By.ID, "sign-in").is_displayed())
        path = self.paths[0]
        self.browser.find_element(By.ID, "files").send_keys(f"{path}\n{self.paths[1]}")
        self.answers(2)
        for count, kind in ((3, "drop"), (4, "paste")):
            self.browser.execute_async_script(TRANSFER, kind, "/v1/examples/0", kind + ".png")
            newest = self.answers(count)[0]
            self.assertEqual(newest.find_element(By.TAG_NAME, "figcaption").text, kind + ".png")
            verdicts = newest.find_elements(By.CSS_SELECTOR, ".verdict")
            self.assertEqual([verdict.find_element(By.TAG_NAME, "h3").text for verdict in verdicts], ["figures", "other"])
            self.assertEqual(verdicts[0].find_element(By.CSS_SELECTOR, ".label").text, self.expected[str(path)]["label"])
            self.assertIn(f"{100 * self.expected[str(path)]['score']:.1f} %", verdicts[0].find_element(By.CSS_SELECTOR, ".scores").text)
        self.assertIn("paste.png: " + self.expected[str(path)]["label"], self.browser.find_element(By.ID, "status").text)
        # Nothing came from elsewhere.
        self.assertEqual(self.browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin) && !n.startsWith('blob:') && !n.startsWith('data:'))"), [])

    def test_an_overlay_comes_and_goes_within_a_second(self):
        self.open()
        self.browser.find_element(By.ID, "files").send_keys(str(self.paths[2]))
        item = self.answers(1)[0]
        picture, why = item.find_element(By.CSS_SELECTOR, "figure img"), item.find_element(By.CSS_SELECTOR, ".why")
        plain = picture.get_attribute("src")
        start = time.monotonic()
        why.send_keys(Keys.ENTER)
        self.wait(lambda b: picture.get_attribute("src").startswith("data:image/jpeg"))
        self.assertLess(time.monotonic() - start, 5)  # a second on a quiet machine
        self.wait(lambda b: b.execute_script("return arguments[0].complete && arguments[0].naturalWidth", picture) == 64)
        why.send_keys(Keys.ENTER)
        self.wait(lambda b: picture.get_attribute("src") == plain)

    def test_examples_are_offered_and_a_model_can_be_left_out(self):
        self.open()
        self.wait(lambda b: len(b.find_elements(By.CSS_SELECTOR, "#examples button")) == len(self.paths))
        self.browser.find_element(By.ID, "model-other").send_keys(Keys.SPACE)
        self.browser.find_elements(By.CSS_SELECTOR, "#examples button")[3].send_keys(Keys.ENTER)
        item = self.answers(1)[0]
        self.assertEqual([verdict.text for verdict in item.find_elements(By.TAG_NAME, "h3")], ["figures"])
        self.assertEqual(item.find_element(By.CSS_SELECTOR, ".label").text, self.expected[str(self.paths[3])]["label"])

    def test_a_token_is_asked_for(self):
        (self.base / "token").write_text("a-long-enough-token")
        server = Server(self.run_folder, "--token-file", self.base / "token")
        try:
            self.browser.get(server.address)
            field = self.wait(lambda b: next((f for f in b.find_elements(By.ID, "token") if f.is_displayed()), None))
            field.send_keys("a-long-enough-token", Keys.ENTER)
            self.wait(lambda b: b.find_element(By.ID, "title").text == "run")
            self.assertFalse(field.is_displayed())
            self.browser.find_element(By.ID, "files").send_keys(str(self.paths[0]))
            self.assertEqual(self.answers(1)[0].find_element(By.CSS_SELECTOR, ".label").text, self.expected[str(self.paths[0])]["label"])
            self.browser.get_log("browser")  # the browser notes the status 401
        finally:
            server.close()

    def test_what_is_no_picture_is_said(self):
        (self.base / "notes.png").write_text("no picture")
        self.open()
        self.browser.find_element(By.ID, "files").send_keys(str(self.base / "notes.png"))
        item = self.answers(1)[0]
        self.assertIn("is not a JPEG", item.text)
        self.browser.get_log("browser")  # the browser notes the status 422

    def test_a_phone_and_the_dark(self):
        for scheme, paper in (("light", "rgb(251, 251, 249)"), ("dark", "rgb(21, 25, 27)")):
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
            try:
                self.open()
                self.browser.find_element(By.ID, "files").send_keys(str(self.paths[0]))
                self.answers(1)
                self.assertEqual(self.browser.execute_script("return getComputedStyle(document.body).backgroundColor"), paper)
                self.assertLessEqual(self.browser.execute_script("return document.documentElement.scrollWidth"), 360)
            finally:
                self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
                self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_everything_has_a_name_for_a_screen_reader(self):
        self.open()
        tree = self.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        nameless = [node for node in tree if node.get("role", {}).get("value") in ("button", "checkbox", "image", "textbox", "link", "region") and not node.get("ignored") and not node.get("name", {}).get("value")]
        self.assertEqual(nameless, [])


if __name__ == "__main__":
    unittest.main()
