"""How long ``import poise`` and the first answers of the command line take, each in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks._common import write_result

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import poise": ["-c", "import poise"],
    "poise --help": ["-m", "poise", "--help"],
    "poise recommend --help": ["-m", "poise", "recommend", "--help"],
    "import poise.project": ["-c", "import poise.project"],
}
TIMES = 7


def main() -> None:
    rows = []
    for name, arguments in COMMANDS.items():
        seconds = []
        for _ in range(TIMES):
            started = time.perf_counter()
            process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
            _, _, usage = os.wait4(process.pid, 0)
            seconds.append(time.perf_counter() - started)
        rows.append(
            {
                "what": name,
                "median_seconds": sorted(seconds)[TIMES // 2],
                "least_seconds": min(seconds),
                "peak_memory_mb": round(usage.ru_maxrss / 1024),
            }
        )
    write_result("import_time", rows)


if __name__ == "__main__":
    main()
