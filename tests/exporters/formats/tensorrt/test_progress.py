"""How far a builder is: never back, never past the end, and stopped by the user."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.exporters.formats.tensorrt.progress import BuildMonitor

NAMES = st.sampled_from(["build", "optimise", "time", "reformat"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), NAMES, st.none() | NAMES, st.integers(0, 5)),
        st.tuples(st.just("step"), NAMES, st.integers(0, 9), st.none()),
        st.tuples(st.just("finish"), NAMES, st.none(), st.none()),
    ),
    max_size=40,
)


@settings(derandomize=True, max_examples=200)
@given(EVENTS)
def test_progress_never_goes_back_or_past_the_end_whatever_the_builder_tells(
    events: list[tuple[str, str, object, int]],
) -> None:
    seen: list[float] = [0.0]
    monitor = BuildMonitor(lambda phase, done: seen.append(done))
    for kind, name, second, third in events:
        if kind == "start":
            monitor.start(name, second, third)  # type: ignore[arg-type]
        elif kind == "step":
            assert monitor.step(name, second)  # type: ignore[arg-type]
        else:
            monitor.finish(name)
    assert seen == sorted(seen)
    assert seen[-1] <= 1.0


def test_a_nested_phase_counts_as_one_step_of_its_parent() -> None:
    seen: list[tuple[str, float]] = []
    monitor = BuildMonitor(lambda phase, done: seen.append((phase, done)))
    monitor.start("build", None, 4)
    monitor.step("build", 0)
    monitor.start("time", "build", 2)
    monitor.step("time", 0)
    monitor.finish("time")
    monitor.step("build", 1)
    monitor.finish("build")
    assert seen == [
        ("build", 0.0),
        ("build", 0.25),
        ("time", 0.25),
        ("time", 0.375),
        ("time", 0.5),
        ("build", 0.5),
        ("build", 1.0),
    ]


def test_an_interruption_stops_the_builder_and_does_not_pass_through_it() -> None:
    def interrupt(phase: str, done: float) -> None:
        raise KeyboardInterrupt

    monitor = BuildMonitor(interrupt)
    monitor.start("build", None, 2)
    assert monitor.interrupted
    assert not monitor.step("build", 0)
