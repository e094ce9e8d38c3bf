"""Metrics: one table, and only the labels it names."""

import pytest

from shared.telemetry import metrics


def test_every_metric_stands_in_the_table_and_says_what_to_do() -> None:
    table = metrics.metrics_table()
    for metric in metrics.all_metrics():
        assert f"`{metric.name}`" in table
        assert metric.name.startswith("tenure_")
        assert metric.help.endswith(".")
        assert metric.when_it_rises.endswith((".", "`.", "."))
        assert (metric.kind == "counter") == metric.name.endswith("_total")


def test_a_counter_counts_by_its_labels() -> None:
    before = metrics.DEAD_LETTERS.value(topic="a-test", reason="not JSON")
    metrics.DEAD_LETTERS.add(topic="a-test", reason="not JSON")
    metrics.DEAD_LETTERS.add(2, reason="not JSON", topic="a-test")
    assert metrics.DEAD_LETTERS.value(topic="a-test", reason="not JSON") == before + 3


@pytest.mark.parametrize("labels", [{}, {"topic": "t"}, {"topic": "t", "reason": "r", "person": "p"}])
def test_other_labels_than_the_tables_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tenure_dead_letters_total is counted by"):
        metrics.DEAD_LETTERS.add(**labels)


def test_a_gauge_that_nobody_measures_any_more_is_not_shown() -> None:
    metrics.LAG.set(7, service="a-test", topic="t")
    assert b'tenure_lag{service="a-test",topic="t"} 7.0' in metrics.exposition()
    metrics.LAG.forget(service="a-test", topic="t")
    metrics.LAG.forget(service="a-test", topic="t")
    assert b"a-test" not in b"\n".join(
        line for line in metrics.exposition().splitlines() if line.startswith(b"tenure_lag")
    )


def test_a_histogram_sums_what_was_observed() -> None:
    metrics.STEP_SECONDS.observe(0.25, service="a-test", step="write")
    metrics.STEP_SECONDS.observe(0.5, service="a-test", step="write")
    assert metrics.STEP_SECONDS.value(service="a-test", step="write") == 0.75
