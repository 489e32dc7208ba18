"""Take the pictures of the service's page in docs/img: `python examples/page_pictures.py` (needs Chromium)."""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from hashformer.assets import DEMO_CLIP, asset_path
from hashformer.errors import SetupError

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE_MS = 600_000
WIDE, PHONE = {"width": 1000, "height": 1320}, {"width": 390, "height": 844}
SHOTS: dict[str, dict[str, Any]] = {
    "page": {"viewport": WIDE},
    "page-dark": {"viewport": WIDE, "color_scheme": "dark"},
    "page-phone": {"viewport": PHONE, "device_scale_factor": 1.5},
}


@contextmanager
def service(folder: Path, checkpoint: str) -> Iterator[str]:
    """A service on a free port; its address."""
    command = [str(Path(sys.executable).with_name("hashformer")), "serve", "--port", "0", "--work-dir", str(folder)]
    with subprocess.Popen([*command, "--checkpoint", checkpoint], stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            if not address:
                raise SetupError("the service did not start; the line above says why.")
            yield address
        finally:
            process.terminate()


def shoot(browser: Browser, address: str, clip: Path, target: Path, options: dict[str, Any]) -> None:
    """Hand the clip in, wait for the result, and take the picture of what is then on the screen."""
    context = browser.new_context(base_url=address, reduced_motion="reduce", **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/")
    page.set_input_files("#choose", clip)
    page.locator("#result .strip img").first.wait_for()
    loaded = "(video) => video.readyState > 1 || new Promise((done) => video.addEventListener('loadeddata', done))"
    page.locator("#result video").evaluate(f"async (video) => {{ await ({loaded})(video); }}")
    page.evaluate("view.place.go(1.5)")
    page.evaluate("scrollTo(0, document.querySelector('#files').offsetTop - 16)")
    time.sleep(0.5)  # the player draws its frame when it likes
    # Few colours are enough for a page, and take a third of the space.
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256).save(target, optimize=True)
    context.close()


def main(checkpoint: str = "small") -> None:
    """Take all pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SetupError("there is no Chromium. As root: apt-get install -y chromium")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "interview.mp4")
        shutil.copyfile(asset_path(DEMO_CLIP), clip)
        with service(Path(folder, "work"), checkpoint) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            for name, options in SHOTS.items():
                target = Path("docs/img", f"{name}.png")
                shoot(browser, address, clip, target, options)
                print(f"{target}: {target.stat().st_size} bytes")
            browser.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SetupError as error:
        sys.exit(f"page_pictures: {error}")
