"""The production files agree with each other and with the settings (no engine is needed)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[4]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PRODUCT = ("web", "worker", "beat", "migrate")
LASTING = sorted(set(SERVICES) - {"migrate"})


def test_the_parts_are_those_of_the_design() -> None:
    assert set(SERVICES) == {"proxy", "web", "worker", "beat", "migrate", "postgres", "redis"}
    assert SERVICES["postgres"]["image"] == "postgres:18"


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_restarts_and_is_watched(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    # The web's health check is the image's own.
    own = "HEALTHCHECK" in (PROJECT / "Dockerfile").read_text("utf-8")
    assert "healthcheck" in SERVICES[name] or (name == "web" and own)


@pytest.mark.parametrize("name", PRODUCT)
def test_the_product_runs_confined(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


def test_the_image_does_not_run_as_root() -> None:
    lines = (PROJECT / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER zhixin"]


def test_every_setting_that_production_requires_is_passed() -> None:
    settings = (PROJECT / "zhixin/settings/production.py").read_text("utf-8")
    required = set(re.findall(r'env\.(?:required|secret|pem)\(\s*"([A-Z_]+)"', settings))
    assert "SECRET_KEY" in required
    for name in PRODUCT:
        passed = SERVICES[name]["environment"]
        assert required <= passed.keys()
        for variable in required:
            assert re.search(r"\$\{[A-Z_]+:\?", passed[variable]), variable


def test_the_example_names_every_variable_that_compose_reads() -> None:
    text = (PROJECT / "docker-compose.yml").read_text("utf-8")
    example = (PROJECT / ".env.example").read_text("utf-8")
    named = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    read = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    assert read - named == {"ZHIXIN_VERSION"}
    assert named <= read


def test_every_volume_network_and_config_is_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"]


def test_only_the_proxy_is_open_to_the_world() -> None:
    assert [name for name in sorted(SERVICES) if "ports" in SERVICES[name]] == ["proxy"]
    assert COMPOSE["networks"]["back"]["internal"] is True
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["back"]
