"""What operators are given fits the API: compose file, scrape configuration, alerts, dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.pictures import photo_jpeg

ROOT = Path(__file__).parent.parent.parent.parent
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts-api.yml").read_text())
DASHBOARD = json.loads((ROOT / "deploy" / "dashboard-api.json").read_text())
PAGE = (ROOT / "docs" / "deployment.md").read_text()

RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
ASKED = [rule["expr"] for rule in RULES]
ASKED += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def told(text: str) -> dict[str, set[str]]:
    """Every series that a server tells, with the names of its labels."""
    series: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:{(.*)})? \S+$", text, re.MULTILINE):
        series.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return series


def test_alerts_and_panels_ask_for_what_the_api_tells(start):
    api = start(keys=True, threads=1, line=0)
    headers = api.key("admin")
    api.store(photo_jpeg(), "a", headers)
    api.http.post("/v1/search", files={"image": photo_jpeg()}, headers=headers)
    api.http.get("/v1/images/a/thumbnail", headers=headers)
    api.app.state.stages.metrics.refused("describe")  # a full line takes a burst, which has a test of its own
    series = told(api.http.get("/metrics", headers=headers).text)
    for expression in ASKED:
        for name, labels in re.findall(r"\b(facsimile_\w+)(?:{([^}]*)})?", expression):
            assert name in series, expression
            assert set(re.findall(r"(\w+)=", labels)) <= series[name], expression
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            names = re.findall(r"\b(facsimile_\w+)", expression)
            assert set(labels.split(", ")) <= series[names[0]], expression
    for name in series:
        family = re.sub("_(bucket|sum|count|created)$", "", name)
        assert f"`{family}" in PAGE, f"docs/deployment.md does not tell of {family}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_is_documented(rule):
    assert f"| {rule['alert']} |" in PAGE
    assert rule["annotations"]["summary"]


def test_panels_do_not_cover_each_other():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_api_of_the_compose_file_is_reached_by_its_names_alone():
    api = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["api"]
    assert api["ports"] == ["127.0.0.1:8000:8000"]
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    (target,) = next(job for job in jobs if job["job_name"] == "facsimile-api")["static_configs"][0][
        "targets"
    ]
    assert target.split(":")[0] in api["environment"]["FACSIMILE_API_HOSTS"].split(",")
