"""``poise demo`` from beginning to end, with an empty cache and with a full one. Targets: 3 minutes, 2 GB."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks._common import write_result


def main() -> None:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "POISE_CACHE": f"{folder}/cache", "PIP_NO_CACHE_DIR": "1"}
        for cache in ("empty", "full"):
            start = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "poise", "demo", "--no-serve", "--folder", f"{folder}/{cache}"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(process.pid, 0)
            rows.append(
                {
                    "cache": cache,
                    "seconds": round(time.perf_counter() - start, 1),
                    "peak_memory_mb": round(usage.ru_maxrss / 1024),
                    "exit_code": os.waitstatus_to_exitcode(status),
                }
            )
    write_result("demo", rows)


if __name__ == "__main__":
    main()
