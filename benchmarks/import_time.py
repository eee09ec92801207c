"""How long ``import poise`` and the first answers of the command line take, each in a fresh process."""

from __future__ import annotations

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
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - started)
        rows.append({"what": name, "median s": sorted(seconds)[TIMES // 2], "least s": min(seconds)})
    write_result("import_time", rows)


if __name__ == "__main__":
    main()
