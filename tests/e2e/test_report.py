"""The report in a real browser: what it holds, what a click opens, that it needs nothing from outside."""
import json
import unittest

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from browser import headless_browser
from support import BUNDLED, ScratchTest, graft


class Report(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pictures = cls.base / "pictures"
        graft("generate", cls.pictures, "--set", "demo", "--train", 8, "--val", 6, "--quiet")
        (cls.pictures / "val" / "heart" / "broken.png").write_text("no picture")
        cls.run_folder = cls.base / "run"
        graft("finetune", BUNDLED, cls.pictures, "-o", cls.run_folder, "--epochs", 3, "--quiet", check=False)
        cls.browser = headless_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        super().tearDownClass()

    def open(self, page):
        self.browser.get(page.as_uri())
        WebDriverWait(self.browser, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#settings"))
        WebDriverWait(self.browser, 20).until(lambda b: b.execute_script("return [...document.querySelectorAll('canvas')].every(c => c.chart)"))

    def sections(self):
        return [section.get_attribute("id") for section in self.browser.find_elements(By.TAG_NAME, "section")]

    def test_a_run_leaves_a_page_that_works(self):
        page = self.run_folder / "report.html"
        self.open(page)
        self.assertEqual(self.sections(), ["summary", "parts", "curves", "confusion", "classes", "mistakes", "calibration", "map", "activations", "augmentation", "data", "settings"])
        told = json.loads(graft("evaluate", self.run_folder, self.pictures, "--json", "--quiet", check=False).stdout)
        cells = self.browser.find_elements(By.CSS_SELECTOR, ".confusion tbody tr")
        self.assertEqual([[int(b.text) for b in row.find_elements(By.TAG_NAME, "button")] for row in cells], told["confusion"])
        self.assertIn(f"{100 * told['top1']:.1f} %", self.browser.find_element(By.ID, "summary").text)
        # Nothing came from elsewhere, and nothing went wrong.
        self.assertEqual(self.browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"), [])
        self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")], [])
        self.assertIn("broken.png", self.browser.execute_script("return document.getElementById('data').textContent"))

    def test_a_number_of_the_confusion_opens_its_pictures(self):
        self.open(self.run_folder / "report.html")
        button = next(b for b in self.browser.find_elements(By.CSS_SELECTOR, ".confusion button") if int(b.text) > 0)
        count = int(button.text)
        button.send_keys(Keys.ENTER)  # by keyboard
        dialog = self.browser.find_element(By.TAG_NAME, "dialog")
        self.assertTrue(dialog.is_displayed())
        shown = dialog.find_elements(By.CSS_SELECTOR, ".picture img")
        self.assertEqual(len(shown), count)
        self.assertTrue(all(self.browser.execute_script("return arguments[0].naturalWidth > 0", image) for image in shown))
        ActionChains(self.browser).send_keys(Keys.ESCAPE).perform()
        self.assertFalse(dialog.is_displayed())

    def test_overlays_and_sorting(self):
        self.open(self.run_folder / "report.html")
        first = self.browser.find_element(By.CSS_SELECTOR, "#mistakes .picture img").get_attribute("src")
        self.browser.find_element(By.ID, "overlays").click()
        self.assertNotEqual(self.browser.find_element(By.CSS_SELECTOR, "#mistakes .picture img").get_attribute("src"), first)
        column = lambda: [float(cell.text) for cell in self.browser.find_elements(By.CSS_SELECTOR, "#classes tbody td:nth-child(5)")]
        header = self.browser.find_elements(By.CSS_SELECTOR, "#classes thead button")[4]
        header.click()
        once = column()
        self.assertIn(once, (sorted(once), sorted(once, reverse=True)))
        header.click()
        self.assertEqual(column(), once[::-1] if len(set(once)) == len(once) else column())

    def test_a_point_shows_its_picture(self):
        self.open(self.run_folder / "report.html")
        canvas = self.browser.find_elements(By.CSS_SELECTOR, "#map canvas")[0]
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        x, y, width, height = self.browser.execute_script("""
            const canvas = arguments[0], point = canvas.chart.getDatasetMeta(0).data[0], box = canvas.getBoundingClientRect();
            return [point.x, point.y, box.width, box.height];""", canvas)
        ActionChains(self.browser).move_to_element_with_offset(canvas, x - width / 2, y - height / 2).perform()
        hover = self.browser.find_element(By.CSS_SELECTOR, ".hover")
        WebDriverWait(self.browser, 10).until(lambda _: hover.is_displayed())
        self.assertEqual(len(hover.find_elements(By.TAG_NAME, "img")), 1)

    def test_dark_and_on_a_phone(self):
        for dark in (False, True):
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True})
            self.open(self.run_folder / "report.html")
            red = int(self.browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color").split("(")[1].split(",")[0])
            self.assertEqual(red < 100, dark)
            self.assertLessEqual(self.browser.execute_script("return document.documentElement.scrollWidth"), 390)
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def test_report_of_any_model_and_of_other_tasks(self):
        page = self.base / "again.html"
        graft("report", self.run_folder, "-o", page, "--quiet", check=False)
        self.open(page)
        self.assertIn("train", self.browser.find_element(By.CSS_SELECTOR, "#parts thead").text)
        light = self.base / "light.csv"
        rows = ["path,light,split"]
        for i, path in enumerate(sorted(self.pictures.rglob("*.png"))):
            if path.name != "broken.png":
                rows.append(f"{path},{i % 7},{'val' if 'val' in path.parts else 'train'}")
        light.write_text("\n".join(rows) + "\n")
        graft("finetune", BUNDLED, light, "-o", self.base / "light", "--task", "regression", "--epochs", 2, "--quiet")
        self.open(self.base / "light" / "report.html")
        self.assertIn("residuals", self.sections())
        marks = self.base / "marks.csv"
        marks.write_text("path,labels,split\n" + "".join(f"{row.split(',')[0]},{'odd' if i % 2 else 'even'};all,{row.split(',')[2]}\n" for i, row in enumerate(rows[1:])))
        graft("finetune", BUNDLED, marks, "-o", self.base / "marks", "--task", "multi-label", "--epochs", 2, "--quiet")
        self.open(self.base / "marks" / "report.html")
        self.assertIn("best threshold", self.browser.find_element(By.ID, "classes").text)
        graft("finetune", BUNDLED, self.pictures, "-o", self.base / "none", "--epochs", 1, "--no-report", "--quiet", check=False)
        self.assertFalse((self.base / "none" / "report.html").exists())


if __name__ == "__main__":
    unittest.main()
