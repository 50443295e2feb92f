"""How a Python is had that this machine does not have."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests import debian_python
from tests.debian_python import LEFT_OUT, main, mirror, pip_settings, places_in

OTHERS = "deb https://packages.example/cloud stable main\nTypes: deb\nURIs: https://deb.example/node_20.x\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Types: deb\n# why\nURIs: http://mirror.example/debian\nSuites: bookworm\n", "http://mirror.example/debian"),
        ("deb [arch=amd64] https://mirror.example/debian/ sid main\n", "https://mirror.example/debian/"),
        ("# deb http://mirror.example/debian sid main\ndeb-src http://mirror.example/debian sid main\n", None),
        ("URIs: http://mirror.example/debian-security\n", None),
        ("URIs: http://archive.example/ubuntu\n", None),
    ],
)
def test_the_mirror_is_the_one_that_apt_uses(tmp_path, monkeypatch, text, expected):
    monkeypatch.delenv("SCHEDULED_TASKS_TEST_DEBIAN_MIRROR", raising=False)
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a.list").write_text(OTHERS)
    (folder / "b.sources").write_text(text)
    assert mirror(tmp_path) == expected


def test_a_variable_names_another_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDULED_TASKS_TEST_DEBIAN_MIRROR", "file:///mirror")
    assert mirror(tmp_path) == "file:///mirror"


def test_settings_of_pip_become_variables(monkeypatch):
    text = (
        ":env:.timeout='9'\nglobal.extra-index-url='https://a/simple\\nhttps://b/simple'\ninstall.no-binary=':none:'\n"
    )
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: subprocess.CompletedProcess([], 0, stdout=text))
    assert pip_settings() == {"PIP_EXTRA_INDEX_URL": "https://a/simple\nhttps://b/simple", "PIP_NO_BINARY": ":none:"}


def test_what_settings_name_on_this_machine_is_found(tmp_path):
    index, file = tmp_path / "index" / "simple", tmp_path / "ca.crt"
    index.mkdir(parents=True)
    file.touch()
    values = [f"https://example.org/simple file://{index}", str(file), f"{tmp_path}/absent", "9", "file:///"]
    assert list(places_in(values)) == [index.parent, file]


def test_where_it_cannot_be_done_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["py314-dj61"]) == LEFT_OUT
    assert capsys.readouterr().err == "py314-dj61: left out, since it takes root on Linux.\n"


def test_a_distribution_that_cannot_be_made_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCHEDULED_TASKS_TEST_DEBIAN", str(tmp_path))
    monkeypatch.setattr(debian_python, "require", lambda: None)
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: subprocess.CompletedProcess([], 1))
    assert main(["py399"]) == LEFT_OUT
    assert "py399: left out, since debootstrap failed, see " in capsys.readouterr().err
    assert not (tmp_path / "debian-python3.99").exists()


@pytest.mark.parametrize("pair", ["3.14", "py27", "dj61"])
def test_a_word_that_is_no_pair_is_refused(pair):
    with pytest.raises(SystemExit, match="2"):
        main([pair])
