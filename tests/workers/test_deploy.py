"""What operators are given fits the program: compose file, scrape configuration, alerts, dashboard."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from facsimile.workers import metrics

ROOT = Path(__file__).parent.parent.parent
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts-workers.yml").read_text())
DASHBOARD = json.loads((ROOT / "deploy" / "dashboard-workers.json").read_text())
PAGE = (ROOT / "docs" / "deployment.md").read_text()
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def known() -> dict[str, set[str]]:
    """Every series of the workers, with the names of its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, Counter | Gauge | Histogram):
            continue
        for family in metric.describe():
            names = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
            found |= {family.name + name: set(metric._labelnames) for name in names}
    return found


ASKED = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
ASKED += [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("expression", ASKED)
def test_alerts_and_panels_ask_for_what_workers_tell(expression):
    series = re.findall(r"\b(facsimile_\w+)(?:\{(\w+))?", expression)
    assert series or "up{" in expression
    for name, label in series:
        assert name in known()
        assert not label or label in known()[name]
    for label in re.findall(r"by \((\w+)\)", expression):
        assert label == "le" or any(label in known()[name] for name, _ in series)


def test_every_metric_and_every_alert_is_documented():
    for name in known():
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}" in PAGE
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
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
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_workers_can_be_scaled_and_are_found_by_prometheus():
    services = SERVICES
    worker = services["worker"]
    assert not worker.keys() & {"container_name", "ports"}
    port = worker["command"].split()[-1]
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = next(job for job in jobs if job["job_name"] == "facsimile-worker")["dns_sd_configs"]
    assert (found["names"], str(found["port"])) == (["worker"], port)
    assert f":{port}/healthz" in worker["healthcheck"]["test"][-1]
    url = worker["environment"]["FACSIMILE_BROKER_URL"]
    assert re.fullmatch(
        r"redis://:\$\{REDIS_PASSWORD:\?[^}]+\}@redis:6379/0", url
    )  # it asks for a password now
    assert services["beat"]["command"] == "beat"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_privileges_and_limits_of_its_own(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}
    assert service["mem_limit"]
    assert 0 < service["pids_limit"] <= 4096
    assert service.get("read_only") or name == "elasticsearch"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    # Elasticsearch's image has a user of its own
    assert service.get("user", "root") not in ("root", "0", "0:0") or name == "elasticsearch"


def test_no_service_starts_without_its_password():
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("ELASTIC_PASSWORD", "REDIS_PASSWORD"):
        given = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert given
        assert all(rest.startswith(":?") for rest in given)
        assert name in PAGE
    assert SERVICES["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    assert "ELASTIC_PASSWORD" in SERVICES["elasticsearch"]["environment"]
    assert "--requirepass" in SERVICES["redis"]["command"]
    for name in ("api", "worker", "beat", "facsimile"):
        environment = SERVICES[name]["environment"]
        assert environment["FACSIMILE_ELASTIC_USER"] == "elastic"
        assert "ELASTIC_PASSWORD" in environment["FACSIMILE_ELASTIC_PASSWORD"]
        assert "REDIS_PASSWORD" in environment["FACSIMILE_BROKER_URL"]
