"""The demo's page: served with a model by this machine, or written as files for any server."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from lama_edge.errors import UsageError
from lama_edge.files import atomic_artifact, check_artifact, sha256_of
from lama_edge.web.parts import ORT_FILES, OrtWeb, compiled_pages

if TYPE_CHECKING:
    from lama_edge.web.server import PageServer

DemoProvider = Literal["auto", "webgpu", "wasm"]
PROVIDERS: tuple[DemoProvider, ...] = get_args(DemoProvider)

# What the page asks for first.
_SETTINGS = "settings.json"
_MODEL = "model.onnx"
_ORT_DISTRIBUTION = "lama-edge-ort-web"
_LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
# Every folder that `write_demo` made has it; files called settings.json lie in many others.
_MARK = f"ort/{ORT_FILES[0]}"
# What this and other releases write: files beside those are somebody's own.
_WRITTEN = re.compile(
    r"index\.html|licences\.md|model\.onnx|settings\.json|assets/[^/]+-[\w-]+\.\w+|"
    r"ort/(LICENSE|ThirdPartyNotices\.txt|ort[\w.-]*\.(mjs|wasm))"
)


@dataclass(frozen=True)
class Demo:
    """What the page shall work with.

    Attributes:
        model: an ONNX file with a manifest of ours.
        ort: ONNX Runtime Web.
        provider: what may run the model; the page falls back for ``auto`` alone.
    """

    model: Path
    ort: OrtWeb
    provider: DemoProvider = "auto"

    def settings(self, url: str, ort: str) -> dict[str, Any]:
        """Return what the page is told, as plain data.

        Args:
            url: of the model, relative to the page.
            ort: of ONNX Runtime Web's folder, likewise.
        """
        return {
            "model": {
                "url": url,
                "name": self.model.name,
                "bytes": self.model.stat().st_size,
                "sha256": sha256_of(self.model),
            },
            "ort": ort,
            "provider": self.provider,
        }


def serve_demo(demo: Demo, *, lan: bool = False, port: int | None = None) -> PageServer:
    """Serve the page until the server is closed; see `PageServer` for what is raised.

    Args:
        demo: what it works with.
        lan: serve the network too, by https.
        port: None for any that is free.
    """
    from lama_edge.web.server import PageServer

    server = PageServer("demo", demo.ort, lan=lan, port=port)
    try:
        # The server knows the file by its hash, and serves it only while it is the same.
        settings = demo.settings("", "../ort/")
        settings["model"]["url"] = server.add_file(demo.model, settings["model"]["sha256"])
        server.add_document(_SETTINGS, settings)
    except BaseException:
        server.close()
        raise
    return server


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that `write_demo` must not write.

    Raises:
        UsageError: when it is there and no demo's, holds something else too, or shall not be
            replaced.
    """
    check_artifact("folder", folder, overwrite=overwrite, contents=_MARK, split_suffixes=())
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in ("assets", "ort") and not _WRITTEN.fullmatch(name):
            raise UsageError(
                f"the folder {str(folder)!r} holds {name!r}, which no demo wrote: move that away, "
                "or name another folder"
            )


def write_demo(demo: Demo, folder: Path) -> int:
    """Write the page with the model and ONNX Runtime Web as files that any server can host.

    All addresses in it are relative. It stands there whole or not at all.

    Args:
        demo: what it works with.
        folder: where it shall stand; what is there is replaced.

    Returns:
        The bytes of all files.

    Raises:
        MissingBackendError: when the pages were not compiled.
    """
    pages = compiled_pages() / "demo"
    with atomic_artifact("folder", folder) as made:
        # What is compressed beside is for our own server.
        shutil.copytree(
            pages, made, ignore=shutil.ignore_patterns("*.gz"), copy_function=shutil.copyfile
        )
        shutil.copyfile(demo.model, made / _MODEL)
        (made / "ort").mkdir()
        for file in [*(demo.ort.folder / name for name in ORT_FILES), *_licences(demo.ort)]:
            shutil.copyfile(file, made / "ort" / file.name)
        settings = json.dumps(demo.settings(_MODEL, "ort/"), indent=2)
        (made / _SETTINGS).write_text(settings + "\n", encoding="utf-8")
        return sum(file.stat().st_size for file in made.rglob("*") if file.is_file())


def _licences(ort: OrtWeb) -> Iterator[Path]:
    """Find the texts that go with ONNX Runtime Web: in its package, or where it was unpacked."""
    files = [ort.folder / name for name in _LICENCES]
    try:
        known = metadata.files(_ORT_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        known = []
    if any(Path(str(one.locate())).parent == ort.folder for one in known):
        files += [Path(str(one.locate())) for one in known if one.name in _LICENCES]
    return filter(Path.is_file, files)
