"""What the README and the tutorial tell to do, done: in a bare project, with the wheel that is built from here."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Any

import django
import pytest

from tests.docs.blocks import ROOT, Block, blocks_of, commands_of, section
from tests.servers import spare_port

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
TUTORIAL = ROOT / "docs" / "tutorial" / "index.md"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Return the wheel."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def project(wheel, tmp_path):
    """Return a folder in which the wheel's package, and not ours, is found, with the dependencies of the tests."""
    installed, folder = tmp_path / "installed", tmp_path / "project"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    folder.mkdir()
    walker = Walker(folder, {"PYTHONPATH": str(installed)})
    yield walker
    walker.stop()


@pytest.fixture
def bare_project(wheel, tmp_path):
    """Return a folder with a Python of its own, which has Django and nothing else; pip finds the wheel."""
    folder = tmp_path / "project"
    folder.mkdir()
    venv.create(tmp_path / "venv", with_pip=True)
    walker = Walker(folder, {"PIP_FIND_LINKS": str(wheel.parent)}, python=str(tmp_path / "venv" / "bin" / "python"))
    command = [walker.python, "-m", "pip", "install", "--quiet", f"django=={django.__version__}"]
    done = subprocess.run(command, env=walker.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot install Django: {done.stderr[-300:]}")
    yield walker
    walker.stop()


class Walker:
    """Does what a page says, in a folder."""

    def __init__(self, folder: Path, variables: dict[str, str], python: str = "") -> None:
        self.folder, self.python = folder, python or sys.executable
        self.has_own_python = bool(python)
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("SCHEDULED_TASKS", "DJANGO"))}
        superuser = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "password"}
        self.environment = keep | superuser | {"DJANGO_SUPERUSER_EMAIL": "admin@example.com"} | variables
        self.background: list[subprocess.Popen[bytes]] = []

    def follow(self, block: Block) -> None:
        """Do what *block* says."""
        match block.language, block.kind:
            case _, "file":
                (self.folder / block.value).write_text(block.text)
            case _, "append":
                with (self.folder / block.value).open("a") as file:
                    file.write("\n" + block.text)
            case "console", "" | "exit code":
                for line in commands_of(block):
                    self.type(line, exit_code=int(block.value or 0))
            case "python", "shell":
                self.run(["manage.py", "shell"], input=block.text)

    def type(self, line: str, *, exit_code: int = 0) -> None:
        """Run one line of a console block; what stays in the foreground in a terminal goes on in the background."""
        match shlex.split(line):
            case ["python", "manage.py", "runscheduler" | "runserver", *arguments]:
                self.start([line.split()[2], *arguments])
            case ["python", "manage.py", "createsuperuser"]:
                self.run(["manage.py", "createsuperuser", "--noinput"])
            case ["python", *arguments] if "venv" not in arguments:
                self.run(arguments, exit_code=exit_code)
            case ["django-admin", *arguments]:
                self.run(["-m", "django", *arguments])
            case ["pip", *_] as words if self.has_own_python:
                self.run(["-m", *words])
            case ["python", "-m", "venv", *_] | [".", *_] | ["pip", *_]:
                pass  # there is one already
            case ["curl", *_] as words:
                self.run_program([*words, "--fail", "--silent", "--show-error"])
            case words:
                raise AssertionError(f"nobody knows how to do {words}")

    def run(self, arguments: list[str], *, exit_code: int = 0, input: str | None = None) -> str:  # noqa: A002
        return self.run_program([self.python, *arguments], exit_code=exit_code, input=input)

    def run_program(self, words: list[str], *, exit_code: int = 0, input: str | None = None) -> str:  # noqa: A002
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            input=input,
        )
        assert done.returncode == exit_code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, arguments: list[str]) -> None:
        """Start a command that goes on; the web server on a port that is free."""
        with (self.folder / "background.log").open("ab") as log:
            command = [self.python, "manage.py", *arguments]
            if arguments[0] == "runserver":
                command += ["--noreload", str(PORT)]
            self.background.append(
                subprocess.Popen(
                    command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def stop(self) -> None:
        """Stop what goes on, and see that it ends well."""
        for process in self.background:
            process.send_signal(signal.SIGTERM)
        for process in self.background:
            try:
                process.wait(60)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        self.background.clear()


PORT = spare_port()
"""In place of 8000, which may be somebody's."""


@pytest.mark.slow
def test_the_readme_installs_into_a_bare_project(bare_project):
    """With the dependencies that the wheel names, and no other ones."""
    project = bare_project
    project.run(["-m", "django", "startproject", "mysite", "."])
    for block in section(ROOT / "README.md", "Install it into a project", "Define a task", "Run it once"):
        if block.language == "console" and "curl" in block.text:
            continue  # REST has a project of its own to be mounted in; the tutorial does it
        project.follow(_placed(block))
        if block.kind == "file":  # "after changing code, start runscheduler again"
            project.stop()
            project.run(["manage.py", "migrate"])
            project.start(["runscheduler", "--with-cluster"])
        if block.kind == "append":
            found = project.run(["-c", "import django_scheduled_tasks; print(django_scheduled_tasks.__file__)"])
            assert str(project.folder.parent) in found  # the wheel's, not that of this repository
    done = project.run(["manage.py", "run_task", "billOnDemand", "--param", "month=2026-03", "--wait", "--json"])
    assert '"invoices": 2' in done


SETTINGS_OF_A_PROJECT = """
INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", "mysite"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
Q_CLUSTER = {"name": "shop", "orm": "default", "workers": 1, "timeout": 600, "retry": 700}
TEMPLATES[0]["DIRS"] = [BASE_DIR]
STATIC_ROOT = BASE_DIR / "static"
"""


@pytest.mark.slow
def test_it_is_added_to_a_project_that_has_rest_tokens_a_cluster_and_a_catch_all_url(project):
    page = ROOT / "docs" / "how-to" / "existing-project.md"
    project.run(["-m", "django", "startproject", "mysite", "."])
    with (project.folder / "mysite" / "settings.py").open("a") as file:
        file.write(SETTINGS_OF_A_PROJECT)
    (project.folder / "index.html").write_text("the application")
    project.run(["manage.py", "migrate"])
    project.run(["manage.py", "createsuperuser", "--noinput"])
    (tasks,) = [block for block in blocks_of(ROOT / "README.md") if block.value == "tasks.py"]
    project.follow(_placed(tasks))
    for block in section(page, "Apps", "URLs", "Start it"):
        project.follow(_placed(block))
    project.run(["manage.py", "check", "--fail-level", "WARNING"])

    token = project.run(["manage.py", "drf_create_token", "admin"]).split()[2]
    project.start(["runserver"])
    _wait_for_web(project)
    jobs = f"http://127.0.0.1:{PORT}/api/scheduled-tasks/tasks/billOnDemand"
    assert _json(f"{jobs}/run-once/", token, b"{}")["info"]["status"] == "pending"
    done = project.run(["manage.py", "run_task", "billOnDemand", "--wait", "--json"])
    assert '"invoices": 2' in done
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/anything/else", timeout=30) as answer:
        assert answer.read() == b"the application"

    project.run(["manage.py", "collectstatic", "--noinput"])
    for file in ("django_scheduled_tasks", "django_htmx", "admin/css/base.css"):
        assert (project.folder / "static" / file).exists()
    project.stop()
    _uninstall(project, section(page, "Uninstall"))


def _uninstall(project: Walker, blocks: list[Block]) -> None:
    migrate, remove = commands_of(blocks[0])
    project.type(migrate)
    settings, urls = (project.folder / "mysite" / f"{name}.py" for name in ("settings", "urls"))
    settings.write_text(settings.read_text().replace("with_scheduled_tasks(INSTALLED_APPS)", "INSTALLED_APPS"))
    urls.write_text(urls.read_text().replace('    path("api/scheduled-tasks/"', '    # path("api/scheduled-tasks/"'))
    (project.folder / "mysite" / "tasks.py").unlink()
    project.type(f"{remove} --noinput")
    left = "from django.contrib.auth.models import Permission as P; from django.db import connection as c;"
    left += "print(P.objects.filter(content_type__app_label='django_scheduled_tasks').count(),"
    left += "[name for name in c.introspection.table_names() if name.startswith('django_scheduled_tasks')])"
    assert project.run(["manage.py", "shell", "-c", left]).splitlines()[-1] == "0 []"
    project.run(["manage.py", "check"])


def _json(url: str, token: str, data: bytes | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        return json.load(answer)


def _placed(block: Block) -> Block:
    """Say which files of the bare project the page means; its tasks live in the one app there is."""
    places = {"settings": "mysite/settings.py", "tasks.py": "mysite/tasks.py", "urls": "mysite/urls.py"}
    text = block.text
    if block.value == "settings":
        text += 'if "mysite" not in INSTALLED_APPS:\n    INSTALLED_APPS += ["mysite"]\n'
    return Block(block.page, block.line, block.language, text, block.kind, places.get(block.value, block.value))


@pytest.mark.slow
def test_the_tutorial_works_from_its_first_to_its_last_line(project):
    began = time.monotonic()
    for block in blocks_of(TUTORIAL):
        if "http://" in block.text:
            text = block.text.replace(":8000", f":{PORT}")
            block = Block(block.page, block.line, block.language, text, block.kind, block.value)  # noqa: PLW2901
            _restart_web(project)
        project.follow(block)
    listed = project.run(["manage.py", "list_tasks"])
    assert re.search(r"Sync stock levels\s+\S+Z\s+Every 15 minutes", listed), listed
    stock = "from shop.models import Product; print(sorted(Product.objects.values_list('sku', 'stock')))"
    assert "[('kettle', 12), ('teapot', 3)]" in project.run(["manage.py", "shell", "-c", stock])
    assert time.monotonic() - began < 240  # without the time to read and type
    _look_at_all_pages()


def _look_at_all_pages() -> None:
    """Every page of the admin and of the browsable API can be shown with the apps that the tutorial installs."""
    site = f"http://127.0.0.1:{PORT}"
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(path: str, data: dict[str, str] | None = None) -> str:
        sent = urllib.parse.urlencode(data).encode() if data else None
        request = urllib.request.Request(site + path, sent, headers={"Accept": "text/html", "Referer": site})
        with browser.open(request, timeout=30) as page:
            return page.read().decode()

    get("/admin/login/")
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken") or ""
    login = {"username": "admin", "password": "password", "next": "/admin/", "csrfmiddlewaretoken": token}
    assert "Scheduled tasks" in get("/admin/login/", login)
    lists = "/admin/django_scheduled_tasks/"
    assert "Sync stock levels" in get(f"{lists}scheduledtask/")
    executions = get(f"{lists}execution/")
    assert "warehouse" in get(re.search(rf"{lists}execution/\d+/change/", executions)[0])
    assert "shop.sync_stock" in get(f"{lists}scheduledtask/add/")
    for path in ("tasks/", "tasks/Sync%20stock%20levels/", "executions/", "functions/", "health/"):
        assert "<html" in get(f"/api/scheduled-tasks/{path}")


def _restart_web(project: Walker) -> None:
    """The web server of the test does not reload itself, and the urls have just changed."""
    web = next(process for process in project.background if "runserver" in process.args)
    web.send_signal(signal.SIGTERM)
    web.wait(30)
    project.background.remove(web)
    project.start(["runserver"])
    _wait_for_web(project)


def _wait_for_web(project: Walker) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/admin/login/", timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, (project.folder / "background.log").read_text()
            time.sleep(0.1)
