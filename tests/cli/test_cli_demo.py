"""`lama-edge demo`: what it writes and serves, and what it refuses. The page is tests/web's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA

from lama_edge import cli
from lama_edge.files import sha256_of
from lama_edge.web import demo as demos
from lama_edge.web import parts
from lama_edge.web.parts import ORT_FILES


@pytest.fixture
def model(exported: Callable[..., Path]) -> str:
    return str(exported())


@pytest.fixture
def ort(tmp_path: Path) -> str:
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ORT_FILES:
        (folder / name).write_text("/*! ONNX Runtime Web v1.30.0 */")
    (folder / "LICENSE").write_text("MIT")
    return str(folder)


@pytest.fixture(autouse=True)
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "compiled"
    for page in ("bench", "demo"):
        (folder / page / "assets").mkdir(parents=True)
        (folder / page / "index.html").write_text(f"<title>{page}</title>")
    (folder / "demo/assets/index-abc.js").write_text("export {};")
    (folder / "demo/assets/index-abc.js.gz").write_bytes(b"smaller")
    monkeypatch.setattr(parts, "_COMPILED", folder)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(["demo", *words])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return code, captured.err.removeprefix("lama-edge: error: ").strip()


def test_static_writes_all_that_a_server_needs_and_nothing_else(
    model: str, ort: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    words = ["demo", model, "--static", str(site), "--ort-web", ort, "--provider", "wasm"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.startswith(f"wrote {site} (")
    files = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert files == {
        *("index.html", "assets/index-abc.js", "model.onnx", "settings.json", "ort/LICENSE"),
        *(f"ort/{name}" for name in ORT_FILES),
    }
    assert json.loads((site / "settings.json").read_text()) == {
        "model": {
            "url": "model.onnx",
            "name": Path(model).name,
            "bytes": Path(model).stat().st_size,
            "sha256": sha256_of(Path(model)),
        },
        "ort": "ort/",
        "provider": "wasm",
    }
    assert (site / "model.onnx").read_bytes() == Path(model).read_bytes()

    # Again: only when it is said, and only in the place of a page.
    again = refused(capsys, *words[1:])
    assert again == (2, f"the output '{site}' exists: add --overwrite to replace it")
    (site / "assets/old-12345678.js").touch()
    assert cli.main([*words, "--overwrite", "--json"]) == 0
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert json.loads(capsys.readouterr().out) == {"path": str(site), "size_bytes": size}
    assert not (site / "assets/old-12345678.js").exists()


@pytest.mark.parametrize("own", ["own.txt", "assets/own.txt", "ort/own.wasm", "own/index.html"])
def test_a_folder_with_what_no_demo_wrote_is_never_replaced(
    model: str, ort: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], own: str
) -> None:
    site = tmp_path / "site"
    words = [model, "--static", str(site), "--ort-web", ort, "--overwrite"]
    assert cli.main(["demo", *words]) == 0
    capsys.readouterr()
    (site / own).parent.mkdir(exist_ok=True)
    (site / own).write_text("mine")
    code, message = refused(capsys, *words)
    assert code == 2
    assert message.startswith(f"the folder '{site}' holds '{own.removesuffix('/index.html')}'")
    assert (site / own).read_text() == "mine"


@pytest.mark.parametrize("name", ["settings.json", "index.html", "ort.wasm.min.mjs"])
def test_a_folder_that_no_demo_wrote_is_never_replaced(
    model: str, ort: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / name).write_text("mine")
    code, message = refused(capsys, model, "--static", str(own), "--ort-web", ort, "--overwrite")
    assert code == 2
    assert message.startswith(f"the output '{own}' is a folder")
    assert (own / name).read_text() == "mine"


def test_a_page_that_could_not_be_written_leaves_what_was_there(
    model: str,
    ort: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["demo", model, "--static", str(tmp_path / "site"), "--ort-web", ort]
    assert cli.main(words) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()}

    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(demos, "sha256_of", interrupted)
    assert cli.main([*words, "--overwrite"]) == 130
    left = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert left == before
    assert {path.name for path in tmp_path.iterdir()} == {"site", "dist", "compiled"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["MODEL", "--static", "new", "--lan"], 2, "--lan and --port are about serving the page"),
        (["MODEL", "--static", "new", "--port", "1"], 2, "--lan and --port are about serving"),
        (["MODEL", "--overwrite"], 2, "--overwrite is about a written page: add --static DIR"),
        ([str(DATA / "fourier")], 2, "browsers run ONNX files, and '"),
        (["nothing.onnx"], 2, "'nothing.onnx' cannot be read: "),
        (["MODEL", "--ort-web", str(DATA)], 2, f"--ort-web {DATA} has no ort.wasm.min.mjs"),
        (["MODEL", "--port", "99999", "--ort-web", "ORT"], 2, "--port 99999: cannot serve there"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    words: list[str],
    code: int,
    message: str,
    model: str,
    ort: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [{"MODEL": model, "ORT": ort}.get(word, word) for word in words]
    found = refused(capsys, *words)
    assert found[0] == code
    assert found[1].startswith(message)


def test_a_model_of_others_is_refused(
    ort: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    nodes = [onnx.helper.make_node("Identity", ["a"], ["b"])]
    values = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "ab"]
    graph = onnx.helper.make_graph(nodes, "other", values[:1], values[1:])
    path = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    code, message = refused(capsys, str(path), "--ort-web", ort)
    assert code == 2
    assert message.startswith(f"'{path}' carries no lama-edge manifest: lama-edge export onnx ")
    path.write_bytes(b"\xff" * 100)
    assert "damaged, or no ONNX file" in refused(capsys, str(path), "--ort-web", ort)[1]


def test_pages_that_were_not_compiled_are_missing(
    model: str, ort: str, pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pages / "demo/index.html").unlink()
    missing = (3, "the compiled pages are missing: run `make web`")
    assert refused(capsys, model, "--ort-web", ort) == missing
    site = str(tmp_path / "site")
    assert refused(capsys, model, "--ort-web", ort, "--static", site) == missing
    assert not Path(site).exists()


# In a network of its own: the command with --lan, and who opens what it printed.
_LAN = """
import hashlib, json, ssl, subprocess, sys, urllib.request
command = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], *sys.argv[2:]],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
)
told = json.loads("".join(iter(command.stdout.readline, "}\\n")) + "}")
said = command.stderr.readline()
page, _, token = told["address"].partition("#token=")
certificate = ssl.get_server_certificate(("192.168.77.1", int(page.split(":")[2].split("/")[0])))
sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
request = urllib.request.Request(
    page + "documents/settings.json", headers={"Authorization": "Bearer " + token}
)
trusting = ssl._create_unverified_context()
with urllib.request.urlopen(request, context=trusting) as answer:
    settings = json.load(answer)
command.terminate()
print(json.dumps([told, said, sha256, settings, command.wait()]))
"""
_NETWORK = 'ip link set lo up && ip addr add 192.168.77.1/24 dev lo && exec "$@"'


def apart(network: str) -> list[str]:
    """Return what runs a command in a network namespace, or skip the test where there is none."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("there is no unshare or ip: apt-get install util-linux iproute2")
    spaces = ["unshare", "--map-root-user", "--net", "sh", "-c", network, "sh"]
    if subprocess.run([*spaces, "true"], capture_output=True).returncode != 0:
        pytest.skip("no network namespaces here")
    return spaces


def program(pages: Path) -> str:
    """Return the command as Python's, with these pages as the compiled ones."""
    return (
        "import pathlib, sys; from lama_edge import cli; from lama_edge.web import parts; "
        f"parts._COMPILED = pathlib.Path({str(pages)!r}); sys.exit(cli.main(sys.argv[1:]))"
    )


def test_on_the_network_it_is_served_by_https_with_the_certificate_that_is_told(
    model: str, ort: str, pages: Path
) -> None:
    words = ["demo", model, "--lan", "--json", "--ort-web", ort]
    done = subprocess.run(
        [*apart(_NETWORK), sys.executable, "-c", _LAN, program(pages), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    told, said, sha256, settings, code = json.loads(done.stdout)
    assert told["address"].startswith("https://192.168.77.1:")
    assert told["fingerprint"].replace(":", "").lower() == sha256
    assert said.endswith(f"SHA-256 {told['fingerprint']}\n")
    assert settings["model"]["url"] == f"/models/{sha256_of(Path(model))}.onnx"
    assert code == 143


@pytest.mark.parametrize("network", ["true", "ip link set lo up"])
def test_without_a_network_there_is_nobody_to_serve(
    model: str, ort: str, pages: Path, network: str
) -> None:
    words = ["demo", model, "--lan", "--ort-web", ort]
    done = subprocess.run(
        [*apart(f'{network} && exec "$@"'), sys.executable, "-c", program(pages), *words],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "lama-edge: error: --lan: this machine has no IPv4 address on a network: "
        "connect it to one\n"
    )
