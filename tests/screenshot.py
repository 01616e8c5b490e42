"""Opens a page in headless Chromium: a picture or a PDF of it, and how wide it really is.

python tests/screenshot.py PAGE.html OUT.png --width 390 --scheme dark
python tests/screenshot.py PAGE.html OUT.pdf
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "helpers"))
from chromium import NAMES, find_browser
from looking import View, looker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path, help="a .png or a .pdf")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--media", choices=("screen", "print"), default="screen")
    parser.add_argument("--viewport", action="store_true", help="only what the viewport shows")
    options = parser.parse_args()
    if find_browser() is None:
        parser.error(f"there is none of {', '.join(NAMES)} on the PATH")
    with looker() as browser:
        view = View(options.width, options.height, options.scheme, options.media)
        requested = browser.open(options.page, view)
        is_pdf = options.out.suffix == ".pdf"
        data = browser.pdf() if is_pdf else browser.picture(full=not options.viewport)
        width = browser.evaluate("document.documentElement.scrollWidth")
    options.out.write_bytes(data)
    print(json.dumps({"scroll_width": width, "viewport": options.width, "requested": requested}))


if __name__ == "__main__":
    main()
