"""A run on a real cluster: a scheduler and nodes in processes of their own, which are killed."""

from __future__ import annotations

import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import pytest
from dask_cluster import PATIENCE_S, Cluster, cluster
from many_pictures import Folders, children, files_of, rows_of

from lama_edge.errors import ModelError, UsageError
from lama_edge.runtimes.batch import engine
from lama_edge.runtimes.batch.engine import ClusterError
from lama_edge.runtimes.batch.progress import Progress
from lama_edge.runtimes.batch.run import inpaint_many
from lama_edge.stores.base import StoreError

NO_FILES = dict.fromkeys(("tls.ca-file", "tls.client.cert", "tls.client.key"), "no.pem")


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), nodes=2) as started:
        yield started


def check(many: Folders, output: Path) -> None:
    """Every result once, none missing, and the record right."""
    assert files_of(output) == many.expected
    rows = rows_of(output)
    assert len(rows) == len(many.expected) + len(many.bad)
    assert {name: row.error for name, row in rows.items() if row.error} == many.messages
    good = [row for row in rows.values() if row.status == "written"]
    assert sorted(row.result for row in good) == sorted(many.expected)
    assert {row.result: row.result_bytes for row in good} == {
        name: len(data) for name, data in many.expected.items()
    }


def test_three_hundred_pictures_are_as_one_process_makes_them(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    summary = inpaint_many(many.job(tmp_path, cluster=two_nodes.address))
    check(many, tmp_path)
    assert summary.failed == many.messages
    workers = {row.worker.partition("/")[0] for row in rows_of(tmp_path).values() if row.worker}
    assert len(workers) == 2


def test_a_node_that_dies_leaves_its_pictures_to_the_others(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    lost = two_nodes.add_node()
    killed = []

    def kill(progress: Progress) -> None:
        if progress.done >= 100 and progress.workers == 3 and not killed:
            two_nodes.kill(lost)
            killed.append(lost)

    two_nodes.wait_for(3)
    summary = inpaint_many(many.job(tmp_path, cluster=two_nodes.address), kill)
    assert killed
    check(many, tmp_path)
    assert summary.failed == many.messages


def test_a_worker_that_dies_has_its_picture_begun_again(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if progress.done >= 100 and not killed:
            victim = children(two_nodes.nodes[0].pid)[0]
            victim.kill()
            killed.append(victim.pid)

    inpaint_many(many.job(tmp_path, cluster=two_nodes.address), kill)
    assert killed
    check(many, tmp_path)


def test_a_driver_that_is_killed_goes_on_where_it_was(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    words = [
        *(sys.executable, "-m", "lama_edge.cli", "inpaint", str(many.model), str(many.pictures)),
        *(str(many.masks), "-o", str(tmp_path), "--recursive", "--cluster", two_nodes.address),
    ]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        end = time.monotonic() + PATIENCE_S
        while len(list(tmp_path.glob(".record/part-*.parquet"))) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
    kept = {row.result: row for row in rows_of(tmp_path).values() if row.status == "written"}
    assert 0 < len(kept) < len(many.expected)
    times = {name: (tmp_path / name).stat().st_mtime_ns for name in kept}

    summary = inpaint_many(many.job(tmp_path, cluster=two_nodes.address, resume=True))

    check(many, tmp_path)
    assert summary.unchanged == len(kept)
    assert summary.written == len(many.expected) - len(kept)
    assert times == {name: (tmp_path / name).stat().st_mtime_ns for name in kept}


def test_a_cluster_that_is_not_there_is_told(
    many: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CONNECT_S", 1)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        inpaint_many(many.job(tmp_path, cluster="tcp://127.0.0.1:9"))


def test_a_cluster_without_a_worker_is_waited_for_and_told(
    many: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WORKERS_WITHIN_S", 2.0)
    seen: list[str] = []
    with cluster(tmp_path, nodes=0) as started:
        job = many.job(tmp_path / "out", cluster=started.address)
        with pytest.raises(ClusterError, match=r"tcp://\S+ had no worker for 2 s: start some with"):
            inpaint_many(job, lambda progress: seen.append(progress.waiting))
        assert set(seen) == {"no workers: waiting for one"}
        monkeypatch.setattr(engine, "WORKERS_WITHIN_S", PATIENCE_S)

        def start(progress: Progress) -> None:
            if not started.nodes:
                started.add_node()

        assert inpaint_many(replace(job, resume=True), start).written == len(many.expected)


@pytest.mark.parametrize(
    ("address", "configured", "message"),
    [
        ("tls://127.0.0.1:9", {}, "does not go with 'tls://127.0.0.1:9'"),
        ("tcp://127.0.0.1:9", {"require-encryption": True}, "does not go with 'tcp://127.0.0.1:9'"),
        ("tls://127.0.0.1:9", NO_FILES, "names for TLS is not there"),
    ],
)
def test_tls_that_is_not_set_up_is_told(
    address: str, configured: dict[str, object], message: str, many: Folders, tmp_path: Path
) -> None:
    settings = {f"distributed.comm.{name}": value for name, value in configured.items()}
    with dask.config.set(settings), pytest.raises(UsageError, match=message):
        inpaint_many(many.job(tmp_path, cluster=address))


def test_tls_for_clusters_is_nothing_to_the_workers_of_this_machine() -> None:
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        engine.open_engine(1, None) as opened,
    ):
        assert opened.slots == 1


def test_a_folder_that_workers_do_not_see_is_told(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    job = many.job(tmp_path / "out", cluster=two_nodes.address)
    seen_here = tmp_path / "masks"
    seen_here.symlink_to(many.masks)

    def hide(progress: Progress) -> None:
        seen_here.unlink(missing_ok=True)

    with pytest.raises(StoreError, match="all workers have to see the same folders"):
        inpaint_many(replace(job, masks=str(seen_here)), hide)


def test_a_scheduler_that_dies_ends_the_run_with_what_is_done(
    many: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CONNECT_S", 2)

    def kill(progress: Progress) -> None:
        if progress.written >= 20:
            started.kill(started.scheduler)

    with (
        cluster(tmp_path, nodes=1) as started,
        pytest.raises(ClusterError, match=r"^the connection to the cluster tcp://\S+ was lost: "),
    ):
        inpaint_many(many.job(tmp_path / "out", cluster=started.address), kill)
    kept = [row for row in rows_of(tmp_path / "out").values() if row.status == "written"]
    assert len(kept) >= 20
    assert files_of(tmp_path / "out").keys() >= {row.result for row in kept}


def test_what_a_worker_lacks_is_told_with_its_machine(
    many: Folders, two_nodes: Cluster, tmp_path: Path
) -> None:
    seen_here = tmp_path / "model.onnx"
    seen_here.symlink_to(many.model)
    job = replace(many.job(tmp_path / "out", cluster=two_nodes.address), model=str(seen_here))

    def hide(progress: Progress) -> None:
        seen_here.unlink(missing_ok=True)

    with pytest.raises(ModelError, match=f"^on {re.escape(platform.node())}: .* does not exist"):
        inpaint_many(job, hide)
