"""A real browser, without a window: Debian's chromium, driven by selenium. Nothing is downloaded.

Where one of them is missing, the tests are skipped and say what it is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESKTOP, PHONE = (1440, 900), (390, 844)


class Browser:
    """A browser with one page, and what can be asked of that."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(
        self, page: Path, fragment: str = "", *, size: tuple[int, int] = DESKTOP, dark: bool = False
    ) -> None:
        """Open a file as if for the first time."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(page.as_uri() + fragment)

    def js(self, script: str, *args: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(f"return {script}", *args)

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds."""
        return str(self.js("document.querySelector(arguments[0]).innerText", selector))

    def texts(self, selector: str) -> list[str]:
        """The texts of all of them."""
        found = "[...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        return [str(text) for text in self.js(found, selector)]

    def click(self, selector: str) -> None:
        """Click on the first element that a selector finds."""
        self.driver.find_element("css selector", selector).click()

    def keys(self, *keys: str) -> None:
        """Type."""
        for key in keys:
            self.driver.find_element("css selector", "body").send_keys(key)

    def step(self) -> int:
        """The number of the step that is shown; -1: the start."""
        where = self.text("#where")
        return -1 if where.startswith("start") else int(where.split()[1])

    def wait_for_step(self, step: int) -> None:
        """Wait until a step is shown: a changed address is noticed a little later."""
        for _ in range(100):
            if self.step() == step:
                return
            sleep(0.02)
        pytest.fail(f"step {step} was not shown, but {self.step()}")

    def wrong(self) -> list[str]:
        """What the console complained about."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def fetched(self) -> list[str]:
        """The addresses of all that was asked for."""
        events = (json.loads(e["message"])["message"] for e in self.driver.get_log("performance"))
        return [
            str(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


def missing() -> str | None:
    """What keeps the tests from being run."""
    if find_spec("selenium") is None:
        return "selenium is missing: pip install -e '.[browser]'"
    for command, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(command) is None:
            return f"{command} is missing: apt-get install {package}"
    return None


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if why := missing():
        pytest.skip(why)
    webdriver: Any = import_module("selenium.webdriver")  # no type checker needs it
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY"):  # the driver is asked over the loopback
            patch.setenv(name, "localhost,127.0.0.1")
        driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


@pytest.fixture
def browser(_browser: Browser) -> Iterator[Browser]:
    """The browser; at the end of a test nothing went wrong in it, and nothing was fetched."""
    yield _browser
    assert not _browser.wrong()
    assert {url.partition(":")[0] for url in _browser.fetched()} <= {"file", "data", "about"}
