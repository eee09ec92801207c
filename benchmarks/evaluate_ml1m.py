"""Full-ranking evaluation of all users of MovieLens 1M for a fitted EASE, all figures. Target: 10 s on 2 cores."""

from __future__ import annotations

import time

from benchmarks._common import peak_memory_mb, write_result


def main() -> None:
    from poise.data.split import leave_last_out
    from poise.datasets.registry import load
    from poise.evaluation import evaluate
    from poise.models.linear.ease import EASE

    split = leave_last_out(load("movielens-1m"))
    start = time.perf_counter()
    model = EASE().fit(split.train)
    fitted = time.perf_counter()
    report = evaluate(model, split.test)
    measured = time.perf_counter()
    report.to_dict()  # intervals of all figures, of all groups
    done = time.perf_counter()
    estimates = report.estimates["EASE"]
    write_result(
        "evaluate_ml1m",
        [
            {
                "model": "EASE",
                "requests": report.protocol.requests,
                "items": report.protocol.items,
                "figures": len(estimates),
                "fit_seconds": round(fitted - start, 2),
                "rank_seconds": round(report.seconds["EASE"], 2),
                "evaluate_seconds": round(measured - fitted, 2),
                "bootstrap_seconds": round(done - measured, 2),
                "total_seconds": round(done - fitted, 2),
                "recall_at_10": round(estimates["Recall@10"].value, 4),
                "ndcg_at_10": round(estimates["NDCG@10"].value, 4),
                "peak_memory_mb": round(peak_memory_mb()),
            }
        ],
    )


if __name__ == "__main__":
    main()
