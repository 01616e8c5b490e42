"""The demo's page in Chromium: painted with mouse, keys and fingers, erased, saved, held to Python.

Runs the pages that `make web` compiled.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chromium import chromium, ort_web, served
from numpy.typing import NDArray
from PIL import Image

from lama_edge.errors import MissingBackendError
from lama_edge.pictures.scenes import make_scene
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.web.demo import Demo, serve_demo, write_demo
from lama_edge.web.parts import OrtWeb, compiled_pages, find_ort_web
from lama_edge.web.server import PageServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = pytest.mark.browser

# Of busy cores: the model starts in a second where nothing else runs.
PATIENCE_MS = 60_000
MOST_CODE_BYTES = 150_000
HEIGHT, WIDTH = 96, 128
BRUSH = 40  # CSS pixels, as the page starts

Points = Sequence[tuple[int, int]]
Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def pages() -> Path:
    try:
        return compiled_pages()
    except MissingBackendError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def ort(pages: Path) -> OrtWeb:
    return find_ort_web(ort_web())


@pytest.fixture(scope="module")
def browser(ort: OrtWeb) -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a window of its own; fails when the page asked for anything elsewhere."""
    opened: list[tuple[str, BrowserContext, list[str]]] = []

    def show(
        address: str, prepare: Callable[[BrowserContext], object] | None = None, **options: Any
    ) -> Page:
        options = {"viewport": {"width": 720, "height": 640}, **options}
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        if prepare is not None:
            prepare(context)
        page = context.new_page()
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: dialog.accept())
        origin = address[: address.index("/", 8) + 1]
        opened.append((origin, context, asked))
        page.goto(address)
        return page

    yield show
    for origin, context, asked in opened:
        context.close()
        assert asked
        assert [url for url in asked if not url.startswith((origin, f"blob:{origin}"))] == []


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported()


@pytest.fixture(scope="module")
def server(model: Path, ort: OrtWeb) -> Iterator[PageServer]:
    with serve_demo(Demo(model, ort, "wasm")) as serving:
        yield serving


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture with transparency in a corner, whose every byte has to come back."""
    pixels = make_scene(np.random.default_rng(7), HEIGHT, WIDTH)
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:9, :11] = np.arange(11, dtype=np.uint8)[None, :, None]
    path = tmp_path / "photo.png"
    Image.fromarray(np.concatenate([pixels, alpha], 2)).save(path)
    return path


def choose(page: Page, photo: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(photo)
    page.get_by_text("Paint over what shall go").first.wait_for()


def view_of(page: Page) -> tuple[float, float, float]:
    """Return the scale of the stage, and where the picture's corner is in the window."""
    canvas = page.locator("canvas")
    box, told = canvas.bounding_box(), canvas.get_attribute("data-view")
    assert box is not None
    assert told is not None
    scale, x, y = map(float, told.split())
    return scale, box["x"] + x, box["y"] + y


def paint(page: Page, points: Points) -> None:
    """Draw a line with the mouse, in the window's pixels."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in [*points[1:], points[-1]]:
        page.mouse.move(*point)
    page.mouse.up()


def drawn(page: Page, points: Points, diameter: float = BRUSH) -> Mask:
    """Return the pixels whose centres a brush along a line covers, by definition."""
    scale, left, top = view_of(page)
    line = [np.array([(x - left) / scale, (y - top) / scale]) for x, y in points]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    centres = np.stack([columns, rows], -1)
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for a, b in pairwise([line[0], *line]):
        along = (centres - a) @ (b - a) / max(float((b - a) @ (b - a)), 1e-12)
        nearest = a + np.clip(along, 0, 1)[..., None] * (b - a)
        covered |= np.linalg.norm(centres - nearest, axis=-1) <= diameter / 2 / scale
    return covered


def erase(page: Page) -> None:
    button = page.get_by_role("button", name="Erase", exact=True)
    page.locator("button.primary:enabled", has_text="Erase").wait_for()
    button.click()
    page.locator(".said", has_text="Erased in").wait_for()


def saved(page: Page, press: Callable[[], None]) -> tuple[str, NDArray[np.uint8]]:
    with page.expect_download() as waiting:
        press()
    with Image.open(BytesIO(waiting.value.path().read_bytes())) as picture:
        assert picture.format == "PNG"
        return waiting.value.suggested_filename, np.asarray(picture)


def save(page: Page) -> NDArray[np.uint8]:
    return saved(page, lambda: page.get_by_role("button", name="Save").click())[1]


def test_what_is_painted_is_erased_as_in_python_and_the_rest_is_saved_as_it_was(
    open_page: Callable[..., Page], server: PageServer, photo: Path, model: Path
) -> None:
    page = open_page(server.address)
    choose(page, photo)
    first, second, third = [(150, 200), (260, 330)], [(250, 200), (180, 300)], [(480, 150)]
    paint(page, first)
    page.get_by_role("button", name="Eraser").click()
    paint(page, second)
    page.get_by_role("button", name="Brush", exact=True).click()
    paint(page, third)
    mask = drawn(page, first) & ~drawn(page, second) | drawn(page, third)
    erase(page)

    before = np.asarray(Image.open(photo))
    with Inpainter.open(model) as inpainter:
        wanted = inpainter(before, mask.astype(np.uint8) * 255)
        once = save(page)
        assert np.array_equal(once[~mask], before[~mask])
        assert np.abs(once.astype(int) - wanted)[mask].max() <= 1
        assert not np.array_equal(once[mask], before[mask])

        # Again, on the result.
        paint(page, [(400, 400), (520, 420)])
        again = drawn(page, [(400, 400), (520, 420)])
        erase(page)
        twice = save(page)
        wanted = inpainter(once, again.astype(np.uint8) * 255)
    assert np.array_equal(twice[~again], once[~again])
    assert np.abs(twice.astype(int) - wanted)[again].max() <= 1

    undo = page.get_by_role("button", name="Undo")
    undo.click()
    assert np.array_equal(save(page), once)
    for _ in range(5):
        undo.click()
    assert undo.is_disabled()
    assert np.array_equal(save(page), before)
    for _ in range(6):
        page.keyboard.press("Control+Shift+Z")
    assert np.array_equal(save(page), twice)


def test_a_tool_paints_as_soon_as_it_was_taken(
    open_page: Callable[..., Page], server: PageServer, photo: Path
) -> None:
    page = open_page(server.address)
    choose(page, photo)
    page.get_by_role("button", name="Eraser").click()
    # Before the browser painted: it knows no pointer of that number.
    page.get_by_role("button", name="Brush", exact=True).evaluate(
        """async (button, [clientX, clientY]) => {
            const canvas = document.querySelector("canvas");
            canvas.setPointerCapture = () => {};
            button.click();
            for (let turn = 0; turn < 9; turn++) await null;
            const event = { clientX, clientY, pointerId: 9, bubbles: true };
            canvas.dispatchEvent(new PointerEvent("pointerdown", event));
            canvas.dispatchEvent(new PointerEvent("pointerup", event));
        }""",
        [150, 200],
    )
    erase(page)


def test_holding_compare_shows_the_photo_as_it_was(
    open_page: Callable[..., Page], server: PageServer, photo: Path
) -> None:
    page = open_page(server.address)
    choose(page, photo)
    picture = page.locator("canvas")
    page.mouse.move(5, 5)
    before = picture.screenshot()
    paint(page, [(150, 200), (260, 330)])
    erase(page)
    compare = page.get_by_role("button", name="Hold to compare")
    compare.hover()
    after = picture.screenshot()
    assert after != before
    page.mouse.down()
    page.get_by_text("Before", exact=True).wait_for()
    # The same but for the words that lie over it.
    held = shown(picture.screenshot())
    assert np.array_equal(held[60:400], shown(before)[60:400])
    page.mouse.up()
    page.get_by_text("Before", exact=True).wait_for(state="detached")
    assert np.array_equal(shown(picture.screenshot())[60:400], shown(after)[60:400])


def shown(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"))


def test_everything_can_be_done_by_keyboard_alone(
    open_page: Callable[..., Page], server: PageServer, photo: Path
) -> None:
    page = open_page(server.address)
    press = page.keyboard.press

    def reach(name: str) -> None:
        for _ in range(30):
            focused = page.evaluate("document.activeElement.ariaLabel")
            if focused is not None and focused.startswith(name):
                return
            press("Tab")
        raise AssertionError(f"Tab never reached {name!r}")

    page.on("filechooser", lambda chooser: chooser.set_files(photo))
    reach("Open a photo")
    press("Enter")
    page.locator(".said", has_text="Paint over").wait_for()
    page.locator(".badge", has_text="WebAssembly").wait_for()
    reach("The photo")
    press("]")
    for key in ("Shift+ArrowLeft", "ArrowUp", "Space", "ArrowUp", "ArrowUp", "ArrowRight"):
        press(key)
    assert "at " in page.get_by_role("status").inner_text()
    press("Space")
    page.locator(".said", has_text="% of the picture is marked").wait_for()
    page.locator("button.primary:enabled", has_text="Erase").wait_for()
    press("Enter")
    page.locator(".said", has_text="Erased in").wait_for()
    press("Shift+Tab")
    reach("Save")
    name, after = saved(page, lambda: press("Enter"))

    assert name == "photo-erased.png"
    scale, _, _ = view_of(page)
    # From the middle, in steps of 50 and 10 CSS pixels, with a brush of 50.
    steps = np.array([(-50, -10), (-50, -20), (-50, -30), (-40, -30)]) / scale
    line = steps + np.array([WIDTH, HEIGHT]) / 2
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    far = min_distance(np.stack([columns, rows], -1), line)
    before = np.asarray(Image.open(photo))
    changed = (after != before).any(-1)
    assert changed.any()
    assert far[changed].max() <= 25 / scale + 1e-6
    assert np.mean(changed[far < 20 / scale]) > 0.8


def min_distance(centres: NDArray[Any], line: NDArray[Any]) -> NDArray[Any]:
    """Return how far pixels are from a line, in its own pixels; it is sampled densely."""
    places = [a + t * (b - a) for a, b in pairwise(line) for t in np.linspace(0, 1, 33)]
    return np.min([np.linalg.norm(centres - place, axis=-1) for place in places], 0)


def test_one_finger_paints_and_two_zoom(
    open_page: Callable[..., Page], server: PageServer, photo: Path
) -> None:
    page = open_page(server.address, has_touch=True, viewport={"width": 390, "height": 720})
    choose(page, photo)
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[int, int]) -> None:
        fingers = [{"x": x, "y": y, "id": id_} for id_, (x, y) in enumerate(points)]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    undo = page.get_by_role("button", name="Undo")
    before = view_of(page)
    touch("touchStart", (150, 300))
    touch("touchStart", (150, 300), (250, 300))
    touch("touchMove", (100, 300), (300, 300))
    touch("touchEnd")
    scale, left, _ = view_of(page)
    assert scale == pytest.approx(2 * before[0])
    # What was between the fingers still is.
    assert (200 - left) / scale == pytest.approx((200 - before[1]) / before[0])
    assert undo.is_disabled()

    touch("touchStart", (150, 300))
    touch("touchMove", (180, 340))
    touch("touchEnd")
    page.locator(".said", has_text="% of the picture is marked").wait_for()
    assert undo.is_enabled()
    page.get_by_role("button", name="Show all").click()
    assert view_of(page) == before


def test_a_model_that_is_ready_late_does_not_hide_what_is_said_of_the_picture(
    open_page: Callable[..., Page], server: PageServer, photo: Path
) -> None:
    held: list[Route] = []

    def hold(context: BrowserContext) -> None:
        # Playwright cannot mark a built-in method as its handler.
        context.route("**/*.onnx", lambda route: held.append(route))

    page = open_page(server.address, hold)
    choose(page, photo)
    paint(page, [(150, 200), (260, 330)])
    page.locator(".said", has_text="% of the picture is marked").wait_for()
    (model,) = held
    model.continue_()
    page.locator(".said", has_text="The model is ready").wait_for()
    assert "% of the picture is marked" in page.locator(".said").inner_text()


def test_a_page_that_is_hosted_as_files_works_in_any_folder_with_one_thread_and_says_so(
    open_page: Callable[..., Page], ort: OrtWeb, model: Path, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    size = write_demo(Demo(model, ort, "wasm"), folder)
    assert size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with served({"/some/where": folder}, isolated=False) as address:
        page = open_page(f"{address}/some/where/index.html")
        choose(page, photo)
        page.locator(".badge", has_text="WebAssembly, 1 thread").wait_for()
        assert "isolated" in page.locator(".notice").inner_text()
        page.get_by_role("button", name="Got it").click()
        assert page.locator(".notice").count() == 0
        paint(page, [(150, 200), (260, 330)])
        mask = drawn(page, [(150, 200), (260, 330)])
        erase(page)
        after, before = save(page), np.asarray(Image.open(photo))
        assert np.array_equal(after[~mask], before[~mask])
        assert (after != before).any()


def test_what_cannot_be_is_said_on_the_page(
    open_page: Callable[..., Page], server: PageServer, ort: OrtWeb, model: Path, tmp_path: Path
) -> None:
    bare, _, token = server.address.partition("#")
    page = open_page(bare)
    assert "no settings.json" in alert(page)
    page = open_page(f"{bare}#{token[:-1]}")
    assert "does not take this address" in alert(page)

    page = open_page(server.address)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nand then nothing")
    page.locator("input[type=file]").first.set_input_files(broken)
    assert alert(page).startswith("broken.png cannot be opened: ")
    page.locator(".badge", has_text="WebAssembly").wait_for()
    assert alert(page).startswith("broken.png cannot be opened: ")

    changed = tmp_path / "changed.onnx"
    shutil.copyfile(model, changed)
    with serve_demo(Demo(changed, ort)) as other:
        changed.write_bytes(model.read_bytes() + b"\0")
        assert "410" in alert(open_page(other.address))
    with serve_demo(Demo(model, ort, "webgpu")) as other:
        assert "WebGPU" in alert(open_page(other.address))


def alert(page: Page) -> str:
    found = page.get_by_role("alert")
    found.wait_for()
    return found.inner_text()


def test_the_pages_code_is_small(pages: Path) -> None:
    for page in ("bench", "demo"):
        code = [
            path
            for path in (pages / page).rglob("*")
            if path.suffix in {".html", ".js", ".css", ".svg"}
        ]
        assert len(code) >= 3
        total = sum(len(gzip.compress(path.read_bytes())) for path in code)
        assert total < MOST_CODE_BYTES


def test_the_command_says_where_the_page_is_and_ends_with_ctrl_c(
    open_page: Callable[..., Page], ort: OrtWeb, model: Path
) -> None:
    import signal
    import subprocess
    import sys

    command = [sys.executable, "-m", "lama_edge.cli", "demo", str(model), "--ort-web"]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [*command, str(ort.folder)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        page = open_page(address)
        page.locator(".badge", has_text="WebAssembly").wait_for()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "lama-edge: interrupted\n"
