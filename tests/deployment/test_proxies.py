"""The proxies' examples: https, the size of uploads, events that are not held back, the caller's true address."""

import re
from pathlib import Path

import pytest

from service.config import ServiceConfig
from service.web import create_app
from tests.deployment.dockerfile import DEPLOYMENT

NGINX = (DEPLOYMENT / "proxies" / "nginx.conf").read_text(encoding="utf-8")
CADDY = (DEPLOYMENT / "proxies" / "Caddyfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [NGINX, CADDY], ids=["nginx", "caddy"])
def test_braces_are_paired(text: str) -> None:
    bare = re.sub(r"#.*", "", text)
    assert bare.count("{") == bare.count("}")


def test_nginx_passes_on_what_the_service_needs() -> None:
    locations = re.findall(r"location [^{]+\{(.*?)\n    \}", NGINX, flags=re.DOTALL)
    assert len(locations) == 4
    assert all("proxy_pass http://127.0.0.1:7860;" in location for location in locations)
    assert all("proxy_set_header Host $http_host;" in location for location in locations)
    assert "$proxy_add_x_forwarded_for;" not in NGINX
    assert NGINX.count("proxy_buffering off;") == 2
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in NGINX


def test_the_body_limit_is_a_little_over_the_services_own(tmp_path: Path) -> None:
    ours_mb = ServiceConfig(home=tmp_path).max_upload_bytes // 2**20
    for pattern, text in ((r"client_max_body_size (\d+)m;", NGINX), (r"max_size (\d+)MB", CADDY)):
        found = re.search(pattern, text)
        assert found is not None
        assert ours_mb < int(found.group(1)) < ours_mb * 1.1


def test_the_events_location_is_the_route(tmp_path: Path) -> None:
    found = re.search(r"location ~ (\S+) \{", NGINX)
    assert found is not None
    paths = create_app(ServiceConfig(home=tmp_path)).openapi()["paths"]
    (events,) = [path for path in paths if path.endswith("/events")]
    assert re.fullmatch(found.group(1), events.replace("{study_id}", "0f" * 16))
