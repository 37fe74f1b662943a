"""Named places beside what pictures show: GeoJSON, positions in EXIF of every format, and the page's own box."""
import io
import json
import subprocess
import unittest

from PIL import Image, features
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import headless_browser
from serving import Server
from support import BUNDLED, GRAFT, ScratchTest, graft

VALLEY = [[[-120, 37], [-119, 37], [-119, 38], [-120, 38], [-120, 37]]]
# A ring with a hole, and a second part of the same area.
ISLANDS = [[[[10, -5], [20, -5], [20, 5], [10, 5], [10, -5]], [[14, -1], [16, -1], [16, 1], [14, 1], [14, -1]]], [[[30, 0], [31, 0], [31, 1], [30, 1], [30, 0]]]]


def feature(kind, coordinates, **properties):
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


PARKS = {"type": "FeatureCollection", "name": "National parks",
         "features": [feature("Polygon", VALLEY, name="Valley"), feature("MultiPolygon", ISLANDS, name="Islands"), feature("Polygon", [[[-121, 36], [-118, 36], [-118, 39], [-121, 39], [-121, 36]]])]}


def degrees(value):
    value = abs(value)
    return (int(value), int(value * 60) % 60, round(value * 3600 % 60, 4))


def picture(latitude=None, longitude=None, form="JPEG"):
    exif = Image.Exif()
    if latitude is not None:
        exif.get_ifd(0x8825).update({1: "N" if latitude >= 0 else "S", 2: degrees(latitude), 3: "E" if longitude >= 0 else "W", 4: degrees(longitude)})
        exif[0x8825] = 0  # what is written for it is the directory
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 120, 60)).save(out, form, exif=exif)
    return out.getvalue()


class Places(ScratchTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.base / "parks.geojson"
        cls.file.write_text(json.dumps(PARKS))
        cls.server = Server(f"birds={BUNDLED}", f"other={BUNDLED}", "--places", cls.file)
        cls.addClassCleanup(cls.server.close)

    def place(self, data):
        status, told = self.server.json("/v1/classify", data, "application/octet-stream")
        self.assertEqual(status, 200, told)
        return told["results"][0]["place"]

    def test_each_format_says_where_it_was_taken(self):
        for form in ("JPEG", "PNG", "WEBP", "TIFF", *(["AVIF"] if features.check("avif") else [])):
            self.assertEqual(self.place(picture(37.75, -119.55, form)), {"located": True, "inside": ["Valley", "area 3"]}, form)
            self.assertEqual(self.place(picture(form=form)), {"located": False, "inside": []}, form)

    def test_holes_parts_and_edges(self):
        self.assertEqual(self.place(picture(-4.5, 12))["inside"], ["Islands"])
        self.assertEqual(self.place(picture(0.5, 15))["inside"], [])  # in the hole
        self.assertEqual(self.place(picture(0.5, 30.5))["inside"], ["Islands"])
        self.assertEqual(self.place(picture(37.5, -119))["inside"], ["Valley", "area 3"])  # at the edge
        self.assertEqual(self.place(picture(50, 50)), {"located": True, "inside": []})

    def test_the_position_itself_is_not_told(self):
        _, told = self.server.json("/v1/classify", picture(37.75, -119.55), "image/jpeg")
        self.assertNotIn("37.7", json.dumps(told["results"][0]["place"]))
        self.assertEqual(self.server.json("/v1/models")[1]["places"], "National parks")

    def test_what_cannot_be_used_is_said_with_its_feature(self):
        for name, content, said in (
                ("no.geojson", "{", "is no GeoJSON"),
                ("empty.geojson", json.dumps({"type": "FeatureCollection", "features": []}), "holds no places"),
                ("point.geojson", json.dumps({"type": "FeatureCollection", "features": [feature("Point", [1, 2], name="Here")]}), "feature 1 (Here): is no polygon"),
                ("bow.geojson", json.dumps(feature("Polygon", [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]], name="Bow")), "crosses itself"),
                ("open.geojson", json.dumps(feature("Polygon", [[[0, 0], [1, 1]]])), "cannot be read")):
            path = self.base / name
            path.write_text(content)
            done = subprocess.run([GRAFT, "serve", BUNDLED, "--places", path, "--port", "0"], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode != 0, said in done.stderr), (True, True), done.stderr)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_the_page_has_a_box_of_its_own(self):
        browser = headless_browser()
        self.addCleanup(browser.quit)
        for name, data in (("in.jpg", picture(37.75, -119.55)), ("out.jpg", picture(50, 50)), ("unknown.jpg", picture())):
            (self.base / name).write_bytes(data)
        browser.get(self.server.address)
        wait = WebDriverWait(browser, 20)
        wait.until(lambda b: b.find_element(By.ID, "title").text == "birds and other")
        for name, inside, text in (("in.jpg", "Yes", "Valley, area 3"), ("out.jpg", "No", "Taken somewhere else."), ("unknown.jpg", "Not known", "The picture does not say where it was taken.")):
            browser.find_element(By.ID, "files").send_keys(str(self.base / name))
            box = wait.until(lambda b, name=name: next((a.find_element(By.CSS_SELECTOR, ".place") for a in b.find_elements(By.CSS_SELECTOR, ".answer")
                                                        if a.find_element(By.TAG_NAME, "figcaption").text == name and a.find_element(By.CSS_SELECTOR, ".place").is_displayed()), None))
            self.assertEqual([box.find_element(By.CSS_SELECTOR, s).text for s in (".question", ".inside", ".names")], ["National parks?", inside, text])


if __name__ == "__main__":
    unittest.main()
