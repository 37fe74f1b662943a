"""A real browser for the tests of pages."""
import shutil
import unittest

from selenium import webdriver
from selenium.common.exceptions import WebDriverException


def headless_browser():
    """Chromium without a window; skips the test, saying why, where there is none."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        raise unittest.SkipTest("there is no Chromium here")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1200,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    except WebDriverException as error:  # a machine may forbid what a browser needs
        raise unittest.SkipTest(f"Chromium does not start here: {error.msg}")
