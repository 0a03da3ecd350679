"""The report's page in a real browser: it draws, explains itself on hover, zooms, and says nothing in the console."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import Audience, Mode
from hybridq.report.markup import page, spread
from hybridq.report.page import report_page
from tests.support.building import command
from tests.support.ledgers import Past

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
    "--window-size=1200,900",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever it would load from anywhere fails, and says so
)
TELL = "<script>addEventListener('load', async () => {{ const told = {{}}; {script}; const pre ="
TELL += " document.createElement('pre'); pre.id = 'told'; pre.textContent = JSON.stringify(told);"
TELL += " document.body.append(pre); }});</script>"


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of a Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is here to open the page in; get it with: apt-get install -y chromium")
    return found


class Opened:
    """A page after it was opened: its document, the console's lines, and what the script told."""

    def __init__(self, browser: str, path: Path, script: str = "", *flags: str) -> None:
        copy = path.with_suffix(".opened.html")
        text = path.read_text(encoding="utf-8")
        copy.write_text(text.replace("</body>", TELL.format(script=script) + "</body>"), encoding="utf-8")
        run = subprocess.run(
            [browser, *FLAGS, *flags, f"--user-data-dir={path.parent / 'profile'}", "--dump-dom", copy.as_uri()],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        self.document = run.stdout
        self.console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
        told = re.search(r'<pre id="told">(.*?)</pre>', run.stdout, re.DOTALL)
        assert told is not None, run.stderr
        self.told: dict[str, Any] = json.loads(unescape(told[1]))


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """People who asked, batches that ran, promises of either kind, and names that would do harm."""
    past = Past(tmp_path_factory.mktemp("past"))
    for at in range(0, 600, 60):
        (number,) = past.submit(at, audience=Audience.USER, mode=Mode.STREAM, promised=(at, at + 4, at + 6))
        past.stream(number, at, at + 1 + at % 7, at + 2 + at % 7)
    harm = "</script><img src=x onerror=\"console.error('harm')\"><b>bold</b>"
    past.flush(700, 760, past.submit(10, 20, promised=(700, 750, 800)), reason=f"held until 22:00: saves 1.80 {harm}")
    past.flush(900, 930, past.submit(800, 5), rule="deadline", reason="due soon", errors=[f"exit 3 {harm}"])
    return past


def written(past: Past, folder: Path, *args: str) -> Path:
    """The page of this queue."""
    path = folder / "report.html"
    said = command(past.home, "report", "--html", str(path), *args)
    assert said.returncode == 0, said.stderr
    return path


DRAWN = """
told.charts = [...document.querySelectorAll('.js-plotly-plot')].map(p => p.querySelectorAll('.trace').length);
told.loaded = performance.getEntriesByType('resource').map(each => each.name)
"""
HOVER = """
const chart = document.querySelector('.js-plotly-plot');
const flush = chart.data.findIndex(trace => trace.name === 'flush');
Plotly.Fx.hover(chart, [{curveNumber: flush, pointNumber: 0}], ['x3y3']);
told.hover = chart.querySelector('.hoverlayer').textContent
"""
ZOOM = """
await Plotly.relayout(chart, {'xaxis3.range[0]': '2026-11-23 02:15', 'xaxis3.range[1]': '2026-11-23 02:20'});
told.ranges = ['xaxis', 'xaxis2', 'xaxis3'].map(axis => chart._fullLayout[axis].range.join())
"""
CONTRAST = """
const light = text => {
  const [r, g, b] = text.match(/[\\d.]+/g).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b };
told.paper = light(getComputedStyle(document.body).backgroundColor);
const texts = [...document.querySelectorAll('p')].map(p => getComputedStyle(p).color).concat(
  [...document.querySelectorAll('.xtick text, .legendtext, .ytitle')].map(t => getComputedStyle(t).fill));
told.contrasts = texts.map(light).map(a => (Math.max(a, told.paper) + .05) / (Math.min(a, told.paper) + .05))
"""
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def opened(past: Past, browser: str, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The page, hovered over and zoomed into."""
    path = written(past, tmp_path_factory.mktemp("page"))
    return Opened(browser, path, f"{DRAWN};{CONTRAST};{HOVER};{ZOOM}", LIGHT)


def test_the_page_draws_and_the_console_is_empty(opened: Opened) -> None:
    """All four charts are drawn, nothing is loaded from anywhere, names do no harm, and the console has no line."""
    assert opened.console == []
    assert opened.told["loaded"] == ["data:,"] or opened.told["loaded"] == []
    assert len(opened.told["charts"]) == 4
    assert all(opened.told["charts"])
    assert "<img" not in re.sub(r"<script.*?</script>", "", opened.document, flags=re.DOTALL)


def test_an_error_would_be_seen(browser: str, tmp_path: Path) -> None:
    """What goes wrong in a page is a line of the console, and what it loads is told: the test above is not blind."""
    path = tmp_path / "wrong.html"
    path.write_text(page("wrong", ['<script>throw new Error("oh")</script><img src="https://hybridq.invalid/x.png">']))
    wrong = Opened(browser, path, DRAWN)
    assert "Uncaught Error: oh" in "\n".join(wrong.console)
    assert "https://hybridq.invalid/x.png" in wrong.told["loaded"]


def test_a_flush_tells_its_reason_on_hover(opened: Opened) -> None:
    """Hovering over a flush shows when, how many, by which rule and why, as text and not as markup."""
    assert "20 jobs of echo" in opened.told["hover"]
    assert (
        "plan: held until 22:00: saves 1.80 </script><img src=x onerror=\"console.error('harm')\"><b>bold</b>"
        in (opened.told["hover"])
    )


def test_zooming_one_lane_zooms_the_time_of_all(opened: Opened) -> None:
    """The lanes and the tariff share their time: what is zoomed in one is zoomed in all."""
    ranges = opened.told["ranges"]
    assert len(set(ranges)) == 1
    assert "02:15" in ranges[0]


def test_it_is_readable_in_light_and_dark(opened: Opened, past: Past, browser: str, tmp_path: Path) -> None:
    """Text of the page and of its charts stands in contrast of at least 4.5 to the page, as its reader likes it."""
    dark = Opened(browser, written(past, tmp_path), CONTRAST, DARK)
    assert dark.told["paper"] < 0.1
    assert opened.told["paper"] > 0.9
    for told in (dark.told, opened.told):
        assert len(told["contrasts"]) > 20
        assert min(told["contrasts"]) >= 4.5


def test_of_many_flushes_some_are_drawn_and_the_page_says_so(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart that leaves something out says how much it draws of how many, and draws no more."""
    monkeypatch.setattr("hybridq.report.markup.DRAWN", 4)
    ledger = past.ledger()
    drawn = spread(ledger.promised)
    assert 2 <= len(drawn) <= 4 < len(ledger.promised) == 11
    html = report_page(past.report(), ledger, past.outlook.tariff, "", (), ())
    assert f"Shows an even sample of {len(drawn)} of 11 promises." in html
    assert " flushes." not in html


def test_a_queue_with_nothing_finished_has_a_kind_page(tmp_path: Path) -> None:
    """Before anything has finished the page says so and draws nothing."""
    past = Past(tmp_path)
    past.submit(0, 3)
    html = written(past, tmp_path).read_text(encoding="utf-8")
    assert "no job has finished yet; 3 jobs are queued or running" in html
    assert "Plotly.newPlot" not in html.split("<body>")[1]


def test_only_failures_make_a_page_too(tmp_path: Path) -> None:
    """A queue in which everything failed has its reasons on the page, and no chart of nothing."""
    past = Past(tmp_path)
    past.flush(10, 20, past.submit(0, 2), errors=["exit 3", "exit 3"])
    html = written(past, tmp_path).read_text(encoding="utf-8")
    assert "<td>exit 3</td><td>2</td>" in html
    assert "Plotly.newPlot" not in html.split("<body>")[1]
