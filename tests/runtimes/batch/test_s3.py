"""A run whose folders and model are in a real S3 server on loopback, which goes wrong too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from many_pictures import Folders, change_children, files_of
from s3_server import CuttingProxy, S3Server, s3_server
from s3fs import S3FileSystem

from lama_edge.errors import one_line
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.progress import Progress
from lama_edge.runtimes.batch.record import Record
from lama_edge.runtimes.batch.run import inpaint_many
from lama_edge.stores import remote
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import StoreError

BUCKET = "photos"


@pytest.fixture(scope="module")
def server(some: Folders) -> Iterator[S3Server]:
    with s3_server() as started:
        started.new_bucket(BUCKET)
        client = started.client()
        for prefix, folder in (("in/", some.pictures), ("masks/", some.masks)):
            for name, data in files_of(folder).items():
                client.put_object(Bucket=BUCKET, Key=prefix + name, Body=data)
        client.put_object(Bucket=BUCKET, Key="models/lama.onnx", Body=some.model.read_bytes())
        yield started


@pytest.fixture
def there(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """The server, where this process and workers look for it."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "cache"))
    return server


def job(output: str, bucket: str = BUCKET, **options: object) -> InpaintMany:
    root = f"s3://{bucket}"
    return InpaintMany(
        f"{root}/models/lama.onnx",
        f"{root}/in",
        f"{root}/masks",
        f"{root}/{output}",
        workers=2,
        recursive=True,
        **options,  # type: ignore[arg-type]
    )


def results(server: S3Server, output: str) -> dict[str, bytes]:
    client = server.client()
    keys = [key for key in server.keys(BUCKET) if key.startswith(f"{output}/")]
    found = {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {key.removeprefix(f"{output}/"): data for key, data in found.items()}


def test_results_are_those_of_folders(there: S3Server, some: Folders) -> None:
    summary = inpaint_many(job("out"))
    found = results(there, "out")
    assert found.pop("record.parquet")
    assert found == some.expected
    assert summary.failed.keys() == some.messages.keys()
    assert summary.record == f"s3://{BUCKET}/out/record.parquet"
    for name, message in summary.failed.items():
        assert f"s3://{BUCKET}/" in message or message.startswith("the picture is"), name
        assert "/tmp" not in message

    summary = inpaint_many(job("out", resume=True))
    assert (summary.written, summary.unchanged) == (0, len(some.expected))


def test_wrong_credentials_are_told(there: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY") as caught:
        inpaint_many(job("out"))
    assert one_line(caught.value) == str(caught.value)


def test_a_missing_bucket_is_told(there: S3Server) -> None:
    with pytest.raises(StoreError, match="s3://no-such-bucket"):
        inpaint_many(job("out", bucket="no-such-bucket"))


def test_a_connection_cut_in_mid_run_is_told_and_the_run_goes_on_later(
    there: S3Server, some: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is not to wait long for a connection that nobody mends.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(remote, "_WAITS_S", (0.1,))
    hasty = "from lama_edge.stores import remote\nremote._WAITS_S = (0.1,)"
    change_children(tmp_path, monkeypatch, hasty)
    proxy = CuttingProxy(there.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    S3FileSystem.clear_instance_cache()

    def cut(progress: Progress) -> None:
        if progress.written >= 8:
            proxy.refusing = True

    with pytest.raises(StoreError) as caught:
        inpaint_many(job("cut"), cut)
    said = str(caught.value)
    assert one_line(said) == said
    assert f"s3://{BUCKET}" in said
    proxy.close()
    made = set(results(there, "cut")) & set(some.expected)
    assert 8 <= len(made) < len(some.expected)

    monkeypatch.setenv("AWS_ENDPOINT_URL", there.endpoint)
    S3FileSystem.clear_instance_cache()  # it read the address when it was made
    inpaint_many(job("cut", resume=True))
    found = results(there, "cut")
    assert found.pop("record.parquet")
    assert found == some.expected
    rows = Record(open_store(f"s3://{BUCKET}/cut"), resume=True).earlier()
    assert len(rows) == len(some.expected) + len(some.bad)
