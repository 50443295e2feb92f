"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.rest.load import Figures

Results = Mapping[tuple[int, str], list[Figures]]
"""By number of executions in the table and name of the call: the figures of each round."""


def table(machine: Mapping[str, str], results: Results, compared: Mapping[str, str]) -> str:
    """Return a table in Markdown, with medians over the rounds."""
    return "\n".join(_lines(machine, results, compared))


def _lines(machine: Mapping[str, str], results: Results, compared: Mapping[str, str]) -> Iterator[str]:
    yield ", ".join(f"{name} {said}" for name, said in machine.items()) + "."
    yield ""
    yield (
        "| executions | call | requests/s | p50, ms | p95, ms | p99, ms | rate, of bare | p99, of bare |"
        " rate, of that with fewest |"
    )
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in _rows(results, compared):
        milliseconds = " | ".join(f"{row[key] * 1000:.1f}" for key in ("p50", "p95", "p99"))
        ratios = " | ".join(f"{row[key]:.2f}" for key in ("rate_of_bare", "p99_of_bare", "rate_of_fewest"))
        yield f"| {row['executions']:,} | {row['call']} | {row['rate']:.0f} | {milliseconds} | {ratios} |"


def as_json(machine: Mapping[str, str], results: Results, compared: Mapping[str, str]) -> dict[str, Any]:
    """Return everything: medians, and the figures of each round."""
    return {"machine": dict(machine), "calls": list(_rows(results, compared))}


def _rows(results: Results, compared: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    fewest = min(count for count, _ in results)
    for (count, name), rounds in results.items():
        bare = results[count, compared[name]]
        medians = {key: _median(rounds, key) for key in ("rate", "p50", "p95", "p99")}
        yield {
            "executions": count,
            "call": name,
            **medians,
            # Ratios are those of each round, since the machine is not the same in each; then their median.
            "rate_of_bare": _ratio(rounds, bare, lambda one: one.rate),
            "p99_of_bare": _ratio(rounds, bare, lambda one: one.p99),
            "rate_of_fewest": medians["rate"] / _median(results[fewest, name], "rate"),
            "rounds": [asdict(one) for one in rounds],
        }


def _median(rounds: list[Figures], key: str) -> float:
    return statistics.median(getattr(one, key) for one in rounds)


def _ratio(rounds: list[Figures], others: list[Figures], of: Callable[[Figures], float]) -> float:
    return statistics.median(of(one) / of(other) for one, other in zip(rounds, others, strict=True))
